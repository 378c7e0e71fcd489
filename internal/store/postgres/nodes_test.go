package postgres_test

import (
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

// nodes opens one database as several nodes do.
func nodes(t *testing.T, n int) []*store.DB {
	t.Helper()
	url := emptyStore(t)
	out := make([]*store.DB, n)
	for i := range out {
		out[i] = open(t, url)
	}
	return out
}

// newThread makes a thread of one participant.
func newThread(t *testing.T, db *store.DB, id chat.ThreadID) chat.Thread {
	t.Helper()
	c := &chat.Change{Thread: chat.Thread{ID: id, Roster: 1, Present: 1}, Join: []chat.Participant{{Identity: alice, Joined: 1}}}
	if _, err := db.Create(t.Context(), c, chat.Creation{Thread: c.Thread}); err != nil {
		t.Fatal(err)
	}
	a, err := db.Access(t.Context(), id, alice)
	if err != nil {
		t.Fatal(err)
	}
	return a.Thread
}

// topic is a change under the lock that says something.
func topic(text string) func(v chat.View) (*chat.Change, error) {
	return func(v chat.View) (*chat.Change, error) {
		a, err := v.Access(alice)
		if err != nil {
			return nil, err
		}
		c := &chat.Change{Before: a.Thread, Thread: a.Thread}
		c.Thread.Seq++
		c.Thread.LastID++
		m := chat.Message{ID: c.Thread.LastID, Seq: c.Thread.Seq, Version: 1, Type: chat.Text, Content: chat.Content{Text: text}, Sender: alice}
		c.Append = []chat.Message{m}
		c.Events = []chat.Event{{Kind: chat.MessageReceived, ThreadID: a.Thread.ID, Key: a.Thread.Key, Roster: 1, Message: &m}}
		return c, nil
	}
}

// TestNodesWriteTogether lets several nodes write into a few threads, and follow the journal all the while: each of them
// receives all that was acknowledged, once and in the same order, and in each thread in the order of the messages.
func TestNodesWriteTogether(t *testing.T) {
	t.Parallel()
	const busy, writers, each = 3, 8, 25
	dbs := nodes(t, 3)
	var threads []chat.Thread
	for i := range busy {
		threads = append(threads, newThread(t, dbs[0], chat.ThreadID(fmt.Sprintf("19:thread%d@thread.v2", i))))
	}
	total := len(dbs) * writers * each
	received := make([][]chat.Event, len(dbs))
	var all sync.WaitGroup
	deadline := time.Now().Add(time.Minute)
	for n, db := range dbs {
		all.Go(func() {
			for position := chat.Position(0); len(received[n]) < total && !t.Failed(); {
				if time.Now().After(deadline) {
					t.Errorf("node %d received %d events, want %d", n, len(received[n]), total)
				}
				page, err := db.After(t.Context(), position, 7)
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range page {
					if e.Position <= position {
						t.Errorf("position %d follows on %d", e.Position, position)
					}
					position = e.Position
				}
				received[n] = append(received[n], page...)
			}
		})
		for w := range writers {
			all.Go(func() {
				for i := range each {
					thread, text := threads[(n+w+i)%busy], fmt.Sprint(n, " ", w, " ", i)
					var err error
					if i%3 == 0 {
						err = db.Update(t.Context(), thread.ID, topic(text))
					} else {
						_, err = db.Post(t.Context(), textPost(thread, text))
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	for n := range dbs[1:] {
		if diff := gocmp.Diff(received[0], received[n+1]); diff != "" {
			t.Errorf("node %d received something else than the first: %s", n+1, diff)
		}
	}
	texts := map[string]bool{}
	last := map[chat.ThreadID]chat.Message{}
	for _, e := range received[0] {
		before := last[e.ThreadID]
		if e.Message.Seq != before.Seq+1 || e.Message.ID <= before.ID {
			t.Errorf("%s: %d, sequence %d, follows on %d, sequence %d", e.ThreadID, e.Message.ID, e.Message.Seq, before.ID, before.Seq)
		}
		last[e.ThreadID] = *e.Message
		texts[e.Message.Content.Text] = true
	}
	if len(texts) != total {
		t.Errorf("%d different messages were received, want %d", len(texts), total)
	}
	for i, thread := range threads {
		got, err := dbs[i].Messages(t.Context(), thread.Key, chat.MessageQuery{Limit: 1 << 20})
		if err != nil || int64(len(got)) != last[thread.ID].Seq {
			t.Errorf("%s has %d messages, %v; want %d", thread.ID, len(got), err, last[thread.ID].Seq)
		}
	}
}

// What a node remembers of a thread is what the others made of it.
func TestNodesRememberTheSame(t *testing.T) {
	t.Parallel()
	dbs := nodes(t, 2)
	thread := newThread(t, dbs[0], "19:a@thread.v2")
	texts := func(db *store.DB) (out []string) {
		t.Helper()
		a, err := db.Access(t.Context(), thread.ID, alice)
		if err != nil {
			t.Fatal(err)
		}
		got, err := db.Messages(t.Context(), thread.Key, chat.MessageQuery{To: a.Thread.LastID, Limit: 10, Newest: a.Thread.LastID, Edited: a.Thread.Edited})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range got {
			out = append(out, m.Content.Text)
		}
		return out
	}
	var want []string
	for i := range 5 {
		m, err := dbs[i%2].Post(t.Context(), textPost(thread, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := dbs[i%2].Update(t.Context(), thread.ID, func(v chat.View) (*chat.Change, error) {
			a, err := v.Access(alice)
			if err != nil {
				return nil, err
			}
			for _, db := range dbs { // read what is about to change
				texts(db)
			}
			m.Content.Text, m.Version, m.EditedOn = fmt.Sprint(i, " edited"), m.Version+1, m.CreatedOn()+1
			return &chat.Change{Before: a.Thread, Thread: a.Thread, Replace: []chat.Message{m}}, nil
		}); err != nil {
			t.Fatal(err)
		}
		want = append([]string{fmt.Sprint(i, " edited")}, want...)
		for n, db := range dbs {
			if diff := gocmp.Diff(want, texts(db)); diff != "" {
				t.Errorf("node %d (-want +got):\n%s", n, diff)
			}
		}
	}
}

// A node is notified of what another wrote.
func TestNodesWakeEachOther(t *testing.T) {
	t.Parallel()
	dbs := nodes(t, 2)
	thread := newThread(t, dbs[0], "19:a@thread.v2")
	reader := dbs[1]
	changed, unwatch := reader.Watch()
	defer unwatch()
	deadline := time.After(30 * time.Second)
	for i := range 20 {
		if _, err := dbs[0].Post(t.Context(), textPost(thread, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		for {
			head, err := reader.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if head > chat.Position(i) { // positions begin with one
				break
			}
			select {
			case <-changed:
			case <-deadline:
				t.Fatalf("no token after post %d", i)
			}
		}
	}
}

// Behind a pooler of its own, or with polling alone, everything goes on but the wake-up.
func TestNodesThatOnlyPoll(t *testing.T) {
	t.Parallel()
	address := emptyStore(t)
	for name, o := range map[string]store.Options{
		"no listening": {Listen: store.NoListen}, "another address": {Listen: address}, "a dead address": {Listen: "postgres://127.0.0.1:1/none"},
	} {
		db, err := store.Open(t.Context(), address, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := db.Secret(t.Context(), "a"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := store.Open(t.Context(), address, store.Options{Listen: "postgres://u:secret%@h/"}); err == nil || len(err.Error()) > 200 {
		t.Errorf("an address that is none: %v", err)
	}
}

// A create that is repeated, at several nodes at once, makes one thread and is answered alike.
func TestNodesCreateOnce(t *testing.T) {
	t.Parallel()
	dbs := nodes(t, 3)
	for round := range 10 {
		var all sync.WaitGroup
		var mu sync.Mutex
		var answers []string
		for i := range 9 {
			all.Go(func() {
				c := &chat.Change{Thread: chat.Thread{ID: chat.ThreadID(fmt.Sprintf("19:%d@thread.v2", round)), Topic: fmt.Sprint(i), Roster: 1}}
				c.Events = []chat.Event{{Kind: chat.ThreadCreated, ThreadID: c.Thread.ID}}
				got, err := dbs[i%3].Create(t.Context(), c, chat.Creation{Thread: c.Thread})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				answers = append(answers, got.Thread.Topic)
			})
		}
		all.Wait()
		if len(slices.Compact(answers)) != 1 {
			t.Errorf("topics are %v", answers)
		}
		events, err := dbs[0].After(t.Context(), 0, 1000)
		if err != nil || len(events) != round+1 {
			t.Errorf("%d events, %v; want one for each thread: %d", len(events), err, round+1)
		}
	}
}

// All nodes read from the journal whose tokens are over.
func TestNodesReceiveRevocations(t *testing.T) {
	t.Parallel()
	dbs := nodes(t, 2)
	if err := dbs[0].AddUser(t.Context(), auth.User{Identity: alice, CreatedOn: 1}); err != nil {
		t.Fatal(err)
	}
	if err := dbs[0].RevokeUser(t.Context(), alice, 2000); err != nil {
		t.Fatal(err)
	}
	if err := dbs[0].DeleteUser(t.Context(), alice, 3000); err != nil {
		t.Fatal(err)
	}
	if err := dbs[0].DeleteUser(t.Context(), alice, 4000); chat.KindOf(err) != chat.NotFound {
		t.Errorf("deleting again: %v", err)
	}
	got, err := dbs[1].After(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []chat.Event{chat.EndOf(alice, 2000), chat.EndOf(alice, 3000)}
	for i := range got {
		got[i].Position = 0
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestNodesLease(t *testing.T) {
	t.Parallel()
	dbs := nodes(t, 3)
	take := func(name string, d time.Duration) (granted int) {
		var all sync.WaitGroup
		var mu sync.Mutex
		for _, db := range dbs {
			all.Go(func() {
				ok, err := db.Lease(t.Context(), name, d)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if ok {
					granted++
				}
			})
		}
		all.Wait()
		return granted
	}
	for _, c := range []struct {
		name string
		want int
	}{{"a", 1}, {"a", 0}, {"b", 1}, {"a", 0}} {
		if got := take(c.name, time.Hour); got != c.want {
			t.Errorf("lease %s was granted to %d nodes, want %d", c.name, got, c.want)
		}
	}
	if got := take("short", time.Millisecond); got == 0 {
		t.Error("the short lease is not granted")
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		if ok, err := dbs[0].Lease(t.Context(), "short", time.Hour); err != nil || ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a lease that ended is not granted again")
		}
	}
	alone := open(t, "memory:")
	for range 2 {
		if ok, err := alone.Lease(t.Context(), "a", time.Hour); err != nil || !ok {
			t.Errorf("a process alone: %v, %v", ok, err)
		}
	}
}

// withOption adds a parameter to the URL of a database.
func withOption(t *testing.T, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}
