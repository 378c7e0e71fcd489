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

// keyFolder keeps signing keys in files of a folder. With a store in memory the keys live there, so that tokens
// outlive the process; a durable store keeps its keys itself.
type keyFolder string

// keyStore is where the signing keys of the configuration are.
func (c *config) keyStore(db *store.DB) (auth.KeyStore, error) {
	if c.store != "memory:" {
		return db, nil
	}
	dir, err := c.folder()
	return keyFolder(filepath.Join(dir, "signing-keys")), err
}

// openKeys reads the signing keys. Where there is none yet a server makes the first; as they are, none is made.
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

// noKeys says where there is no signing key.
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

// SigningKeys reads all keys; see auth.KeyStore.
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

// path is the file of a key. IDs are escaped, as they may come from the command line.
func (d keyFolder) path(id string) string {
	return filepath.Join(string(d), url.PathEscape(id)+".json")
}

// AddSigningKey writes a file for the key; see auth.KeyStore.
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
