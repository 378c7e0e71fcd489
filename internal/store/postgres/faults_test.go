package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
)

// again does something until it succeeds; meanwhile the store must say that it is not available.
func again(t *testing.T, what string, do func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := do()
		if err == nil {
			return
		}
		if chat.KindOf(err) != chat.Unavailable || time.Now().After(deadline) {
			t.Errorf("%s: %v", what, err)
			return
		}
	}
}

// TestPostgresDies kills Postgres again and again under two nodes that write. What was acknowledged is there, what was not
// is there once at most, creates that are repeated until they are answered make one thread each, and all goes on.
func TestPostgresDies(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, "fsync=on", "full_page_writes=on")
	dbs := []*store.DB{open(t, server.URL("postgres")), open(t, server.URL("postgres"))}
	thread := newThread(t, dbs[0], "19:a@thread.v2")
	const writers = 6
	const kills = 4
	var acknowledged, created sync.Map
	var refused, answered atomic.Int64
	over := make(chan struct{})
	var all sync.WaitGroup
	for n, db := range dbs {
		for w := range writers {
			all.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-over:
						return
					default:
					}
					text := fmt.Sprint(n, " ", w, " ", i)
					var err error
					switch w {
					case 0:
						err = db.Update(t.Context(), thread.ID, topic(text))
					case 1:
						id := chat.ThreadID(fmt.Sprintf("19:%d-%d@thread.v2", n, i))
						again(t, "create", func() error {
							c := &chat.Change{Thread: chat.Thread{ID: id, Roster: 1}, Events: []chat.Event{{Kind: chat.ThreadCreated, ThreadID: id}}}
							_, err := db.Create(t.Context(), c, chat.Creation{Thread: c.Thread})
							return err
						})
						created.Store(id, true)
						continue
					default:
						_, err = db.Post(t.Context(), textPost(thread, text))
					}
					switch {
					case err == nil:
						acknowledged.Store(text, true)
						answered.Add(1)
					case chat.KindOf(err) == chat.Unavailable:
						refused.Add(1)
					default:
						t.Errorf("%s: %v", text, err)
					}
				}
			})
		}
	}
	more := func() { // sends are answered
		t.Helper()
		goal := answered.Load() + 200
		again(t, "sends", func() error {
			if answered.Load() < goal {
				return &chat.Error{Kind: chat.Unavailable, Reason: "too few were answered"}
			}
			return nil
		})
	}
	for range kills {
		more()
		server.Kill(t)
		for _, db := range dbs {
			if err := db.Ready(t.Context()); chat.KindOf(err) != chat.Unavailable {
				t.Errorf("without a server it is ready: %v", err)
			}
		}
		server.Run(t)
		for _, db := range dbs {
			again(t, "ready", func() error { return db.Ready(t.Context()) })
		}
	}
	more()
	close(over)
	all.Wait()
	seen := map[string]int{}
	threads := map[chat.ThreadID]int{}
	events, err := dbs[1].After(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	seq := int64(0)
	for _, e := range events {
		if e.Kind == chat.ThreadCreated {
			threads[e.ThreadID]++
			continue
		}
		seen[e.Message.Content.Text]++
		if seq++; e.Message.Seq != seq {
			t.Fatalf("event of message %d, want %d", e.Message.Seq, seq)
		}
	}
	messages, err := dbs[0].Messages(t.Context(), thread.Key, chat.MessageQuery{Limit: 1 << 20})
	if err != nil || len(messages) != len(seen) || int64(len(messages)) != seq {
		t.Errorf("%d messages, %v; want as many as events, %d, of %d different", len(messages), err, seq, len(seen))
	}
	lost := 0
	acknowledged.Range(func(text, _ any) bool {
		if seen[text.(string)] != 1 {
			lost++
			t.Errorf("%s was acknowledged and is there %d times", text, seen[text.(string)])
		}
		return lost < 10
	})
	created.Range(func(id, _ any) bool {
		if threads[id.(chat.ThreadID)] != 1 {
			t.Errorf("%s was created %d times", id, threads[id.(chat.ThreadID)])
		}
		return true
	})
	t.Logf("%d kills, %d writes acknowledged, %d refused, %d threads, %d messages", kills, answered.Load(), refused.Load(), len(threads), len(messages))
}

