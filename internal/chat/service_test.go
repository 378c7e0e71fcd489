package chat_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

// bundle is a service on a store of its own, at a time that moves by a second with each look at it.
type bundle struct {
	*chat.Service
	t     *testing.T
	store *store.DB
	mu    sync.Mutex
	now   chat.Time
}

func setup(t *testing.T) *bundle {
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
	b := &bundle{t: t, store: db, now: 1_700_000_000_000}
	b.Service = chat.NewService(db, b.tick, rand.Reader)
	return b
}

func (b *bundle) tick() chat.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now += 1000
	return b.now
}

// user makes the n-th user.
func (b *bundle) user(n int) chat.Identity {
	b.t.Helper()
	id := chat.Identity(fmt.Sprintf("8:acs:46849534-eb08-4ab7-bde7-c36928cd1547_00000020-0000-0000-0000-%012x", n))
	if err := b.store.AddUser(b.t.Context(), auth.User{Identity: id, CreatedOn: b.now}); err != nil {
		b.t.Fatal(err)
	}
	return id
}

// thread makes a thread of the creator with others.
func (b *bundle) thread(creator chat.Identity, others ...chat.Identity) chat.ThreadID {
	b.t.Helper()
	in := chat.NewThread{Topic: "lunch"}
	for _, id := range others {
		in.Participants = append(in.Participants, chat.NewParticipant{Identity: id})
	}
	c, err := b.CreateThread(b.t.Context(), creator, in)
	if err != nil {
		b.t.Fatal(err)
	}
	return c.Thread.ID
}

func (b *bundle) say(who chat.Identity, thread chat.ThreadID, text string) chat.Message {
	b.t.Helper()
	m, err := b.SendMessage(b.t.Context(), who, thread, chat.NewMessage{Content: text})
	if err != nil {
		b.t.Fatal(err)
	}
	return m
}

