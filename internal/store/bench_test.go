package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
)

// benchEngines runs a benchmark on a store in memory, on one in a file and on Postgres as it is set up by default.
func benchEngines(b *testing.B, run func(b *testing.B, db *store.DB)) {
	for _, engine := range []struct {
		name string
		url  func(b *testing.B) string
	}{
		{"memory", func(*testing.B) string { return "memory:" }},
		{"file", func(b *testing.B) string { return "sqlite:" + filepath.Join(b.TempDir(), "chatd.db") }},
		{"postgres", func(b *testing.B) string {
			return pgtest.Start(b, "fsync=on", "full_page_writes=on", "shared_buffers=256MB", "max_wal_size=1GB").URL("postgres")
		}},
	} {
		b.Run(engine.name, func(b *testing.B) {
			db, err := store.Open(context.Background(), engine.url(b), store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close() //nolint:errcheck // nothing is to be kept
			run(b, db)
		})
	}
}

// benchThread makes a thread of one participant.
func benchThread(b *testing.B, db *store.DB, n int) chat.Thread {
	b.Helper()
	c := &chat.Change{Thread: chat.Thread{ID: chat.ThreadID(fmt.Sprintf("19:bench%d@thread.v2", n)), Roster: 1, Present: 1}}
	c.Join = []chat.Participant{{Identity: alice, Joined: 1}}
	if _, err := db.Create(b.Context(), c, chat.Creation{Thread: c.Thread}); err != nil {
		b.Fatal(err)
	}
	a, err := db.Access(b.Context(), c.Thread.ID, alice)
	if err != nil {
		b.Fatal(err)
	}
	return a.Thread
}

func benchPost(t chat.Thread) *chat.Post {
	return &chat.Post{Thread: t, At: 1_700_000_000_000, Message: chat.Message{
		Type: chat.Text, Content: chat.Content{Text: "Shall we have lunch at the usual place, or somewhere else?"}, Sender: alice, SenderName: "Somebody",
	}}
}

// BenchmarkPost posts into as many threads as there are writers, up to 16.
func BenchmarkPost(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			benchEngines(b, func(b *testing.B, db *store.DB) {
				var threads []chat.Thread
				for n := range min(writers, 16) {
					threads = append(threads, benchThread(b, db, n))
				}
				var done atomic.Int64
				var all sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				for w := range writers {
					all.Go(func() {
						for done.Add(1) <= int64(b.N) {
							if _, err := db.Post(b.Context(), benchPost(threads[w%len(threads)])); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
			})
		})
	}
}

// BenchmarkMessages reads the newest 50 of 1,000 messages.
func BenchmarkMessages(b *testing.B) {
	benchEngines(b, func(b *testing.B, db *store.DB) {
		thread := benchThread(b, db, 0)
		for range 1000 {
			if _, err := db.Post(b.Context(), benchPost(thread)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			got, err := db.Messages(b.Context(), thread.Key, chat.MessageQuery{Limit: 50})
			if err != nil || len(got) != 50 {
				b.Fatal(len(got), err)
			}
		}
	})
}
