package store

import "syscall"

// networkFileSystem reports whether a folder is on a network file system, and its name. The numbers are those of statfs(2).
func networkFileSystem(dir string) (name string, network bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "", false
	}
	return networkFileSystemName(uint32(s.Type))
}

func networkFileSystemName(magic uint32) (name string, network bool) {
	switch magic {
	case 0x6969:
		return "NFS", true
	case 0x517b, 0xff534d42, 0xfe534d42:
		return "SMB", true
	}
	return "", false
}