func (b *bundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// call is an operation on its way: on a message and an image of the actor's own, and about somebody else.
type call struct {
	*chat.Service
	ctx    context.Context
	actor  chat.Identity
	thread chat.ThreadID
	own    chat.MessageID
	image  string
	other  chat.Identity
}

// operations are all that somebody can do to a thread; those that only read its history are open to whoever took part.
var operations = []struct {
	name    string
	reading bool
	do      func(c call) error
}{
	{"get thread", true, func(c call) error {
		_, err := c.GetThread(c.ctx, c.actor, c.thread)
		return err
	}},
	{"update thread", false, func(c call) error {
		return c.UpdateThread(c.ctx, c.actor, c.thread, chat.ThreadUpdate{Metadata: map[string]string{"k": "v"}})
	}},
	{"delete thread", false, func(c call) error { return c.DeleteThread(c.ctx, c.actor, c.thread) }},
	{"send message", false, func(c call) error {
		_, err := c.SendMessage(c.ctx, c.actor, c.thread, chat.NewMessage{Content: "hello"})
		return err
	}},
	{"list messages", true, func(c call) error {
		_, err := c.ListMessages(c.ctx, c.actor, c.thread, 0, 0, 10)
		return err
	}},
	{"get message", true, func(c call) error {
		_, err := c.GetMessage(c.ctx, c.actor, c.thread, c.own)
		return err
	}},
	{"update message", false, func(c call) error {
		return c.UpdateMessage(c.ctx, c.actor, c.thread, c.own, chat.MessageUpdate{Metadata: map[string]string{"k": "v"}})
	}},
	{"delete message", false, func(c call) error { return c.DeleteMessage(c.ctx, c.actor, c.thread, c.own) }},
	{"add participants", false, func(c call) error {
		_, err := c.AddParticipants(c.ctx, c.actor, c.thread, []chat.NewParticipant{{Identity: c.other}})
		return err
	}},
	{"list participants", false, func(c call) error {
		_, _, err := c.ListParticipants(c.ctx, c.actor, c.thread, chat.PageQuery{Limit: 10})
		return err
	}},
	{"remove participant", false, func(c call) error { return c.RemoveParticipant(c.ctx, c.actor, c.thread, c.other) }},
	{"update participant", false, func(c call) error {
		return c.UpdateParticipant(c.ctx, c.actor, c.thread, chat.ParticipantUpdate{Identity: c.actor, Roles: []string{"a"}})
	}},
	{"upload image", false, func(c call) error {
		_, err := c.UploadImage(c.ctx, c.actor, c.thread, chat.NewImage{Name: "a.gif", Type: "image/gif", Bytes: []byte("GIF89a")})
		return err
	}},
	{"get image", true, func(c call) error {
		_, err := c.GetImage(c.ctx, c.actor, c.thread, c.image)
		return err
	}},
	{"delete image", false, func(c call) error { return c.DeleteImage(c.ctx, c.actor, c.thread, c.image) }},
	{"send receipt", false, func(c call) error { return c.SendReadReceipt(c.ctx, c.actor, c.thread, c.own) }},
	{"list receipts", false, func(c call) error {
		_, _, err := c.ListReadReceipts(c.ctx, c.actor, c.thread, chat.PageQuery{Limit: 10})
		return err
	}},
	{"type", false, func(c call) error { return c.SendTyping(c.ctx, c.actor, c.thread, "") }},
}

// Who may do what: participants everything, those who left may read what they had, strangers nothing; and of a thread
// that is not there nobody learns more than that.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ctx := t.Context()
			alice, bob, carol := b.user(1), b.user(2), b.user(3)
			open, deleted := b.thread(alice, bob), b.thread(alice, bob)
			own := b.say(alice, open, "hello")
			bobs := b.say(bob, open, "hello")
			image, err := b.UploadImage(ctx, alice, open, chat.NewImage{Name: "a.gif", Type: "image/gif", Bytes: []byte("GIF89a")})
			b.must(err)
			b.must(b.RemoveParticipant(ctx, alice, open, bob))
			inDeleted := b.say(alice, deleted, "hello")
			b.must(b.DeleteThread(ctx, alice, deleted))

			try := func(actor chat.Identity, id chat.ThreadID, own chat.MessageID) error {
				return op.do(call{b.Service, ctx, actor, id, own, image.ID, carol})
			}
			check := func(who string, err error, want chat.ErrorKind, text string) {
				t.Helper()
				var e *chat.Error
				if !errors.As(err, &e) || e.Kind != want || e.Message != text {
					t.Errorf("%s: %v, want it refused with kind %d and %q", who, err, want, text)
				}
			}
			notMember := func(who chat.Identity) string {
				return fmt.Sprintf("User %s is not a member of the thread %s", who, open)
			}
			absent := ""
			if op.name == "get thread" {
				absent = "The specified thread id was not found." // the only operation that says so
			}
			check("a stranger", try(carol, open, own.ID), chat.Forbidden, notMember(carol))
			if err := try(bob, open, bobs.ID); !op.reading {
				check("a former participant", err, chat.Forbidden, notMember(bob))
			} else if err != nil {
				t.Errorf("a former participant is refused: %v", err)
			}
			if err := try(alice, deleted, inDeleted.ID); op.name != "delete thread" { // which may be repeated
				check("a participant of a deleted thread", err, chat.NotFound, absent)
			} else if err != nil {
				t.Errorf("a participant deletes a deleted thread: %v", err)
			}
			check("a stranger of a deleted thread", try(carol, deleted, inDeleted.ID), chat.NotFound, absent)
			check("a thread that is not there", try(alice, "19:nowhere@thread.v2", own.ID), chat.NotFound, absent)
			check("a malformed thread id", try(alice, "invalid_chat_thread_id", own.ID), chat.NotFound, absent)
			if err := try(alice, open, own.ID); err != nil {
				t.Errorf("a participant is refused: %v", err)
			}
		})
	}
}

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

