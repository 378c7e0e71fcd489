package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/pgtest"
)

// A purge leaves nothing of a thread in any table that has its key, also in tables that migrations add. The journal goes
// by the time of its events.
func TestPurgeClearsAllTables(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), "memory:", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	const who, id = chat.Identity("8:acs:a"), chat.ThreadID("19:a@thread.v2")
	c := &chat.Change{
		Thread: chat.Thread{ID: id, Roster: 1, Present: 1, Seq: 1, LastID: 1},
		Join:   []chat.Participant{{Identity: who, Joined: 1}}, Append: []chat.Message{{ID: 1, Seq: 1, Type: chat.Text}},
	}
	if _, err := db.Create(t.Context(), c, chat.Creation{Thread: c.Thread}); err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), id, func(v chat.View) (*chat.Change, error) {
		a, err := v.Access(who)
		c := &chat.Change{Before: a.Thread, Thread: a.Thread, Receipt: &chat.ReadReceipt{Reader: who, MessageID: 1}}
		return c, err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), id, func(v chat.View) (*chat.Change, error) { // what the one who leaves still reads
		a, err := v.Access(who)
		c := &chat.Change{Before: a.Thread, Thread: a.Thread, Leave: []chat.Participant{{Identity: who, Joined: 1, Left: 2, Until: 1}}}
		c.Thread.Roster = 2
		return c, err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), id, func(v chat.View) (*chat.Change, error) {
		a, err := v.Access("")
		return &chat.Change{Before: a.Thread, Thread: a.Thread, Replace: []chat.Message{{ID: 1, Seq: 1, Type: chat.Text, Version: 2}}}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.AddImage(t.Context(), 1, &chat.Image{ID: "a", Bytes: []byte("a")}, 0); err != nil {
		t.Fatal(err)
	}
	var keyed []string
	for _, table := range tables(t, db.engine.Read()) {
		var n int
		if err := db.engine.Read().QueryRow(t.Context(), []any{&n}, "SELECT count(*) FROM pragma_table_info($1) WHERE name = 'tk'", table); err != nil {
			t.Fatal(err)
		}
		if n > 0 && table != "journal" {
			keyed = append(keyed, table)
		}
	}
	rows := func(table string) (n int) {
		if err := db.engine.Read().QueryRow(t.Context(), []any{&n}, fmt.Sprintf("SELECT count(*) FROM %s WHERE tk = 1", table)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, table := range keyed {
		if rows(table) == 0 {
			t.Errorf("%s has nothing of the thread before: this test does not test it", table)
		}
	}
	err = db.Update(t.Context(), id, func(v chat.View) (*chat.Change, error) {
		a, err := v.Access(who)
		c := &chat.Change{Before: a.Thread, Thread: a.Thread}
		c.Thread.DeletedOn = 1
		return c, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Purge(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	for _, table := range keyed {
		if n := rows(table); n > 0 {
			t.Errorf("%s keeps %d rows of the thread", table, n)
		}
	}
}

// A purge of more rows than one transaction removes.
func TestPurgeInSlices(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() *DB{
		"SQLite": func() *DB { return openDB(t, "memory:") }, "Postgres": func() *DB { return openDB(t, pgtest.Database(t, nil)) },
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
