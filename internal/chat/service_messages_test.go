package chat_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
)

func TestUnknownMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.user(1), b.user(2)
	thread := b.thread(alice)
	hidden := b.say(alice, thread, "hello")
	_, err := b.AddParticipants(t.Context(), alice, thread, []chat.NewParticipant{{Identity: bob, ShareFrom: b.now + 1}})
	b.must(err)
	text := "good bye"
	for what, id := range map[string]chat.MessageID{"unknown": hidden.ID + 1, "hidden": hidden.ID} {
		_, get := b.GetMessage(t.Context(), bob, thread, id)
		for op, err := range map[string]error{
			"get": get, "read": b.SendReadReceipt(t.Context(), bob, thread, id),
			"edit":   b.UpdateMessage(t.Context(), bob, thread, id, chat.MessageUpdate{Content: &text}),
			"delete": b.DeleteMessage(t.Context(), bob, thread, id),
		} {
			var e *chat.Error
			if !errors.As(err, &e) || e.Kind != chat.NotFound || e.Message != "" {
				t.Errorf("%s a message that is %s: %v, want not found and no text", op, what, err)
			}
		}
	}
}

// What somebody sees who was there from the first message to their removal, and again from a share time.
func TestHistoryOfStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	alice, bob := b.user(1), b.user(2)
	thread := b.thread(alice, bob)
	list := func() []int64 {
		got, err := b.ListMessages(ctx, bob, thread, 0, 0, 100)
		b.must(err)
		var seqs []int64
		for _, m := range got {
			seqs = append(seqs, m.Seq)
		}
		return seqs
	}
	expect := func(when string, want ...int64) {
		t.Helper()
		if diff := cmp.Diff(want, list()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	b.say(alice, thread, "3")
	expect("present", 3, 2, 1)
	b.must(b.RemoveParticipant(ctx, alice, thread, bob)) // 4
	b.say(alice, thread, "5")
	expect("removed", 4, 3, 2, 1)
	back := b.say(alice, thread, "6")
	_, err := b.AddParticipants(ctx, alice, thread, []chat.NewParticipant{{Identity: bob, ShareFrom: back.CreatedOn()}}) // 7
	b.must(err)
	b.say(alice, thread, "8")
	expect("back, from the sixth message on", 8, 7, 6)
	b.must(b.RemoveParticipant(ctx, bob, thread, bob)) // 9
	b.say(alice, thread, "10")
	expect("gone again", 9, 8, 7, 6)
	if _, err := b.GetMessage(ctx, bob, thread, back.ID-1); chat.KindOf(err) != chat.NotFound {
		t.Errorf("a message before the share time: %v, want not found", err)
	}
}

// removing is a store in which somebody is removed, and something is said, while a read is under way.
type removing struct {
	chat.Store
	meanwhile func()
}

func (s removing) Messages(ctx context.Context, thread chat.ThreadKey, q chat.MessageQuery) ([]chat.Message, error) {
	s.meanwhile()
	return s.Store.Messages(ctx, thread, q)
}

func (s removing) Message(ctx context.Context, thread chat.ThreadKey, id chat.MessageID) (*chat.Message, error) {
	s.meanwhile()
	return s.Store.Message(ctx, thread, id)
}

func TestRemovedWhileReading(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	alice, bob := b.user(1), b.user(2)
	thread := b.thread(alice, bob)
	next := chat.MessageID(b.now + 2000) // bob knows well when alice speaks
	s := chat.NewService(removing{b.store, func() {
		b.must(b.RemoveParticipant(ctx, alice, thread, bob))
		if m := b.say(alice, thread, "not for bob"); m.ID != next {
			t.Errorf("message %d, want %d", m.ID, next)
		}
	}}, b.tick, rand.Reader)
	if m, err := s.GetMessage(ctx, bob, thread, next); chat.KindOf(err) != chat.NotFound {
		t.Errorf("a message after the removal is read: %+v, %v", m, err)
	}

	_, err := b.AddParticipants(ctx, alice, thread, []chat.NewParticipant{{Identity: bob}})
	b.must(err)
	next = chat.MessageID(b.now + 2000)
	got, err := s.ListMessages(ctx, bob, thread, 0, 0, 100)
	b.must(err)
	for _, m := range got {
		if m.ID >= next {
			t.Errorf("a message after the removal is listed: %+v", m)
		}
	}
	if len(got) == 0 {
		t.Error("nothing is listed")
	}
}

// Above twenty participants there are neither receipts nor typing, and no complaint (concepts page of ACS Chat).
func TestCrowd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	alice, bob := b.user(1), b.user(2)
	var others []chat.Identity
	for i := range 19 {
		others = append(others, b.user(100+i))
	}
	thread := b.thread(alice, others...)
	m := b.say(alice, thread, "hello")
	head := func() chat.Position {
		events, err := b.store.After(ctx, 0, 1000)
		b.must(err)
		return events[len(events)-1].Position
	}
	receipts := func() int {
		got, _, err := b.ListReadReceipts(ctx, alice, thread, chat.PageQuery{Limit: 100})
		b.must(err)
		return len(got)
	}
	b.must(b.SendReadReceipt(ctx, alice, thread, m.ID))
	if n := receipts(); n != 1 {
		t.Errorf("%d receipts among twenty, want 1", n)
	}
	_, err := b.AddParticipants(ctx, alice, thread, []chat.NewParticipant{{Identity: bob}})
	b.must(err)
	before := head()
	b.must(b.SendReadReceipt(ctx, bob, thread, m.ID))
	b.must(b.SendTyping(ctx, bob, thread, ""))
	if after := head(); after != before {
		t.Errorf("the journal moved from %d to %d", before, after)
	}
	if n := receipts(); n != 0 {
		t.Errorf("%d receipts among twenty-one, want none", n)
	}
}

