package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/store"
)

// keyFolder is an auth.KeyStore that keeps each signing key in a file of a folder. It serves a store in memory, so
// that tokens outlive the process; a durable store keeps its keys itself. Several processes may use one folder.
type keyFolder string

// keyStore is where the signing keys of the configuration are.
func (c *config) keyStore(db *store.DB) (auth.KeyStore, error) {
	if c.store != "memory:" {
		return db, nil
	}
	dir, err := c.folder()
	return keyFolder(filepath.Join(dir, "signing-keys")), err
}

// openKeys reads the signing keys. Where there is none yet a server makes the first. With asIs, which commands
// beside a server ask for, none is made: tokens of a key that no server has would be refused.
func (c *config) openKeys(ctx context.Context, db *store.DB, asIs bool) (*auth.KeySet, error) {
	keys, err := c.keyStore(db)
	if err != nil {
		return nil, err
	}
	if asIs {
		set, err := auth.ReadKeySet(ctx, keys)
		return set, c.noKeys(err)
	}
	if c.store == "memory:" {
		if _, err := c.privateFolder(); err != nil {
			return nil, err
		}
	}
	return auth.LoadKeySet(ctx, keys, now())
}

// noKeys turns auth.ErrNoKeys into an error that says where a key was looked for, and leaves others as they are.
func (c *config) noKeys(err error) error {
	if !errors.Is(err, auth.ErrNoKeys) {
		return err
	}
	where := "the store"
	if c.store == "memory:" {
		if where, err = c.folder(); err != nil {
			return err
		}
	}
	return fmt.Errorf("no server has made a signing key in %s yet: start it, or name the --config-dir or --store of the one that runs", where)
}

// SigningKeys reads all keys, oldest first; see auth.KeyStore. A folder that does not exist has none. A file that
// cannot be parsed is an error, since without it tokens would be refused for no visible reason.
func (d keyFolder) SigningKeys(context.Context) ([]auth.SigningKey, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var keys []auth.SigningKey
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".json" { // one that is being written
			continue
		}
		path := filepath.Join(string(d), entry.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var key auth.SigningKey
		if err := json.Unmarshal(data, &key); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		keys = append(keys, key)
	}
	slices.SortStableFunc(keys, func(a, b auth.SigningKey) int { return cmp.Compare(a.CreatedOn, b.CreatedOn) })
	return keys, nil
}

// RemoveSigningKey removes the file of the key; see auth.KeyStore.
func (d keyFolder) RemoveSigningKey(_ context.Context, id string) error {
	err := os.Remove(d.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// path is the file of a key. IDs are escaped, as they may come from the command line and could otherwise lead out
// of the folder.
func (d keyFolder) path(id string) string {
	return filepath.Join(string(d), url.PathEscape(id)+".json")
}

// AddSigningKey writes a file for the key; see auth.KeyStore. A link, unlike a rename, fails where there is a file
// already, so that of several processes that add the same ID the first wins.
func (d keyFolder) AddSigningKey(_ context.Context, key auth.SigningKey) error {
	data, err := json.Marshal(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return writable(err)
	}
	err = place(d.path(key.ID), data, 0o600, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
