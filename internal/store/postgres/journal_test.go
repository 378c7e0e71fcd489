package postgres_test

import (
	"errors"
	"testing"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/postgres"
	"github.com/chatd/chatd/internal/store/sqldb"
)

func positionsOf(t *testing.T, db *store.DB) (names string, head chat.Position) {
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

// insertEvent is the SQL for an event by an actor of that name.
func insertEvent(name string) string {
	return "INSERT INTO journal (tk, thread_id, roster, kind, at, version, actor, actor_name, message_id, seq, body) VALUES (0, '', 0, '', 0, 0, '', '" +
		name + "', 0, 0, '{}')"
}

// Readers wait for a transaction that has a position and has not ended: what is committed meanwhile is read after it, or without it
// when it fails.
func TestJournalWaitsForThoseUnderWay(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"which commits": false, "which fails": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Database(t, nil)
			other, slow := openNode(t, url), openEngine(t, url)
			note := func(db *store.DB, name string) {
				if err := db.Note(t.Context(), chat.Event{Kind: chat.TypingReceived, ActorName: name}); err != nil {
					t.Error(err)
				}
			}
			note(other, "a")
			written, resume, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
			refused := errors.New("refused")
			go func() {
				defer close(ended)
				err := slow.Write(t.Context(), func(c sqldb.Tx) error {
					for _, sql := range []string{slow.Read().Dialect().AnnouncePosition, insertEvent("b"), insertEvent("c")} {
						if err := c.Queue(t.Context(), sql); err != nil {
							return err
						}
					}
					var n int
					if err := c.QueryRow(t.Context(), []any{&n}, "SELECT count(*) FROM journal"); err != nil {
						return err
					}
					close(written)
					<-resume
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
			close(resume)
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
	url := pgtest.Database(t, nil)
	db := openNode(t, url)
	for _, name := range []string{"a", "b", "c"} {
		if err := db.Note(t.Context(), chat.Event{Kind: chat.TypingReceived, ActorName: name}); err != nil {
			t.Fatal(err)
		}
	}
	if names, head := positionsOf(t, db); names != "abc" || head != 3 {
		t.Fatalf("%q are read up to %d", names, head)
	}
	err := openEngine(t, url).Write(t.Context(), func(c sqldb.Tx) error {
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

// Other locks of the database, and those of other databases, do not matter.
func TestJournalIgnoresOtherLocks(t *testing.T) {
	t.Parallel()
	here, there := pgtest.Database(t, nil), pgtest.Database(t, nil)
	db, elsewhere := openNode(t, here), openNode(t, there)
	for _, d := range []*store.DB{db, elsewhere} {
		if err := d.Note(t.Context(), chat.Event{Kind: chat.TypingReceived, ActorName: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	locked := make(chan struct{})
	resume := make(chan struct{})
	ended := make(chan error, 2)
	hold := func(url, sql string) {
		ended <- openEngine(t, url).Write(t.Context(), func(c sqldb.Tx) error {
			_, err := c.Exec(t.Context(), sql)
			locked <- struct{}{}
			<-resume
			return err
		})
	}
	go hold(here, "SELECT pg_advisory_xact_lock(1), pg_advisory_xact_lock(25444, 1), pg_advisory_xact_lock(1::bigint << 48)")
	go hold(there, postgres.AnnouncePosition)
	<-locked
	<-locked
	if names, head := positionsOf(t, db); names != "a" || head != 1 {
		t.Errorf("%q are read up to %d, want a and 1", names, head)
	}
	close(resume)
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
