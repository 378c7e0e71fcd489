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
)

// keyFolder keeps signing keys in files of a folder. With a store in memory the keys live there, so that tokens
// outlive the process; a durable store keeps its keys itself.
type keyFolder string

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

// AddSigningKey writes a file for the key; see auth.KeyStore.
func (d keyFolder) AddSigningKey(_ context.Context, key auth.SigningKey) error {
	data, err := json.Marshal(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	err = place(filepath.Join(string(d), url.PathEscape(key.ID)+".json"), data, 0o600, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
