package store_test

import (
	"context"
	"testing"

	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/storetest"
)

// The common code with one engine. The suite runs with each engine in the package of that.
func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{New: func(*testing.T) storetest.Open {
		return func(ctx context.Context, o storetest.Options) (storetest.Store, error) {
			return store.Open(ctx, "memory:", store.Options{Endpoints: o.Endpoints})
		}
	}})
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
