package storetest

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

// operation is one call of each kind, on the thread lunch.
type operation struct {
	name string
	do   func(ctx context.Context, db Store, t chat.Thread) error
}

var operations = []operation{
	{"create", func(ctx context.Context, db Store, _ chat.Thread) error {
		c := newThread(threadID(99), noon, alice)
		_, err := db.Create(ctx, c, chat.Creation{Thread: c.Thread})
		return err
	}},
	{"post", func(ctx context.Context, db Store, t chat.Thread) error {
		_, err := db.Post(ctx, textPost(t, alice, "hello", noon+100))
		return err
	}},
	{"update", func(ctx context.Context, db Store, _ chat.Thread) error {
		return db.Update(ctx, lunch, sayUnderLock("hello"))
	}},
	{"note", func(ctx context.Context, db Store, t chat.Thread) error {
		return db.Note(ctx, chat.Event{Kind: chat.TypingReceived, ThreadID: t.ID, Key: t.Key})
	}},
	{"purge", func(ctx context.Context, db Store, _ chat.Thread) error { return db.Purge(ctx, noon) }},
	{"purge typing", func(ctx context.Context, db Store, _ chat.Thread) error { return db.PurgeTyping(ctx, noon) }},
	{"add user", func(ctx context.Context, db Store, _ chat.Thread) error {
		return db.AddUser(ctx, auth.User{Identity: carol, CreatedOn: noon, CustomID: "carol"})
	}},
	{"revoke user", func(ctx context.Context, db Store, _ chat.Thread) error { return db.RevokeUser(ctx, alice, noon) }},
	{"delete user", func(ctx context.Context, db Store, _ chat.Thread) error { return db.DeleteUser(ctx, bob, noon) }},
	{"add signing key", func(ctx context.Context, db Store, _ chat.Thread) error {
		return db.AddSigningKey(ctx, auth.SigningKey{ID: "a", PKCS8: []byte("a"), CreatedOn: noon})
	}},
	{"remove signing key", func(ctx context.Context, db Store, _ chat.Thread) error {
		return db.RemoveSigningKey(ctx, "a")
	}},
	{"secret", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.Secret(ctx, "a")
		return err
	}},
	{"revoke user before", func(ctx context.Context, db Store, _ chat.Thread) error {
		return db.RevokeUserBefore(ctx, alice, noon)
	}},
	{"note token", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.NoteToken(ctx, alice, noon)
		return err
	}},
	{"add image", func(ctx context.Context, db Store, t chat.Thread) error {
		return db.AddImage(ctx, t.Key, &chat.Image{ID: "a", Bytes: []byte("a")}, 0)
	}},
	{"image", func(ctx context.Context, db Store, t chat.Thread) error {
		_, err := db.Image(ctx, t.Key, "a")
		return err
	}},
	{"delete image", func(ctx context.Context, db Store, t chat.Thread) error { return db.DeleteImage(ctx, t.Key, "a") }},
	{"access", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.Access(ctx, lunch, alice)
		return err
	}},
	{"recent", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.Recent(ctx, lunch, alice)
		return err
	}},
	{"message", func(ctx context.Context, db Store, t chat.Thread) error {
		_, err := db.Message(ctx, t.Key, chat.MessageID(noon))
		return err
	}},
	{"messages", func(ctx context.Context, db Store, t chat.Thread) error {
		_, err := db.Messages(ctx, t.Key, chat.MessageQuery{Limit: 10})
		return err
	}},
	{"participants", func(ctx context.Context, db Store, t chat.Thread) error {
		_, _, err := db.Participants(ctx, t.Key, chat.PageQuery{Limit: 10})
		return err
	}},
	{"receipts", func(ctx context.Context, db Store, t chat.Thread) error {
		_, _, err := db.Receipts(ctx, t.Key, chat.PageQuery{Limit: 10})
		return err
	}},
	{"threads of a user", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, _, err := db.ThreadsOf(ctx, alice, chat.ThreadQuery{Limit: 10})
		return err
	}},
	{"known", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.Known(ctx, []chat.Identity{alice})
		return err
	}},
	{"expired", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.Expired(ctx, noon, 10)
		return err
	}},
	{"after", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.After(ctx, 0, 10)
		return err
	}},
	{"head", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.Head(ctx)
		return err
	}},
	{"oldest", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.Oldest(ctx)
		return err
	}},
	{"audience", func(ctx context.Context, db Store, t chat.Thread) error {
		_, err := db.Audience(ctx, t.Key, 1)
		return err
	}},
	{"endpoint", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.Endpoint(ctx, alice, "a")
		return err
	}},
	{"arrive", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.ConnectEndpoint(ctx, delivery.Connection{User: alice, Endpoint: "a", Number: 1})
		return err
	}},
	{"take endpoint", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.TakeEndpoint(ctx, alice, "a", 1)
		return err
	}},
	{"save endpoints", func(ctx context.Context, db Store, _ chat.Thread) error {
		return db.SaveEndpoints(ctx, []delivery.Acknowledged{{User: alice, Endpoint: "a", Position: 1}}, noon)
	}},
	{"register endpoint", func(ctx context.Context, db Store, _ chat.Thread) error {
		return db.RegisterEndpoint(ctx, alice, "a", "web", noon)
	}},
	{"end endpoint", func(ctx context.Context, db Store, _ chat.Thread) error {
		return db.EndEndpoint(ctx, alice, "a")
	}},
	{"user", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.User(ctx, alice)
		return err
	}},
	{"custom user", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.CustomUser(ctx, "carol")
		return err
	}},
	{"signing keys", func(ctx context.Context, db Store, _ chat.Thread) error {
		_, err := db.SigningKeys(ctx)
		return err
	}},
	{"ready", func(ctx context.Context, db Store, _ chat.Thread) error { return db.Ready(ctx) }},
}

