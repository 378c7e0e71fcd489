package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{New: func(*testing.T) storetest.Open { return opener("memory:") }})
}

func TestFile(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{Durable: true, New: func(t *testing.T) storetest.Open {
		return opener("sqlite:" + filepath.Join(t.TempDir(), "chatd.db"))
	}})
}

func opener(url string) storetest.Open {
	return func(ctx context.Context, o storetest.Options) (storetest.Store, error) {
		return store.Open(ctx, url, store.Options{Endpoints: o.Endpoints})
	}
}
