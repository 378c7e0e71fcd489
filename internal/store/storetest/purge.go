package storetest

import (
	"errors"
	"slices"

	"github.com/chatd/chatd/internal/chat"
)

var purge = []test{
	{"removes threads that were deleted before", func(b *bundle) {
		// More than any batch, so that more than one is needed; the first and the last stay.
		const n = 45
		for i := range n {
			thread := b.create(threadID(i), alice, bob)
			b.post(textPost(thread, alice, "hello", noon+100))
			b.must(b.db.AddImage(b.Context(), thread.Key, &chat.Image{ID: "a", Owner: alice, Bytes: []byte("a")}, 0))
			b.update(threadID(i), func(c *chat.Change) { c.Receipt = &chat.ReadReceipt{Reader: bob, MessageID: 1, ReadOn: noon} })
			if i > 0 {
				b.update(threadID(i), func(c *chat.Change) { c.Thread.DeletedOn = noon + chat.Time(i) })
			}
		}
		open, later := b.snapshot(threadID(0)), b.snapshot(threadID(n-1))
		gone := b.thread(threadID(1))
		b.must(b.db.Purge(b.Context(), noon+n-1)) // the last was deleted at that moment, not before
		open.Journal, later.Journal = b.journal(), b.journal()
		b.equal("the thread that is open", open, b.snapshot(threadID(0)))
		b.equal("the thread deleted later", later, b.snapshot(threadID(n-1)))
		for i := 1; i < n-1; i++ {
			_, err := b.db.Access(b.Context(), threadID(i), alice)
			b.kind("a purged thread", err, chat.NotFound)
		}
		listed, _, err := b.db.ThreadsOf(b.Context(), alice, chat.ThreadQuery{Limit: 100})
		b.must(err)
		b.equal("listed", 2, len(listed))
		rest := b.all(gone)
		receipts, _, err := b.db.Receipts(b.Context(), gone.Key, chat.PageQuery{Limit: 10})
		b.must(err)
		here, _, err := b.db.Participants(b.Context(), gone.Key, chat.PageQuery{Limit: 10})
		b.must(err)
		_, err = b.db.Image(b.Context(), gone.Key, "a")
		b.kind("its image", err, chat.NotFound)
		if len(rest)+len(receipts)+len(here) > 0 {
			b.Errorf("of a purged thread there are %d messages, %d receipts, %d participants", len(rest), len(receipts), len(here))
		}
		// Its token makes a new thread, with nothing of the old one.
		fresh := newThread(threadID(1), noon+9000, carol)
		answer, err := b.db.Create(b.Context(), fresh, chat.Creation{Thread: fresh.Thread})
		b.must(err)
		b.equal("answer of its repetition", visible(chat.Creation{Thread: fresh.Thread}), visible(answer))
		b.equal("its messages", fresh.Append, b.all(b.thread(threadID(1))))
	}},
	{"never gives a key again", func(b *bundle) {
		// Events and posts under way name threads by key; those of a purged one must not reach another.
		first := b.create(threadID(1), alice)
		b.update(threadID(1), func(c *chat.Change) { c.Thread.DeletedOn = noon })
		b.must(b.db.Purge(b.Context(), noon+1))
		second := b.create(threadID(2), bob)
		if second.Key == first.Key {
			b.Errorf("both threads have the key %d", first.Key)
		}
		_, err := b.db.Post(b.Context(), textPost(first, alice, "hello", noon))
		if !errors.Is(err, chat.ErrStale) {
			b.Errorf("a post into the purged thread: %v, want %v", err, chat.ErrStale)
		}
	}},
	{"removes events from before", func(b *bundle) {
		thread := b.create(lunch, alice)
		for i := range 6 {
			b.must(b.db.Note(b.Context(), chat.Event{Kind: chat.TypingReceived, ThreadID: lunch, Key: thread.Key, At: noon + chat.Time(i)}))
		}
		all := b.journal() // the creation and the first note are of noon
		b.must(b.db.Purge(b.Context(), noon+3))
		b.equal("events of that moment and later", all[4:], b.journal())
		b.must(b.db.Purge(b.Context(), noon+3))
		b.equal("purged again", all[4:], b.journal())
	}},
	{"removes typing from before and nothing else", func(b *bundle) {
		thread := b.create(lunch, alice)
		typing := func(at chat.Time) {
			b.must(b.db.Note(b.Context(), chat.Event{Kind: chat.TypingReceived, ThreadID: lunch, Key: thread.Key, At: at}))
		}
		for i := range chat.Time(4) {
			typing(noon + i)
			b.post(textPost(thread, alice, "hello", noon+i))
		}
		typing(noon)
		all := b.journal()
		var want []chat.Event
		for i, e := range all {
			if e.Kind != chat.TypingReceived || e.At >= noon+2 || i == len(all)-1 { // the newest stays, old as it is
				want = append(want, e)
			}
		}
		for range 2 {
			b.must(b.db.PurgeTyping(b.Context(), noon+2))
			b.equal("events", want, b.journal())
		}
		oldest, err := b.db.Oldest(b.Context())
		b.must(err)
		head, err := b.db.Head(b.Context())
		b.must(err)
		b.equal("oldest and head", []chat.Position{all[0].Position, all[len(all)-1].Position}, []chat.Position{oldest, head})
		typing(noon + 9)
		after := b.journal()
		if last := after[len(after)-1]; last.Position <= head {
			b.Errorf("position %d follows on %d", last.Position, head)
		}
		b.must(b.db.PurgeTyping(b.Context(), noon+2)) // the one that was the newest goes now
		b.equal("events", append(want[:len(want)-1:len(want)-1], after[len(after)-1]), b.journal())
	}},
	{"keeps typing that is the oldest event", func(b *bundle) {
		// Else clients whose position is before it would be said to have missed something.
		thread := b.create(lunch, alice)
		for range 3 {
			b.must(b.db.Note(b.Context(), chat.Event{Kind: chat.TypingReceived, ThreadID: lunch, Key: thread.Key, At: noon + 1}))
		}
		b.must(b.db.Purge(b.Context(), noon+1)) // the creation
		all := b.journal()
		b.must(b.db.PurgeTyping(b.Context(), noon+2))
		b.equal("events", []chat.Event{all[0], all[len(all)-1]}, b.journal())
	}},
	{"lets positions go on", func(b *bundle) {
		thread := b.create(lunch, alice)
		note := func() chat.Position {
			b.must(b.db.Note(b.Context(), chat.Event{Kind: chat.TypingReceived, ThreadID: lunch, Key: thread.Key, At: noon}))
			events := b.journal()
			return events[len(events)-1].Position
		}
		before := note()
		b.must(b.db.Purge(b.Context(), noon+1000))
		// The newest event may stay, as the mark of where the journal ends.
		if left := b.journal(); len(left) > 1 || (len(left) == 1 && left[0].Position != before) {
			b.Errorf("%d events are left: %v", len(left), left)
		}
		if after := note(); after <= before {
			b.Errorf("position %d follows on %d", after, before)
		}
	}},
	{"of nothing removes nothing", func(b *bundle) {
		b.must(b.db.Purge(b.Context(), noon))
		b.create(lunch, alice)
		before := b.snapshot(lunch)
		b.must(b.db.Purge(b.Context(), 0))
		after := b.snapshot(lunch)
		b.equal("what is stored", before, after)
		if !slices.Contains(identities(after.Participants), alice) {
			b.Error("alice is gone")
		}
	}},
}
