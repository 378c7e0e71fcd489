package postgres_test

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/postgres"
	"github.com/chatd/chatd/internal/store/sqldb"
	"github.com/chatd/chatd/internal/store/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pgtest.Stop()
		os.Exit(code)
	}))
}

func TestEngine(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{Durable: true, Shared: true, New: func(t *testing.T) storetest.Open { return opener(emptyStore(t)) }})
}

func opener(url string) storetest.Open {
	return func(ctx context.Context, o storetest.Options) (storetest.Store, error) {
		return store.Open(ctx, url, store.Options{Endpoints: o.Endpoints})
	}
}

// emptyStore returns the URL of a database with an empty store.
func emptyStore(t *testing.T) string {
	t.Helper()
	return pgtest.Database(t, func(url string) error {
		db, err := store.Open(context.Background(), url, store.Options{})
		if err != nil {
			return err
		}
		return db.Close()
	}, "schema_migrations")
}

// open opens a store that the test closes.
func open(t *testing.T, url string) *store.DB {
	t.Helper()
	return openWith(t, url, store.Options{})
}

// openNode opens a store that does not listen for what others write.
func openNode(t *testing.T, url string) *store.DB {
	t.Helper()
	return openWith(t, url, store.Options{Listen: store.NoListen})
}

func openWith(t *testing.T, url string, o store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// openEngine opens the engine itself, beside the stores of the database.
func openEngine(t *testing.T, url string) sqldb.Engine {
	t.Helper()
	e, err := postgres.Open(t.Context(), url, sqldb.Options{Log: slog.New(slog.DiscardHandler), Wake: func() {}, Listen: sqldb.NoListen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

const alice = chat.Identity("8:acs:46849534-eb08-4ab7-bde7-c36928cd1547_00000020-0000-0000-0000-000000000001")

func textPost(t chat.Thread, text string) *chat.Post {
	return &chat.Post{Thread: t, At: 1_700_000_000_000, Message: chat.Message{Type: chat.Text, Content: chat.Content{Text: text}, Sender: alice}}
}
