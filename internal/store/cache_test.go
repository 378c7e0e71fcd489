package store

import (
	"testing"

	"github.com/chatd/chatd/internal/chat"
)

// After Clear the store answers with what is in the database, however that was changed.
func TestClear(t *testing.T) {
	t.Parallel()
	db := openDB(t, "memory:")
	const who, id = chat.Identity("8:acs:a"), chat.ThreadID("19:a@thread.v2")
	c := &chat.Change{
		Thread: chat.Thread{ID: id, Topic: "old", Roster: 1, Present: 1, Seq: 1, LastID: 1, LastOn: 1}, Join: []chat.Participant{{Identity: who, Joined: 1}},
		Append: []chat.Message{{ID: 1, Seq: 1, Type: chat.Text, Content: chat.Content{Text: "old"}}},
		Events: []chat.Event{{Kind: chat.ThreadCreated, ThreadID: id, ActorName: "old"}, {Kind: chat.TypingReceived, ThreadID: id, ActorName: "old"}},
	}
	if _, err := db.Create(t.Context(), c, chat.Creation{Thread: c.Thread}); err != nil {
		t.Fatal(err)
	}
	look := func() (topic, text string, seen int64) {
		t.Helper()
		a, err := db.Recent(t.Context(), id, who)
		if err != nil {
			t.Fatal(err)
		}
		m, err := db.Messages(t.Context(), a.Thread.Key, chat.MessageQuery{Limit: 5, To: 1, Newest: 1})
		if err != nil || len(m) != 1 {
			t.Fatalf("messages are %v, %v", m, err)
		}
		if _, err := db.After(t.Context(), 0, 10); err != nil {
			t.Fatal(err)
		}
		return a.Thread.Topic, m[0].Content.Text, db.newest.Load()
	}
	look()
	for _, sql := range []string{"UPDATE threads SET topic = 'new'", "UPDATE messages SET content = 'new'", "DELETE FROM journal WHERE pos = 2"} {
		if err := db.write(t.Context(), "change", insert(sql)); err != nil {
			t.Fatal(err)
		}
	}
	if topic, text, seen := look(); topic != "old" || text != "old" || seen != 2 {
		t.Errorf("before Clear there are %s, %s and position %d: this test does not test it", topic, text, seen)
	}
	db.Clear()
	if topic, text, seen := look(); topic != "new" || text != "new" || seen != 1 {
		t.Errorf("after Clear there are %s, %s and position %d", topic, text, seen)
	}
	if db.pages.bytes <= 0 || len(db.pages.kept) != 1 {
		t.Errorf("%d pages of %d bytes are remembered", len(db.pages.kept), db.pages.bytes)
	}
}
