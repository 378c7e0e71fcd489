package storetest

import (
	"fmt"

	"github.com/chatd/chatd/internal/chat"
)

var threads = []test{
	{"are read as they were created", func(b *bundle) {
		c := newThread(lunch, noon, alice, bob)
		c.Thread.Metadata = map[string]string{"k": "v"}
		c.Thread.Retention = chat.Retention{Kind: chat.RetentionCreationDate, Days: 30}
		c.Thread.TextOnly = true
		b.store(c)
		got := b.thread(lunch)
		if got.Key == 0 {
			b.Error("the thread has no key")
		}
		want := c.Thread
		want.Key = got.Key
		b.equal("thread", want, got)
	}},
	{"keep every character", func(b *bundle) {
		for i, text := range odd {
			c := newThread(threadID(i), noon, alice)
			c.Thread.Topic = text
			c.Thread.Metadata = map[string]string{text: text, "k": text, "empty": ""}
			b.store(c)
			got := b.thread(threadID(i))
			b.equal("topic", text, got.Topic)
			b.equal("metadata", c.Thread.Metadata, got.Metadata)
		}
	}},
	{"have keys of their own", func(b *bundle) {
		first, second := b.create(threadID(1), alice), b.create(threadID(2), alice)
		if first.Key == second.Key {
			b.Errorf("both threads have the key %d", first.Key)
		}
	}},
	{"that do not exist are not found", func(b *bundle) {
		_, err := b.db.Access(b.Context(), lunch, alice)
		b.kind("access", err, chat.NotFound)
		err = b.db.Update(b.Context(), lunch, func(chat.View) (*chat.Change, error) {
			b.Error("there is nothing to decide on")
			return nil, nil
		})
		b.kind("update", err, chat.NotFound)
		b.create(threadID(1), alice)
		_, err = b.db.Access(b.Context(), "19:THREAD1@thread.v2", alice)
		b.kind("an id in other letters", err, chat.NotFound)
	}},
	{"change their properties", func(b *bundle) {
		before := b.create(lunch, alice)
		b.update(lunch, func(c *chat.Change) {
			c.Thread.Topic, c.Thread.Metadata = "dinner", map[string]string{"k": "v"}
			c.Thread.Retention = chat.Retention{Kind: chat.RetentionCreationDate, Days: 90}
			c.Thread.TextOnly = true
		})
		want := before
		want.Topic, want.Metadata = "dinner", map[string]string{"k": "v"}
		want.Retention, want.TextOnly = chat.Retention{Kind: chat.RetentionCreationDate, Days: 90}, true
		b.equal("changed", want, b.thread(lunch))
		b.update(lunch, func(c *chat.Change) { c.Thread = before })
		b.equal("changed back", before, b.thread(lunch))
	}},
	{"are shown when they are deleted, as such", func(b *bundle) {
		want := b.create(lunch, alice)
		b.update(lunch, func(c *chat.Change) { c.Thread.DeletedOn = noon + 5 })
		want.DeletedOn = noon + 5
		b.equal("thread", want, b.thread(lunch))
		got, _, err := b.db.ThreadsOf(b.Context(), alice, chat.ThreadQuery{Limit: 10})
		b.must(err)
		b.equal("listed", []chat.ThreadItem{{Key: want.Key, ID: lunch, Topic: "lunch", DeletedOn: noon + 5, LastOn: noon + 1}}, got)
	}},
	{"of a user are listed, latest message first", listThreads},
	{"of a user are those of present and past stays, once", func(b *bundle) {
		b.create(threadID(1), alice, bob)
		b.create(threadID(2), bob)
		b.create(threadID(3), alice, bob)
		b.remove(threadID(1), alice)
		b.remove(threadID(3), alice)
		b.join(threadID(3), alice)
		for who, want := range map[chat.Identity]int{alice: 2, bob: 3, carol: 0} {
			got, _, err := b.db.ThreadsOf(b.Context(), who, chat.ThreadQuery{Limit: 10})
			b.must(err)
			if len(got) != want {
				b.Errorf("%s has %d threads, want %d: %v", who, len(got), want, got)
			}
		}
	}},
	{"expire by their retention", func(b *bundle) {
		const month, quarter = 30 * 24 * 60 * 60 * 1000, 90 * 24 * 60 * 60 * 1000
		for i, r := range []chat.Retention{
			{},
			{Kind: chat.RetentionNone},
			{Kind: chat.RetentionCreationDate, Days: 90},
			{Kind: chat.RetentionCreationDate, Days: 30},
			{Kind: chat.RetentionCreationDate, Days: 30},
		} {
			c := newThread(threadID(i), noon, alice)
			c.Thread.Retention = r
			b.store(c)
		}
		b.update(threadID(4), func(c *chat.Change) { c.Thread.DeletedOn = noon })
		expect := func(now chat.Time, limit int, want ...chat.ThreadID) {
			b.Helper()
			got, err := b.db.Expired(b.Context(), now, limit)
			b.must(err)
			b.equal(fmt.Sprintf("expired at %d", now), want, got)
		}
		expect(noon+month-1, 10)
		expect(noon+month, 10, threadID(3))
		expect(noon+quarter, 10, threadID(3), threadID(2))
		expect(noon+quarter, 1, threadID(3))
		// A policy that was withdrawn, or set later, counts as it is now.
		b.update(threadID(3), func(c *chat.Change) { c.Thread.Retention = chat.Retention{} })
		b.update(threadID(0), func(c *chat.Change) { c.Thread.Retention = chat.Retention{Kind: chat.RetentionCreationDate, Days: 30} })
		expect(noon+month, 10, threadID(0))
	}},
}

func listThreads(b *bundle) {
	// Seven threads at four moments: where the moment is the same, the newer thread comes first.
	var want []chat.ThreadItem
	for i, after := range []chat.Time{30, 10, 20, 10, 40, 20, 10} {
		b.store(newThread(threadID(i), noon+after, alice, bob))
		t := b.thread(threadID(i))
		want = append(want, chat.ThreadItem{Key: t.Key, ID: t.ID, Topic: t.Topic, LastOn: t.LastOn})
	}
	order := func(indexes ...int) (out []chat.ThreadItem) {
		for _, i := range indexes {
			out = append(out, want[i])
		}
		return out
	}
	all := order(4, 0, 5, 2, 6, 3, 1)
	for size := 1; size <= len(all)+1; size++ {
		for _, now := range []chat.Time{noon, noon + 60_011, noon + 60_021, noon + 100_000} { // all, some and none of them are of the last minute
			got := pages(b, size, func(after chat.Mark) ([]chat.ThreadItem, chat.Mark, error) {
				return b.db.ThreadsOf(b.Context(), alice, chat.ThreadQuery{Now: now, After: after, Limit: size})
			})
			b.equal(fmt.Sprintf("pages of %d at %d", size, now), all, got)
		}
	}
	since, _, err := b.db.ThreadsOf(b.Context(), alice, chat.ThreadQuery{Since: noon + 21, Limit: 10})
	b.must(err)
	b.equal("since a moment, which counts", order(4, 0, 5, 2), since)
	since, _, err = b.db.ThreadsOf(b.Context(), alice, chat.ThreadQuery{Since: noon + 22, Limit: 10})
	b.must(err)
	b.equal("since the moment after", order(4, 0), since)

	m := b.post(textPost(b.thread(threadID(1)), bob, "hello", noon+50))
	want[1].LastOn = m.CreatedOn()
	after, _, err := b.db.ThreadsOf(b.Context(), alice, chat.ThreadQuery{Limit: 3})
	b.must(err)
	b.equal("after a message", order(1, 4, 0), after)
}
