package notify

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

// newStore opens a store with three users in it.
func newStore(t *testing.T) (*store.DB, *chat.Service) {
	t.Helper()
	db, err := store.Open(t.Context(), "memory:", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, id := range []chat.Identity{alice, bob, carol} {
		if err := db.AddUser(t.Context(), auth.User{Identity: id}); err != nil {
			t.Fatal(err)
		}
	}
	return db, chat.NewService(db, func() chat.Time { return chat.TimeOf(time.Now()) }, crand.Reader)
}

// newThread makes a thread of alice and bob.
func newThread(t *testing.T, service *chat.Service) chat.ThreadID {
	t.Helper()
	made, err := service.CreateThread(t.Context(), alice, chat.NewThread{Topic: "x", Participants: []chat.NewParticipant{{Identity: bob}}})
	if err != nil {
		t.Fatal(err)
	}
	return made.Thread.ID
}

// recordingSubscriber is somebody who subscribed at a position.
type recordingSubscriber struct {
	recorder
	user     chat.Identity
	position chat.Position
}

// lastMessage is a subscriber that waits for the message "last".
type lastMessage chan struct{}

func (l lastMessage) Offer(h Delivery) {
	if h.Message != nil && h.Message.Content.Text == "last" {
		close(l)
	}
}

func (l lastMessage) End(Reason) {}

// Whenever somebody subscribes while others write: the replay up to the position and what is offered after it are the
// journal, each event once and in order.
func TestReplayAndLive(t *testing.T) {
	t.Parallel()
	db, service := newStore(t)
	h, _ := run(t, db)
	ctx := t.Context()
	threads := []chat.ThreadID{newThread(t, service), newThread(t, service), newThread(t, service)}
	end := make(lastMessage)
	h.Subscribe(alice, end)

	var writers sync.WaitGroup
	subscribers := make([]*recordingSubscriber, 12)
	for i := range 4 {
		writers.Go(func() {
			for j := range 3 {
				write(t, service, threads, uint64(3*i+j))
				l := &recordingSubscriber{user: []chat.Identity{alice, bob}[j%2]}
				l.position, _ = h.Subscribe(l.user, l)
				subscribers[3*i+j] = l
			}
		})
	}
	writers.Wait()
	if _, err := service.SendMessage(ctx, alice, threads[0], chat.NewMessage{Content: "last"}); err != nil {
		t.Fatal(err)
	}
	<-end
	h.Position() // the last one has been handed to all others too

	events, err := db.After(ctx, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range subscribers {
		var got, want []chat.Position
		missed, err := h.Replay(ctx, l.user, 0, l.position, func(heard Delivery) { got = append(got, heard.Position) })
		if missed || err != nil {
			t.Errorf("replay: missed %t, error %v", missed, err)
		}
		for _, heard := range l.deliveries {
			got = append(got, heard.Position)
		}
		for j := range events {
			if visible(ctx, t, db, &events[j], l.user) {
				want = append(want, events[j].Position)
			}
		}
		equal(t, fmt.Sprintf("events of subscriber %d, who came at %d", i, l.position), want, got)
	}
}

// write does things of many kinds in the threads, among them what changes who hears the next ones.
func write(t *testing.T, service *chat.Service, threads []chat.ThreadID, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	for range 10 {
		ctx, id := t.Context(), threads[r.IntN(len(threads))]
		var err error
		switch r.IntN(5) {
		case 0:
			err = service.RemoveParticipant(ctx, alice, id, bob)
		case 1:
			_, err = service.AddParticipants(ctx, alice, id, []chat.NewParticipant{{Identity: bob}, {Identity: carol}})
		case 2:
			err = service.SendTyping(ctx, alice, id, "")
		default:
			_, err = service.SendMessage(ctx, alice, id, chat.NewMessage{Content: "x"})
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func visible(ctx context.Context, t *testing.T, db *store.DB, e *chat.Event, who chat.Identity) bool {
	audience, err := db.Audience(ctx, e.Key, e.Roster)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(audience, func(p chat.Participant) bool { return p.Identity == who && e.VisibleTo(&p) })
}

// A replay ends where it was asked to, skips what is hidden from the user, and tells when the journal begins too late.
func TestReplay(t *testing.T) {
	t.Parallel()
	db, service := newStore(t)
	ctx := t.Context()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	made, err := service.CreateThread(ctx, alice, chat.NewThread{Topic: "x"})
	must(err)
	id := made.Thread.ID
	m, err := service.SendMessage(ctx, alice, id, chat.NewMessage{Type: chat.Text, Content: "x"})
	must(err)
	// The history of bob begins with joining, so that he does not hear of the edit.
	_, err = service.AddParticipants(ctx, alice, id, []chat.NewParticipant{{Identity: bob, ShareFrom: chat.TimeOf(time.Now().Add(time.Hour))}})
	must(err)
	text := "edited"
	must(service.UpdateMessage(ctx, alice, id, m.ID, chat.MessageUpdate{Content: &text}))
	h, _ := run(t, db)
	replay := func(who chat.Identity, from, to chat.Position) (got []chat.Position, missed bool) {
		missed, err := h.Replay(ctx, who, from, to, func(h Delivery) { got = append(got, h.Position) })
		if err != nil {
			t.Fatal(err)
		}
		return got, missed
	}
	for name, c := range map[string]struct {
		who      chat.Identity
		from, to chat.Position
		want     []chat.Position
	}{
		"all":           {alice, 0, 4, []chat.Position{1, 2, 3, 4}},
		"part":          {alice, 1, 3, []chat.Position{2, 3}},
		"nothing":       {alice, 2, 2, nil},
		"beyond":        {alice, 3, 99, []chat.Position{4}},
		"hidden ones":   {bob, 0, 4, []chat.Position{3}},
		"not concerned": {carol, 0, 4, nil},
	} {
		if got, missed := replay(c.who, c.from, c.to); !slices.Equal(got, c.want) || missed {
			t.Errorf("%s: positions %v, missed %t, want %v", name, got, missed, c.want)
		}
	}
	if err := db.Purge(ctx, chat.TimeOf(time.Now().Add(time.Hour))); err != nil { // the newest event stays
		t.Fatal(err)
	}
	for from, want := range map[chat.Position]bool{0: true, 2: true, 3: false, 4: false} {
		if got, missed := replay(alice, from, 4); missed != want || from < 4 && !slices.Equal(got, []chat.Position{4}) {
			t.Errorf("behind %d: positions %v, missed %t", from, got, missed)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := h.Replay(cancelled, alice, 0, 4, func(Delivery) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("replay in an ended context: %v", err)
	}
}
