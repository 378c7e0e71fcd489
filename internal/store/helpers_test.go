package store

import (
	"testing"

	"github.com/chatd/chatd/internal/chat"
)

// openDB opens a store that the test closes.
func openDB(t *testing.T, url string) *DB {
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

// newThread makes a thread without participants.
func newThread(t *testing.T, db *DB) chat.Thread {
	t.Helper()
	c := &chat.Change{Thread: chat.Thread{ID: "19:a@thread.v2", Roster: 1}}
	if _, err := db.Create(t.Context(), c, chat.Creation{Thread: c.Thread}); err != nil {
		t.Fatal(err)
	}
	a, err := db.Access(t.Context(), c.Thread.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	return a.Thread
}

func textPost(t chat.Thread, text string) *chat.Post {
	return &chat.Post{Thread: t, At: 1, Message: chat.Message{Type: chat.Text, Content: chat.Content{Text: text}, Sender: "8:acs:a"}}
}
