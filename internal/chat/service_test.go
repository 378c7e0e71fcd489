package chat_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"

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
