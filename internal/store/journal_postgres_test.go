package store

import (
	"errors"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// openNode opens a store on an empty database.
func openNode(t *testing.T, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), url, Options{Listen: NoListen})
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

func positionsOf(t *testing.T, db *DB) (names string, head chat.Position) {
	t.Helper()
	events, err := db.After(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		names += e.ActorName
	}
	if head, err = db.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	return names, head
}

// A transaction that has its position and has not ended keeps readers from passing by: what is committed after it is read
// after it, or without it when it fails.
func TestJournalWaitsForThoseUnderWay(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"which commits": false, "which fails": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Database(t, nil)
			slow, other := openNode(t, url), openNode(t, url)
			note := func(db *DB, name string) {
				if err := db.Note(t.Context(), chat.Event{Kind: chat.TypingReceived, ActorName: name}); err != nil {
					t.Error(err)
				}
			}
			note(other, "a")
			written, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
			refused := errors.New("refused")
			go func() {
				defer close(ended)
				err := slow.engine.Write(t.Context(), func(c sqldb.Tx) error {
					if err := insertEvents(t.Context(), c, 0, []chat.Event{{ActorName: "b"}, {ActorName: "c"}}); err != nil {
						return err
					}
					var n int
					if err := c.QueryRow(t.Context(), []any{&n}, "SELECT count(*) FROM journal"); err != nil {
						return err
					}
					close(written)
					<-goOn
					if fails {
						return refused
					}
					return nil
				})
				if (err != nil) != fails {
					t.Error(err)
				}
			}()
			<-written
			note(other, "d")
			if names, head := positionsOf(t, other); names != "a" || head != 1 {
				t.Errorf("while it is under way %q are read up to %d, want a and 1", names, head)
			}
			close(goOn)
			<-ended
			want := "abcd"
			if fails {
				want = "ad"
			}
			if names, head := positionsOf(t, other); names != want || head != 4 {
				t.Errorf("after it %q are read up to %d, want %s and 4", names, head, want)
			}
		})
	}
}

// What was read once is read again: a transaction may announce itself late, with the position of some time ago.
func TestJournalNeverGoesBack(t *testing.T) {
	t.Parallel()
	db := openNode(t, pgtest.Database(t, nil))
	for _, name := range []string{"a", "b", "c"} {
		if err := db.Note(t.Context(), chat.Event{Kind: chat.TypingReceived, ActorName: name}); err != nil {
			t.Fatal(err)
		}
	}
	if names, head := positionsOf(t, db); names != "abc" || head != 3 {
		t.Fatalf("%q are read up to %d", names, head)
	}
	err := db.engine.Write(t.Context(), func(c sqldb.Tx) error {
		if _, err := c.Exec(t.Context(), "SELECT pg_advisory_xact_lock_shared((25444::bigint << 48) | 1)"); err != nil {
			return err
		}
		if names, head := positionsOf(t, db); names != "abc" || head != 3 {
			t.Errorf("while a late one is under way %q are read up to %d", names, head)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// The other locks of a database, and those of other databases, hold nobody up.
func TestJournalMindsNoOtherLocks(t *testing.T) {
	t.Parallel()
	db, elsewhere := openNode(t, pgtest.Database(t, nil)), openNode(t, pgtest.Database(t, nil))
	for _, d := range []*DB{db, elsewhere} {
		if err := d.Note(t.Context(), chat.Event{Kind: chat.TypingReceived, ActorName: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	locked := make(chan struct{})
	goOn := make(chan struct{})
	ended := make(chan error, 2)
	hold := func(d *DB, sql string) {
		ended <- d.engine.Write(t.Context(), func(c sqldb.Tx) error {
			_, err := c.Exec(t.Context(), sql)
			locked <- struct{}{}
			<-goOn
			return err
		})
	}
	go hold(db, "SELECT pg_advisory_xact_lock(1), pg_advisory_xact_lock(25444, 1), pg_advisory_xact_lock(1::bigint << 48)")
	go hold(elsewhere, announcePositions)
	<-locked
	<-locked
	if names, head := positionsOf(t, db); names != "a" || head != 1 {
		t.Errorf("%q are read up to %d, want a and 1", names, head)
	}
	close(goOn)
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// A purge of more rows than one transaction removes.
func TestPurgeInSlices(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() *DB{
		"SQLite": func() *DB { return openNode(t, "memory:") }, "Postgres": func() *DB { return openNode(t, pgtest.Database(t, nil)) },
	} {
		db := open()
		const rows = 2*purgeSlice + 10
		c := &chat.Change{Thread: chat.Thread{ID: "19:a@thread.v2", Seq: rows, Roster: 1}}
		for i := range rows {
			c.Append = append(c.Append, chat.Message{ID: chat.MessageID(i + 1), Seq: int64(i + 1), Type: chat.Text})
			c.Events = append(c.Events, chat.Event{Kind: chat.TypingReceived, At: chat.Time(i)})
		}
		start := time.Now()
		if _, err := db.Create(t.Context(), c, chat.Creation{Thread: c.Thread}); err != nil {
			t.Fatal(name, err)
		}
		t.Log(name, "made in", time.Since(start))
		err := db.Update(t.Context(), c.Thread.ID, func(v chat.View) (*chat.Change, error) {
			a, err := v.Access("")
			c := &chat.Change{Before: a.Thread, Thread: a.Thread}
			c.Thread.DeletedOn = 1
			return c, err
		})
		if err != nil {
			t.Fatal(name, err)
		}
		if err := db.Purge(t.Context(), rows-5); err != nil {
			t.Fatal(name, err)
		}
		var messages int
		if err := db.engine.Read().QueryRow(t.Context(), []any{&messages}, "SELECT count(*) FROM messages"); err != nil || messages != 0 {
			t.Errorf("%s: %d messages are left, %v", name, messages, err)
		}
		events, err := db.After(t.Context(), 0, rows)
		if err != nil || len(events) != 5 {
			t.Errorf("%s: %d events are left, want 5 (%v)", name, len(events), err)
		}
	}
}
