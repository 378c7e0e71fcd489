package postgres_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/storetest"
)

// Behind a pooler of transactions all is as without it, though each transaction runs on another connection.
func TestPooled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("makes a connection for each transaction: not in -short")
	}
	storetest.Run(t, storetest.Engine{Durable: true, Shared: true, New: func(t *testing.T) storetest.Open { return opener(pgtest.Pooled(t, emptyStore(t))) }})
}

// Nodes behind a pooler notify each other when they listen to Postgres itself.
func TestPooledNodes(t *testing.T) {
	t.Parallel()
	direct := emptyStore(t)
	pooled := pgtest.Pooled(t, direct)
	node := func(listen string) *store.DB {
		t.Helper()
		var log bytes.Buffer
		db, err := store.Open(t.Context(), pooled, store.Options{Listen: listen, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			if warned := strings.Contains(log.String(), "behind a pooler"); warned != (listen == "") {
				t.Errorf("listening at %q: warned of the pooler: %t", listen, warned)
			}
		})
		return db
	}
	node("")
	node(store.NoListen)
	writer, reader := node(direct), node(direct)
	changed, unwatch := reader.Watch()
	defer unwatch()
	thread := newThread(t, writer, "19:a@thread.v2")
	deadline := time.After(30 * time.Second)
	for range 3 { // the first news may be that it listens, the second that a thread was made
		if _, err := writer.Post(t.Context(), textPost(thread, "a")); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatal("no notification of the other node")
		}
	}
}