func TestImages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	alice, bob := b.user(1), b.user(2)
	thread, other := b.thread(alice, bob), b.thread(alice, bob)
	put, err := b.UploadImage(ctx, alice, thread, chat.NewImage{Name: "a.gif", Type: "image/gif", Bytes: []byte("GIF89a")})
	b.must(err)
	got, err := b.GetImage(ctx, bob, thread, put.ID)
	b.must(err)
	if diff := cmp.Diff(put, got); diff != "" {
		t.Errorf("image (-want +got):\n%s", diff)
	}
	yes := true
	b.must(b.UpdateThread(ctx, alice, other, chat.ThreadUpdate{TextOnly: &yes}))
	_, elsewhere := b.GetImage(ctx, alice, other, put.ID)
	_, textOnly := b.UploadImage(ctx, alice, other, chat.NewImage{Name: "a.gif", Type: "image/gif", Bytes: []byte("GIF89a")})
	notOwn := b.DeleteImage(ctx, bob, thread, put.ID)
	b.must(b.DeleteImage(ctx, alice, thread, put.ID))
	b.must(b.DeleteImage(ctx, alice, thread, put.ID)) // as an SDK does that lost the first answer
	_, deleted := b.GetImage(ctx, alice, thread, put.ID)
	for _, c := range []struct {
		what string
		err  error
		want chat.ErrorKind
	}{
		{"an image of another thread", elsewhere, chat.NotFound},
		{"an image into a thread of text only", textOnly, chat.Forbidden},
		{"deleting an image of somebody else", notOwn, chat.Forbidden},
		{"an image that was deleted", deleted, chat.NotFound},
		{"deleting one of another thread", b.DeleteImage(ctx, alice, other, put.ID), chat.NotFound},
		{"deleting again what somebody else deleted", b.DeleteImage(ctx, bob, thread, put.ID), chat.Forbidden},
	} {
		if c.err == nil || chat.KindOf(c.err) != c.want {
			t.Errorf("%s: %v, want it refused with kind %d", c.what, c.err, c.want)
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

func TestSweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	alice := b.user(1)
	const day = 24 * time.Hour
	create := func(r chat.Retention) chat.ThreadID {
		c, err := b.CreateThread(ctx, alice, chat.NewThread{Topic: "lunch", Retention: r})
		b.must(err)
		return c.Thread.ID
	}
	threads := func() map[chat.ThreadID]bool {
		got, _, err := b.ListThreads(ctx, alice, chat.ThreadQuery{Limit: 1000})
		b.must(err)
		deleted := map[chat.ThreadID]bool{}
		for _, item := range got {
			deleted[item.ID] = item.DeletedOn != 0
		}
		return deleted
	}
	want := map[chat.ThreadID]bool{}
	for range 101 { // more than one batch
		want[create(chat.Retention{Kind: chat.RetentionCreationDate, Days: 30})] = true
	}
	longer := create(chat.Retention{Kind: chat.RetentionCreationDate, Days: 90})
	want[longer] = false
	want[create(chat.Retention{Kind: chat.RetentionNone})] = false
	want[create(chat.Retention{})] = false

	b.must(b.Sweep(ctx, 30*day))
	for id, deleted := range threads() {
		if deleted {
			t.Fatalf("%s is deleted before its time", id)
		}
	}
	b.now += chat.Time((31 * day).Milliseconds())
	b.must(b.Sweep(ctx, 30*day))
	if diff := cmp.Diff(want, threads()); diff != "" {
		t.Errorf("threads and whether they are deleted, after a month (-want +got):\n%s", diff)
	}
	b.now += chat.Time((31 * day).Milliseconds())
	b.must(b.Sweep(ctx, 30*day))
	for id, deleted := range want {
		if deleted {
			delete(want, id)
		}
	}
	if diff := cmp.Diff(want, threads()); diff != "" {
		t.Errorf("threads after two months (-want +got):\n%s", diff)
	}
}

// That somebody was typing leaves the journal after hours, by a node whose clock is an hour ahead no sooner than after one.
func TestSweepTyping(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.user(1)
	thread := b.thread(alice)
	typing := func() (n int) {
		events, err := b.store.After(t.Context(), 0, 100)
		b.must(err)
		for _, e := range events {
			if e.Kind == chat.TypingReceived {
				n++
			}
		}
		return n
	}
	b.must(b.SendTyping(t.Context(), alice, thread, ""))
	b.say(alice, thread, "hello")
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{time.Hour, 1}, {30 * time.Minute, 1}, {time.Hour, 0}} {
		b.now += chat.Time(step.after.Milliseconds())
		b.must(b.Sweep(t.Context(), 30*24*time.Hour))
		if got := typing(); got != step.want {
			t.Errorf("after %s more, the journal has typing %d times, want %d", step.after, got, step.want)
		}
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
