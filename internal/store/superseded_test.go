package store

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/chatd/chatd/internal/chat"
)

// Versions are kept for those alone who left and can read them, one for all edits between two removals.
func TestSupersededOnlyForReaders(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), "memory:", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	now := chat.Time(1_700_000_000_000)
	s := chat.NewService(db, func() chat.Time { now += 10; return now }, rand.Reader)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	who := func(n int) chat.Identity {
		return chat.Identity(fmt.Sprintf("8:acs:46849534-eb08-4ab7-bde7-c36928cd1547_00000020-0000-0000-0000-%012x", n))
	}
	alice, bob, carol, dan := who(1), who(2), who(3), who(4)
	for _, id := range []chat.Identity{alice, bob, carol, dan} {
		must(db.write(t.Context(), "user", insert("INSERT INTO users (id, created_on) VALUES ($1, 0)", string(id))))
	}
	c, err := s.CreateThread(t.Context(), alice, chat.NewThread{Topic: "lunch", Participants: []chat.NewParticipant{{Identity: bob}, {Identity: carol}}})
	must(err)
	id := c.Thread.ID
	send := func() chat.MessageID {
		m, err := s.SendMessage(t.Context(), alice, id, chat.NewMessage{Content: "hello"})
		must(err)
		return m.ID
	}
	first := send()
	expect := func(when string, m chat.MessageID, want int) {
		t.Helper()
		for n := range 5 {
			text := fmt.Sprint(when, n)
			must(s.UpdateMessage(t.Context(), alice, id, m, chat.MessageUpdate{Content: &text}))
		}
		var got int
		must(db.engine.Read().QueryRow(t.Context(), []any{&got}, "SELECT count(*) FROM superseded WHERE id = $1", int64(m)))
		if got != want {
			t.Errorf("%s: %d versions are kept, want %d", when, got, want)
		}
	}
	add := func(p chat.NewParticipant) {
		_, err := s.AddParticipants(t.Context(), alice, id, []chat.NewParticipant{p})
		must(err)
	}
	remove := func(p chat.Identity) { must(s.RemoveParticipant(t.Context(), alice, id, p)) }

	expect("all are there", first, 0)
	remove(bob)
	expect("one left", first, 1)
	expect("a message that nobody who left has seen", send(), 0)
	add(chat.NewParticipant{Identity: dan, ShareFrom: now})
	remove(dan)
	expect("one left who did not see it", first, 1)
	remove(carol)
	expect("another left", first, 2)
	second := send()
	add(chat.NewParticipant{Identity: bob})
	remove(bob)
	add(chat.NewParticipant{Identity: bob})
	expect("one left and is back", second, 0)
}
