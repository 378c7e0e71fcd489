package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// TestFileFull limits the file, as a full disk does: writes fail as unavailable, with an error and a line of the log that name the
// file, the store is not ready, and reads work. When there is room again, all works.
func TestFileFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chatd.db")
	full(t, path, func(db *DB, free bool) {
		pages := 1
		if free {
			pages = 1 << 20
		}
		// A number below that of the existing pages means just those.
		err := db.engine.Write(t.Context(), func(tx sqldb.Tx) error { // on the connection that the limit is for
			return tx.QueryRow(t.Context(), []any{new(int)}, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func full(t *testing.T, path string, give func(db *DB, free bool)) {
	t.Helper()
	ctx := t.Context()
	var log logbook
	db, err := Open(ctx, "sqlite:"+path, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	thread := newThread(t, db)
	image := func(id string) error {
		return db.AddImage(ctx, thread.Key, &chat.Image{ID: id, Bytes: bytes.Repeat([]byte{1}, 100_000)}, 0)
	}
	if err := errors.Join(image("before"), db.Ready(ctx)); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		give(db, false)
		for name, do := range map[string]func(ctx context.Context) error{
			"add_image": func(context.Context) error { return image("full") },
			"post": func(ctx context.Context) error {
				for range 1000 { // until the page that has room is full too
					if _, err := db.Post(ctx, textPost(thread, strings.Repeat("a", 20_000))); err != nil {
						return err
					}
				}
				return nil
			},
		} {
			err := do(ctx)
			if chat.KindOf(err) != chat.Unavailable || !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: error is %v, want unavailable, the full disk and %s", name, err, path)
			}
		}
		for range 2 {
			if err := db.Ready(ctx); chat.KindOf(err) != chat.Unavailable || !errors.Is(err, ErrFull) {
				t.Errorf("ready is %v, want the full disk", err)
			}
		}
		if _, err := db.Image(ctx, thread.Key, "before"); err != nil {
			t.Errorf("a read: %v", err)
		}
		// Many writes at once fail each with the reason, and not with what became of the transaction.
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if err := image(fmt.Sprint(i)); !errors.Is(err, ErrFull) {
					t.Errorf("one of many: %v", err)
				}
			})
		}
		all.Wait()
		give(db, true)
		if err := db.Ready(ctx); err != nil {
			t.Errorf("with room, ready is %v", err)
		}
		if err := errors.Join(image(fmt.Sprint("after", round)), db.AddUser(ctx, auth.User{Identity: "8:acs:a"})); err != nil {
			t.Errorf("with room: %v", err)
		}
		lines := log.String()
		if n := strings.Count(lines, "the store cannot be written to"); n != round+1 || !strings.Contains(lines, path) {
			t.Errorf("it was logged %d times: %s", n, lines)
		}
		if n := strings.Count(lines, "written to again"); n != round+1 {
			t.Errorf("the end of it was logged %d times: %s", n, lines)
		}
	}
}

// logbook is a log that several may write to.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