var lifecycle = []test{
	{"does everything while it is open", func(b *bundle) {
		b.users(alice, bob)
		thread := b.create(lunch, alice, bob)
		for _, op := range operations {
			if err := op.do(b.Context(), b.db, thread); err != nil {
				b.Errorf("%s: %v", op.name, err)
			}
		}
	}},
	{"does nothing in a context that has ended", func(b *bundle) {
		b.users(alice, bob)
		thread := b.create(lunch, alice, bob)
		before := b.snapshot(lunch)
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		for _, op := range operations {
			if err := op.do(ctx, b.db, thread); !errors.Is(err, context.Canceled) {
				b.Errorf("%s: error is %v, want the context's", op.name, err)
			}
		}
		b.equal("what is stored", before, b.snapshot(lunch))
		known, err := b.db.Known(b.Context(), []chat.Identity{alice, bob, carol})
		b.must(err)
		b.equal("known", map[chat.Identity]bool{alice: true, bob: true}, known)
	}},
	{"finishes what it has begun when its context ends", func(b *bundle) {
		b.create(lunch, alice)
		ctx, cancel := context.WithCancel(b.Context())
		err := b.db.Update(ctx, lunch, func(v chat.View) (*chat.Change, error) {
			cancel()
			return sayUnderLock("hello")(v)
		})
		if err != nil {
			b.Errorf("error is %v, want the write to be done", err)
		}
		if n := len(b.all(b.thread(lunch))); n != 3 {
			b.Errorf("%d messages, want 3", n)
		}
	}},
	{"is unavailable when it is closed", func(b *bundle) {
		b.users(alice, bob)
		thread := b.create(lunch, alice, bob)
		b.must(b.db.Close())
		other := map[string]string{"recent": "access", "purge typing": "purge", "threads of a user": "threads"}
		for _, op := range operations {
			err := op.do(b.Context(), b.db, thread)
			b.kind(op.name, err, chat.Unavailable)
			if name := cmp.Or(other[op.name], strings.ReplaceAll(op.name, " ", "_")); !strings.Contains(err.Error(), name+": ") {
				b.Errorf("%s: error is %q, want one that says %s", op.name, err, name)
			}
		}
		b.must(b.db.Close())
	}},
	{"finishes what it has acknowledged when it is closed under load", func(b *bundle) {
		thread := b.create(lunch, alice)
		const writers = 8
		var acknowledged atomic.Int64
		half := make(chan struct{})
		together(writers+2, func(i int) {
			switch {
			case i == writers: // closes in the middle of it all
				<-half
				if err := b.db.Close(); err != nil {
					b.Error(err)
				}
			case i > writers:
				for {
					if _, err := b.db.Messages(b.Context(), thread.Key, chat.MessageQuery{Limit: 5}); err != nil {
						b.kind("a read", err, chat.Unavailable)
						return
					}
				}
			default:
				for {
					_, err := b.db.Post(b.Context(), textPost(thread, alice, "hello", noon+100))
					if err != nil {
						b.kind("a write", err, chat.Unavailable)
						return
					}
					if acknowledged.Add(1) == 40 {
						close(half)
					}
				}
			}
		})
		if !b.engine.Durable {
			return
		}
		b.open()
		if n := int64(len(b.all(thread))) - 2; n != acknowledged.Load() {
			b.Errorf("%d messages were acknowledged, %d are there", acknowledged.Load(), n)
		}
	}},
	{"is the same after it was closed and opened, if it is durable", func(b *bundle) {
		if !b.engine.Durable {
			b.Skip("this engine keeps nothing")
		}
		b.users(alice, bob)
		b.must(b.db.DeleteUser(b.Context(), bob, noon))
		b.must(b.db.AddSigningKey(b.Context(), auth.SigningKey{ID: "a", PKCS8: []byte("a"), CreatedOn: noon}))
		thread := b.create(lunch, alice, bob)
		b.post(textPost(thread, alice, "hello", noon+100))
		image := &chat.Image{ID: "a", Bytes: []byte("a")}
		b.must(b.db.AddImage(b.Context(), thread.Key, image, 0))
		b.remove(lunch, bob)
		secret, err := b.db.Secret(b.Context(), "a")
		b.must(err)
		before, gone := b.snapshot(lunch), b.access(lunch, bob)
		b.must(b.db.Close())
		b.open()
		b.equal("what is stored", before, b.snapshot(lunch))
		b.equal("stay of bob", gone, b.access(lunch, bob))
		kept, err := b.db.Image(b.Context(), thread.Key, "a")
		b.must(err)
		b.equal("image", image, kept)
		again, err := b.db.Secret(b.Context(), "a")
		b.must(err)
		b.equal("secret", secret, again)
		keys, err := b.db.SigningKeys(b.Context())
		b.must(err)
		b.equal("keys", []auth.SigningKey{{ID: "a", PKCS8: []byte("a"), CreatedOn: noon}}, keys)
		known, err := b.db.Known(b.Context(), []chat.Identity{alice, bob})
		b.must(err)
		b.equal("known", map[chat.Identity]bool{alice: true}, known)
		// And numbers continue.
		m := b.post(textPost(b.thread(lunch), alice, "hello", noon+100))
		events := b.journal()
		last := events[len(events)-1]
		if m.Seq != before.Thread.Seq+1 || m.ID <= before.Thread.LastID || last.Position <= before.Journal[len(before.Journal)-1].Position {
			b.Errorf("after %+v follows %+v at position %d", before.Thread, m, last.Position)
		}
		first := newThread(lunch, noon, alice, bob)
		got, err := b.db.Create(b.Context(), newThread(lunch, noon+900, carol), chat.Creation{})
		b.must(err)
		b.equal("the answer of the creation", visible(chat.Creation{Thread: first.Thread}), visible(got))
	}},
}
