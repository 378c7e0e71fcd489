package setup

import (
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
)

const creator = chat.Identity("8:acs:" + resource + "_00000020-0000-0000-0000-000000000001")

// TestGrowSQLite and TestGrowPostgres hold the statements that multiply messages against the schema of chatd.
func TestGrowSQLite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chatd.db")
	testGrow(t, "sqlite:"+path, func() error { return GrowSQLite(path)(t.Context(), 2*growStep) })
}

func TestGrowPostgres(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t, nil)
	testGrow(t, url, func() error { return execute(t.Context(), url, growth(2*growStep)...) })
}

func testGrow(t *testing.T, url string, grow func() error) {
	t.Helper()
	open := func() *store.DB {
		db, err := store.Open(t.Context(), url, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	now := func() chat.Time { return chat.TimeOf(time.Now()) }
	db := open()
	made, err := chat.NewService(db, now, rand.Reader).CreateThread(t.Context(), creator, chat.NewThread{Topic: "growth"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := chat.NewService(db, now, rand.Reader).SendMessage(t.Context(), creator, made.Thread.ID, chat.NewMessage{Type: chat.Text, Content: "Hello"})
	if err != nil {
		t.Fatal(err)
	}
	head, err := db.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := grow(); err != nil {
		t.Fatal(err)
	}
	db = open()
	defer db.Close() //nolint:errcheck // nothing is to be kept
	service := chat.NewService(db, now, rand.Reader)
	got, err := service.ListMessages(t.Context(), creator, made.Thread.ID, 0, 0, 3*growStep)
	if err != nil || len(got) < 2*growStep+1 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	newest := got[0]
	if newest.ID != first.ID+2*growStep || newest.Seq != first.Seq+2*growStep || newest.Content.Text != "Hello" {
		t.Errorf("newest is %+v, first was %+v", newest, first)
	}
	if m, err := service.SendMessage(t.Context(), creator, made.Thread.ID, chat.NewMessage{Type: chat.Text, Content: "Next"}); err != nil || m.Seq != newest.Seq+1 || m.ID <= newest.ID {
		t.Errorf("next is %+v, %v", m, err)
	}
	if now, err := db.Head(t.Context()); err != nil || now != head+2*growStep+1 {
		t.Errorf("journal went from %d to %d, %v", head, now, err)
	}
}