// staleStore lets posts fail as stale a number of times.
type staleStore struct {
	chat.Store // nil: only what is below may be called
	t          *testing.T
	stale      int
	thread     chat.Thread
	onStale    func()
}

func (s *staleStore) Access(context.Context, chat.ThreadID, chat.Identity) (chat.Access, error) {
	return chat.Access{Thread: s.thread, Stay: &chat.Participant{Joined: 1}}, nil
}

func (s *staleStore) Recent(ctx context.Context, id chat.ThreadID, user chat.Identity) (chat.Access, error) {
	return s.Access(ctx, id, user)
}

func (s *staleStore) Post(_ context.Context, p *chat.Post) (chat.Message, error) {
	if p.Thread.Roster != s.thread.Roster {
		s.t.Errorf("posted on roster %d, want a decision on the present one, %d", p.Thread.Roster, s.thread.Roster)
	}
	if s.stale > 0 {
		s.stale--
		s.thread.Roster++
		s.onStale()
		return chat.Message{}, chat.ErrStale
	}
	m, _ := p.Place(1, 1)
	return m, nil
}

func TestSendDecidesAgainWhenStale(t *testing.T) {
	t.Parallel()
	fake := &staleStore{t: t, stale: 3, thread: chat.Thread{Roster: 1}, onStale: func() {}}
	s := chat.NewService(fake, func() chat.Time { return 1 }, rand.Reader)
	m, err := s.SendMessage(t.Context(), "8:acs:a", "19:a@thread.v2", chat.NewMessage{Content: "hello"})
	if err != nil || m.Content.Text != "hello" || fake.stale != 0 {
		t.Errorf("after three stale decisions: %+v, %v", m, err)
	}
}

// A thread whose roster changes all the time costs a send some tries with pauses between them, and then an answer.
func TestSendGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tries = 10
		fake := &staleStore{t: t, stale: 1 << 30, thread: chat.Thread{Roster: 1}, onStale: func() {}}
		s := chat.NewService(fake, func() chat.Time { return 1 }, rand.Reader)
		start := time.Now()
		_, err := s.SendMessage(t.Context(), "8:acs:a", "19:a@thread.v2", chat.NewMessage{Content: "hello"})
		if chat.KindOf(err) != chat.Unavailable {
			t.Errorf("error is %v, want one that says to try again", err)
		}
		if made := 1<<30 - fake.stale; made != 1+tries { // the first by what was remembered
			t.Errorf("it was tried %d times, want %d", made, 1+tries)
		}
		if took := time.Since(start); took < time.Millisecond || took > time.Second {
			t.Errorf("it took %s, want pauses that add up to less than a second", took)
		}
	})
}

func TestSendGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	fake := &staleStore{t: t, stale: 1 << 30, thread: chat.Thread{Roster: 1}, onStale: cancel}
	s := chat.NewService(fake, func() chat.Time { return 1 }, rand.Reader)
	_, err := s.SendMessage(ctx, "8:acs:a", "19:a@thread.v2", chat.NewMessage{Content: "hello"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want the context's", err)
	}
}
