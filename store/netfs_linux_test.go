package store

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNetworkFileSystem(t *testing.T) {
	t.Parallel()
	_, network := networkFileSystem(t.TempDir())
	require.False(t, network)
	for magic, want := range map[uint32]string{0x6969: "NFS", 0xff534d42: "SMB", 0xef53: "", 0x01021994: "", 0x794c7630: ""} {
		name, network := networkFileSystemName(magic)
		require.Equal(t, want, name)
		require.Equal(t, want != "", network)
	}
}
