package postgres_test

import (
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/postgres"
	"github.com/chatd/chatd/internal/store/sqldb"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pgtest.Stop()
		os.Exit(code)
	}))
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

// openNode opens a store that does not listen for what others write.
func openNode(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{Listen: store.NoListen})
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

func textPost(t chat.Thread, text string) *chat.Post {
	return &chat.Post{Thread: t, At: 1_700_000_000_000, Message: chat.Message{Type: chat.Text, Content: chat.Content{Text: text}, Sender: "8:acs:a"}}
}