// A server that gives no more connections refuses what needs one, and only that; when it does again, all goes on.
func TestPostgresWithoutConnections(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, "max_connections=6", "superuser_reserved_connections=0")
	db, err := store.Open(t.Context(), server.URL("postgres"), store.Options{Listen: store.NoListen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	thread := newThread(t, db, "19:a@thread.v2") // which leaves one connection in the pool, and none for posts yet
	var others []*pgx.Conn
	for {
		c, err := pgx.Connect(t.Context(), server.URL("postgres"))
		if err != nil {
			break
		}
		others = append(others, c)
	}
	if _, err := db.Post(t.Context(), textPost(thread, "a")); chat.KindOf(err) != chat.Unavailable {
		t.Errorf("a post: %v, want unavailable", err)
	}
	if _, err := db.Access(t.Context(), thread.ID, alice); err != nil {
		t.Errorf("a read on the connection that is there: %v", err)
	}
	for _, c := range others {
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	again(t, "a post", func() error {
		_, err := db.Post(t.Context(), textPost(thread, "a"))
		return err
	})
}

// A database that is only to be read, as after a fail-over or by its operator's will, is not ready and refuses writes, not
// reads.
func TestPostgresReadOnly(t *testing.T) {
	t.Parallel()
	address := emptyStore(t)
	thread := newThread(t, open(t, address), "19:a@thread.v2")
	db := open(t, withOption(t, address, "default_transaction_read_only", "on"))
	for name, err := range map[string]error{
		"ready": db.Ready(t.Context()),
		"post": func() error {
			_, err := db.Post(t.Context(), textPost(thread, "a"))
			return err
		}(),
		"update": db.Update(t.Context(), thread.ID, topic("a")),
		"note":   db.Note(t.Context(), chat.Event{}),
	} {
		if chat.KindOf(err) != chat.Unavailable {
			t.Errorf("%s: %v, want unavailable", name, err)
		}
	}
	if _, err := db.Access(t.Context(), thread.ID, alice); err != nil {
		t.Errorf("a read: %v", err)
	}
}

// Connections that the server ends are replaced, also the one that listens.
func TestPostgresEndsConnections(t *testing.T) {
	t.Parallel()
	address := emptyStore(t)
	writer, reader := open(t, address), open(t, address)
	thread := newThread(t, writer, "19:a@thread.v2")
	killer, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer killer.Close(context.Background()) //nolint:errcheck // it only ended others
	for range 3 {
		if _, err := killer.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
		again(t, "a read", func() error {
			_, err := reader.Head(t.Context())
			return err
		})
		woken := false
		changed, unwatch := reader.Watch()
		for deadline := time.Now().Add(time.Minute); !woken && time.Now().Before(deadline); {
			again(t, "a post", func() error {
				_, err := writer.Post(t.Context(), textPost(thread, "a"))
				return err
			})
			select {
			case <-changed:
				woken = true
			case <-time.After(100 * time.Millisecond):
			}
		}
		unwatch()
		if !woken {
			t.Error("the reader is not woken any more")
		}
	}
}

// It runs behind a pooler that knows no prepared statements too.
func TestPostgresWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "simple_protocol"} {
		db := open(t, withOption(t, emptyStore(t), "default_query_exec_mode", mode))
		thread := newThread(t, db, "19:a@thread.v2")
		var texts []string
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				text := fmt.Sprint("'", i)
				var err error
				if i%5 == 0 {
					err = db.Update(t.Context(), thread.ID, topic(text))
				} else {
					_, err = db.Post(t.Context(), textPost(thread, text))
				}
				if err != nil {
					t.Errorf("%s: %v", mode, err)
				}
			})
		}
		all.Wait()
		messages, err := db.Messages(t.Context(), thread.Key, chat.MessageQuery{Limit: 100})
		if err != nil || len(messages) != 40 {
			t.Errorf("%s: %d messages, %v", mode, len(messages), err)
		}
		events, err := db.After(t.Context(), 0, 100)
		for _, e := range events {
			texts = append(texts, e.Message.Content.Text)
		}
		slices.Sort(texts)
		if err := errors.Join(err, db.Ready(t.Context())); err != nil || len(slices.Compact(texts)) != 40 {
			t.Errorf("%s: events %v, %v", mode, texts, err)
		}
	}
}
