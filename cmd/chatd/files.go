package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/chatd/chatd/internal/devca"
)

// privateFolder returns the config folder, which it makes if needed. A new or empty folder is made private. A folder with other
// content keeps its mode, which may be intended, and so does one of another user, as folders mounted into a container may be. The
// keys in it are private files in any case.
func (c *config) privateFolder() (string, error) {
	dir, err := c.folder()
	if err != nil {
		return "", err
	}
	if err := makePrivate(dir); err != nil {
		return "", fmt.Errorf("config folder (--config-dir): %w", err)
	}
	return dir, nil
}

// makePrivate makes a folder, or takes away the access of other users to an empty one. A folder of another user
// cannot be changed and is left as it is, see privateFolder.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return writable(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		return err
	}
	if err := os.Chmod(dir, 0o700); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// writable adds to a permission error which user needs to write to the folder: in containers that is the number to
// give to chown, and the image runs as a user without a name.
func writable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: the folder has to be writable for user %d, by which chatd runs", err, os.Getuid())
	}
	return err
}

// keep returns the content of a file; one that is not there yet is created. Of several processes that do so at the
// same time one wins, and all get its content. The content is complete at any time, also after a crash.
func keep(path string, perm fs.FileMode, create func() ([]byte, error)) ([]byte, error) {
	data, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if data, err = create(); err != nil {
		return nil, err
	}
	// Unlike a rename, a link does not replace a file that another process has put there.
	if err := place(path, data, perm, os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

// replace writes a file atomically: a reader gets the old content or the new, never a part.
func replace(path string, data []byte, perm fs.FileMode) error {
	return place(path, data, perm, os.Rename)
}

// update replaces a file unless it already has that content, so that a start does not write to a folder that may
// be read-only for this process and does not change modification times that others watch.
func update(path string, data []byte, perm fs.FileMode) error {
	if present, err := os.ReadFile(path); err == nil && bytes.Equal(present, data) {
		return nil
	}
	return replace(path, data, perm)
}

// place writes a temporary file beside the path, so that both are on one file system, syncs it, and moves it there
// by put: os.Rename to replace what is there, os.Link to fail with fs.ErrExist when something is. The mode is
// exactly perm, whatever the umask.
func place(path string, data []byte, perm fs.FileMode, put func(from, to string) error) error {
	// Its mode is 0600 from the start: a key is at no time readable by others.
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return writable(err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(perm), f.Sync(), f.Close()); err != nil {
		return err
	}
	return put(f.Name(), path)
}

// pemBlock returns the first block of that kind in a file's content.
func pemBlock(path string, data []byte, kind string) ([]byte, error) {
	blocks := devca.PEMBlocks(data, kind)
	if len(blocks) == 0 {
		return nil, fmt.Errorf("%s: no %s in PEM form", path, kind)
	}
	return blocks[0], nil
}
