package chat

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
)

// Folder returns a Storage in a folder of this machine, which is created when it is not there. Each upload is two files, its content and
// what is known of it. A folder is for the chat alone, and not for a web server to serve.
func Folder(dir string) Storage { return folder(dir) }

type folder string

// Save implements Storage. What is known of a file is written last: without it the file is not there.
func (f folder) Save(_ context.Context, id string, u Upload, r io.Reader) (err error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	file, err := root.OpenFile(id, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	u.Size, err = io.Copy(file, r)
	err = errors.Join(err, file.Close())
	if err == nil {
		var about []byte
		if about, err = json.Marshal(u); err == nil {
			err = root.WriteFile(id+".json", about, 0o600)
		}
	}
	if err != nil {
		return errors.Join(err, root.Remove(id))
	}
	return nil
}

// Open implements Storage.
func (f folder) Open(_ context.Context, id string) (u Upload, _ io.ReadSeekCloser, err error) {
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return Upload{}, nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	about, err := root.ReadFile(id + ".json")
	if err != nil {
		return Upload{}, nil, err
	}
	if err := json.Unmarshal(about, &u); err != nil {
		return Upload{}, nil, err
	}
	file, err := root.Open(id)
	if err != nil {
		return Upload{}, nil, err
	}
	return u, file, nil
}
