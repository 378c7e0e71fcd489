package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/chatd/chatd/internal/chat"
)

var changes = []test{
	{"are posted on the roster they were decided on, or are stale", func(b *bundle) {
		thread := b.create(lunch, alice, bob)
		b.remove(lunch, bob)
		before := b.snapshot(lunch)
		stale := func(what string, t chat.Thread) {
			b.Helper()
			_, err := b.db.Post(b.Context(), textPost(t, bob, "hello", noon+100))
			if !errors.Is(err, chat.ErrStale) {
				b.Errorf("%s: error is %v, want %v", what, err, chat.ErrStale)
			}
			b.equal("what is stored", before, b.snapshot(lunch))
		}
		stale("the roster before", thread)
		ahead := b.thread(lunch)
		ahead.Roster++
		stale("a roster to come", ahead)
		policy := b.thread(lunch)
		policy.TextOnly = true
		stale("another messaging policy", policy)
		nowhere := b.thread(lunch)
		nowhere.Key += 1000
		stale("a thread that is not there", nowhere)
		b.post(textPost(b.thread(lunch), alice, "hello", noon+100))
		b.update(lunch, func(c *chat.Change) { c.Thread.DeletedOn = noon + 200 })
		before = b.snapshot(lunch)
		stale("a deleted thread", b.thread(lunch))
	}},
	{"do not let anybody speak after their removal", func(b *bundle) {
		// Everybody posts on the roster that they saw last; at some time bob is removed.
		thread := b.create(lunch, alice, bob)
		const writers, each = 8, 10
		var removal atomic.Int64
		together(writers+1, func(i int) {
			if i == writers {
				b.update(lunch, func(c *chat.Change) {
					c.Thread.Roster++
					c.Thread.Present--
					c.Thread.Seq, c.Thread.LastID = c.Thread.Seq+1, c.Thread.LastID+1
					m := systemMessage(c.Thread.LastID, c.Thread.Seq, chat.ParticipantRemoved, chat.Content{Participants: []chat.Participant{stay(bob, 1)}})
					c.Append = []chat.Message{m}
					c.Leave = []chat.Participant{{Identity: bob, Joined: 1, Left: c.Thread.Roster, Until: m.ID}}
					removal.Store(m.Seq)
				})
				return
			}
			for n := range each {
				_, err := b.db.Post(b.Context(), textPost(thread, bob, fmt.Sprint(i, n), noon+100))
				if err != nil && !errors.Is(err, chat.ErrStale) {
					b.Error(err)
				}
			}
		})
		for i, m := range b.all(thread) {
			if m.Seq != int64(i+1) {
				b.Errorf("message %d has sequence number %d", i+1, m.Seq)
			}
			if m.Sender == bob && m.Seq > removal.Load() {
				b.Errorf("bob was removed with message %d and posted message %d", removal.Load(), m.Seq)
			}
		}
	}},
	{"are decided one after the other", func(b *bundle) {
		// Each adds one participant if what it sees under the lock is consistent.
		const writers = 20
		b.create(lunch, alice)
		together(writers, func(i int) {
			err := b.db.Update(b.Context(), lunch, func(v chat.View) (*chat.Change, error) {
				a, err := v.Access(alice)
				if err != nil {
					return nil, err
				}
				here, err := v.Present()
				if err != nil {
					return nil, err
				}
				if len(here) != a.Thread.Present || chat.RosterVersion(len(here)) != a.Thread.Roster {
					return nil, fmt.Errorf("%d in the list, %d counted at roster version %d", len(here), a.Thread.Present, a.Thread.Roster)
				}
				c := &chat.Change{Before: a.Thread, Thread: a.Thread}
				c.Thread.Roster++
				c.Thread.Present++
				c.Join = []chat.Participant{stay(user(100+i), c.Thread.Roster)}
				return c, nil
			})
			if err != nil {
				b.Error(err)
			}
		})
		got := b.thread(lunch)
		if got.Present != writers+1 || got.Roster != writers+1 {
			b.Errorf("%d present at roster version %d, want %d at %[3]d", got.Present, got.Roster, writers+1)
		}
	}},
	{"that are none write nothing", func(b *bundle) {
		b.create(lunch, alice)
		before := b.snapshot(lunch)
		b.must(b.db.Update(b.Context(), lunch, func(chat.View) (*chat.Change, error) { return nil, nil }))
		b.equal("what is stored", before, b.snapshot(lunch))
	}},
	{"that are refused write nothing and say why", func(b *bundle) {
		b.create(lunch, alice)
		before := b.snapshot(lunch)
		refusal := &chat.Error{Kind: chat.Forbidden, Message: "no"}
		err := b.db.Update(b.Context(), lunch, func(chat.View) (*chat.Change, error) { return nil, refusal })
		if got := (*chat.Error)(nil); !errors.As(err, &got) || got != refusal {
			b.Errorf("error is %v, want the rule's own", err)
		}
		other := errors.New("something else")
		err = b.db.Update(b.Context(), lunch, func(chat.View) (*chat.Change, error) { return nil, other })
		if !errors.Is(err, other) || chat.KindOf(err) != chat.Internal {
			b.Errorf("error is %v, want %v, of kind internal", err, other)
		}
		b.equal("what is stored", before, b.snapshot(lunch))
	}},
	{"that fail half-way leave nothing behind", func(b *bundle) {
		thread := b.create(lunch, alice, bob)
		kept := b.post(textPost(thread, alice, "hello", noon+100))
		before := b.snapshot(lunch)
		err := b.db.Update(b.Context(), lunch, func(v chat.View) (*chat.Change, error) {
			a, err := v.Access(bob)
			if err != nil {
				return nil, err
			}
			c := &chat.Change{Before: a.Thread, Thread: a.Thread, At: noon + 200, Events: before.Journal}
			c.Thread.Topic, c.Thread.Roster, c.Thread.Present, c.Thread.Seq = "half", 2, 2, 4
			c.Join = []chat.Participant{stay(carol, 2)}
			left := *a.Stay
			left.Left = 2
			c.Leave = []chat.Participant{left}
			edited := kept
			edited.Content.Text = "half"
			c.Replace = []chat.Message{edited}
			c.Receipt = &chat.ReadReceipt{Reader: bob, MessageID: kept.ID, ReadOn: noon + 200}
			taken := systemMessage(kept.ID, 4, chat.TopicUpdated, chat.Content{Topic: "half"})
			fresh := systemMessage(kept.ID+1, 5, chat.TopicUpdated, chat.Content{Topic: "half"})
			c.Append = []chat.Message{fresh, taken} // the second cannot be written
			return c, nil
		})
		b.kind("the change", err, chat.Internal)
		b.equal("what is stored", before, b.snapshot(lunch))
		if stay := b.access(lunch, carol).Stay; stay != nil {
			b.Errorf("carol has a stay: %+v", stay)
		}
		next := b.post(textPost(thread, alice, "hello", noon+300))
		b.equal("the next sequence number", kept.Seq+1, next.Seq)
	}},
	{"that panic fail, and the store works on", func(b *bundle) {
		thread := b.create(lunch, alice)
		before := b.snapshot(lunch)
		together(8, func(i int) {
			if i%2 == 0 {
				err := b.db.Update(b.Context(), lunch, func(v chat.View) (*chat.Change, error) {
					_, _ = v.Present()
					panic("a defect in a rule")
				})
				b.kind("a change that panics", err, chat.Internal)
				return
			}
			if _, err := b.db.Post(b.Context(), textPost(thread, alice, "hello", noon+100)); err != nil {
				b.Errorf("a write beside one that panics: %v", err)
			}
		})
		after := b.snapshot(lunch)
		b.equal("messages more", 4, len(after.Messages)-len(before.Messages))
		b.equal("events more", 4, len(after.Journal)-len(before.Journal))
	}},
	{"may be of all kinds at once", func(b *bundle) {
		thread := b.create(lunch, alice, bob)
		edited := b.post(textPost(thread, alice, "hello", noon+100))
		edited.Version, edited.Content, edited.EditedOn = int64(noon+200), chat.Content{Text: "good bye"}, noon+200
		receipt := chat.ReadReceipt{Reader: alice, MessageID: edited.ID, ReadOn: noon + 200}
		altered := chat.Participant{Identity: alice, DisplayName: "Al", Joined: 1}
		want := b.thread(lunch)
		want.Topic, want.Metadata, want.TextOnly, want.Edited = "dinner", map[string]string{"k": "v"}, true, int64(noon+200)
		var added chat.Message
		b.update(lunch, func(c *chat.Change) {
			c.Replace, c.Alter, c.Receipt = []chat.Message{edited}, []chat.Participant{altered}, &receipt
			c.Thread.Topic, c.Thread.Metadata, c.Thread.TextOnly = want.Topic, want.Metadata, want.TextOnly
			c.Thread.Seq, c.Thread.LastID, c.Thread.LastOn = 4, chat.MessageID(noon+200), noon+200
			added = systemMessage(c.Thread.LastID, 4, chat.TopicUpdated, chat.Content{Topic: "dinner", Initiator: alice})
			c.Append = []chat.Message{added}
		})
		want.Seq, want.LastID, want.LastOn = 4, added.ID, noon+200
		got := b.snapshot(lunch)
		b.equal("thread", want, got.Thread)
		b.equal("messages", []chat.Message{edited, added}, got.Messages[2:])
		b.equal("receipts", []chat.ReadReceipt{receipt}, got.Receipts)
		b.equal("participants", []chat.Participant{altered, stay(bob, 1)}, got.Participants)
	}},
	{"may say nothing of what is not theirs", func(b *bundle) {
		// An edit or a receipt that was decided before others spoke does not take the thread back.
		thread := b.create(lunch, alice)
		m := b.post(textPost(thread, alice, "hello", noon+100))
		together(10, func(i int) {
			if i%2 == 0 {
				b.update(lunch, func(c *chat.Change) { c.Receipt = &chat.ReadReceipt{Reader: user(i), MessageID: m.ID, ReadOn: noon} })
				return
			}
			if _, err := b.db.Post(b.Context(), textPost(thread, alice, "hello", noon+100)); err != nil {
				b.Error(err)
			}
		})
		if got := b.thread(lunch); got.Seq != 8 || len(b.all(thread)) != 8 {
			b.Errorf("sequence number %d and %d messages, want 8", got.Seq, len(b.all(thread)))
		}
	}},
}
