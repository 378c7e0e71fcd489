package storetest

import (
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

var creation = []test{
	{"answers its repetition as the first time", func(b *bundle) {
		first := newThread(lunch, noon, alice, bob)
		first.Thread.Metadata = map[string]string{"k": "v"}
		first.Thread.TextOnly = true
		first.Thread.Retention = chat.Retention{Kind: chat.RetentionCreationDate, Days: 30}
		answer := chat.Creation{Thread: first.Thread, Invalid: []chat.InvalidParticipant{{Identity: carol, Code: "403", Message: "Permissions 'check' failed"}}}
		got, err := b.db.Create(b.Context(), first, answer)
		b.must(err)
		b.equal("first answer", visible(answer), visible(got))
		before := b.snapshot(lunch)

		second := newThread(lunch, noon+5000, alice)
		second.Thread.Topic = "another"
		got, err = b.db.Create(b.Context(), second, chat.Creation{Thread: second.Thread})
		b.must(err)
		b.equal("second answer", visible(answer), visible(got))
		b.equal("what is stored", before, b.snapshot(lunch))
		if b.access(lunch, bob).Stay == nil {
			b.Error("the participants of the first are gone")
		}

		// The answer describes the creation, not what has become of the thread.
		b.update(lunch, func(c *chat.Change) { c.Thread.Topic, c.Thread.DeletedOn = "changed", noon+6000 })
		got, err = b.db.Create(b.Context(), second, chat.Creation{Thread: second.Thread})
		b.must(err)
		b.equal("third answer", visible(answer), visible(got))
	}},
	{"keeps every character of its answer", func(b *bundle) {
		for i, text := range odd {
			c := newThread(threadID(i), noon, alice)
			c.Thread.Topic, c.Thread.Metadata = text, map[string]string{text: text}
			answer := chat.Creation{Thread: c.Thread, Invalid: []chat.InvalidParticipant{{Identity: chat.Identity(text), Code: text, Message: text}}}
			for range 2 {
				got, err := b.db.Create(b.Context(), c, answer)
				b.must(err)
				b.equal("answer", visible(answer), visible(got))
			}
		}
	}},
	{"of one id happens once, however many try", func(b *bundle) {
		var mu sync.Mutex
		var answers []chat.Creation
		together(20, func(i int) {
			c := newThread(lunch, noon+chat.Time(i), user(10+i), bob) // whom nobody else is
			got, err := b.db.Create(b.Context(), c, chat.Creation{Thread: c.Thread})
			if err != nil {
				b.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, got)
		})
		s := b.snapshot(lunch)
		for _, a := range answers {
			if a.Thread.CreatedBy != s.Thread.CreatedBy || a.Thread.CreatedOn != s.Thread.CreatedOn {
				b.Errorf("answered as created by %s on %d, stored is %s on %d", a.Thread.CreatedBy, a.Thread.CreatedOn, s.Thread.CreatedBy, s.Thread.CreatedOn)
			}
		}
		if len(s.Participants) != 2 || len(s.Messages) != 2 || len(s.Journal) != 1 {
			b.Errorf("%d participants, %d messages, %d events; want those of one creation", len(s.Participants), len(s.Messages), len(s.Journal))
		}
	}},
	{"of many ids at once happens for all", func(b *bundle) {
		together(20, func(i int) {
			c := newThread(threadID(i), noon, alice)
			if _, err := b.db.Create(b.Context(), c, chat.Creation{Thread: c.Thread}); err != nil {
				b.Error(err)
			}
		})
		got, _, err := b.db.ThreadsOf(b.Context(), alice, chat.ThreadQuery{Limit: 100})
		b.must(err)
		if len(got) != 20 {
			b.Errorf("%d threads, want 20", len(got))
		}
	}},
	{"that fails leaves nothing behind", func(b *bundle) {
		bad := newThread(lunch, noon, alice, bob)
		bad.Append = append(bad.Append, bad.Append[1]) // one id twice, found after all else is written
		_, err := b.db.Create(b.Context(), bad, chat.Creation{Thread: bad.Thread})
		b.kind("creation", err, chat.Internal)
		_, err = b.db.Access(b.Context(), lunch, alice)
		b.kind("the thread", err, chat.NotFound)
		b.equal("events", 0, len(b.journal()))
		b.equal("created after that", int64(2), b.create(lunch, alice).Seq)
	}},
}

// visible is what a client sees of a creation. A store need not keep more.
func visible(c chat.Creation) chat.Creation {
	t := c.Thread
	c.Thread = chat.Thread{
		ID: t.ID, Topic: t.Topic, CreatedBy: t.CreatedBy, CreatedOn: t.CreatedOn, Metadata: t.Metadata, Retention: t.Retention,
		TextOnly: t.TextOnly,
	}
	return c
}
