package store_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{URL: func(*testing.T) string { return "memory:" }})
}

func TestFile(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{Durable: true, URL: func(t *testing.T) string {
		return "sqlite:" + filepath.Join(t.TempDir(), "chatd.db")
	}})
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{Durable: true, Shared: true, URL: postgresURL})
}

// postgresURL is that of a database with an empty store.
func postgresURL(t *testing.T) string {
	t.Helper()
	return pgtest.Database(t, func(url string) error {
		db, err := store.Open(context.Background(), url, store.Options{})
		if err != nil {
			return err
		}
		return db.Close()
	}, "schema_migrations")
}
