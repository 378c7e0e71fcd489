package storetest

import (
	"github.com/chatd/chatd/internal/chat"
)

// leaving is about what users read whose stay has ended: the thread as they left it.
var leaving = []test{
	{"keeps the thread as it was", func(b *bundle) {
		c := newThread(lunch, noon, alice, bob, carol)
		c.Thread.Metadata, c.Thread.Retention = map[string]string{"k": "'\"é"}, chat.Retention{Kind: chat.RetentionCreationDate, Days: 30}
		c.Thread.TextOnly = true
		b.store(c)
		b.store(newThread(threadID(1), noon+50, bob))
		before := b.thread(lunch)
		b.remove(lunch, bob)
		b.update(lunch, func(c *chat.Change) {
			c.Thread.Topic, c.Thread.Metadata = "dinner", map[string]string{"k": "v"}
			c.Thread.Retention, c.Thread.TextOnly = chat.Retention{Kind: chat.RetentionNone}, false
		})
		m := b.post(textPost(b.thread(lunch), alice, "hello", noon+100))
		now := b.thread(lunch)

		want := now // but for what clients see
		want.Topic, want.Metadata, want.Retention, want.TextOnly = before.Topic, before.Metadata, before.Retention, before.TextOnly
		want.LastID, want.LastOn = before.LastID, before.LastOn
		b.equal("the thread to bob", want, b.access(lunch, bob).Thread)
		b.equal("the thread to carol", now, b.access(lunch, carol).Thread)
		b.must(b.db.Update(b.Context(), lunch, func(v chat.View) (*chat.Change, error) {
			a, err := v.Access(bob)
			b.equal("the thread to bob, under the lock", want, a.Thread)
			return nil, err
		}))
		list := func(who chat.Identity, q chat.ThreadQuery) []chat.ThreadItem {
			b.Helper()
			q.Limit, q.Now = 10, noon+100_000
			got, _, err := b.db.ThreadsOf(b.Context(), who, q)
			b.must(err)
			return got
		}
		behindFirst := func(who chat.Identity) []chat.ThreadItem {
			b.Helper()
			_, mark, err := b.db.ThreadsOf(b.Context(), who, chat.ThreadQuery{Limit: 1, Now: noon + 100_000})
			b.must(err)
			return list(who, chat.ThreadQuery{After: mark})
		}
		item := chat.ThreadItem{Key: now.Key, ID: lunch, Topic: "lunch", LastOn: before.LastOn}
		other := chat.ThreadItem{Key: b.thread(threadID(1)).Key, ID: threadID(1), Topic: "lunch", LastOn: noon + 51}
		b.equal("bob's list, in the order of what he saw", []chat.ThreadItem{other, item}, list(bob, chat.ThreadQuery{}))
		b.equal("bob's list, since then", []chat.ThreadItem{other}, list(bob, chat.ThreadQuery{Since: before.LastOn + 1}))
		b.equal("bob's list, behind the first", []chat.ThreadItem{item}, behindFirst(bob))
		b.equal("carol's list", []chat.ThreadItem{{Key: now.Key, ID: lunch, Topic: "dinner", LastOn: m.CreatedOn()}}, list(carol, chat.ThreadQuery{}))

		b.join(lunch, bob)
		now.Roster, now.Present = now.Roster+1, now.Present+1
		b.equal("the thread to bob, who is back", now, b.access(lunch, bob).Thread)
		b.equal("his list", []chat.ThreadItem{{Key: now.Key, ID: lunch, Topic: "dinner", LastOn: m.CreatedOn()}, other}, list(bob, chat.ThreadQuery{}))
	}},
	{"keeps messages as they were", func(b *bundle) {
		thread := b.create(lunch, alice, bob, carol)
		m := b.post(textPost(thread, alice, "first", noon+100))
		other := b.post(textPost(thread, alice, "other", noon+110))
		at := noon + 200
		edit := func(text string) chat.Message {
			at++
			m.Version, m.EditedOn, m.Content, m.Metadata = int64(at), at, chat.Content{Text: text, Attachments: attachments}, map[string]string{"text": text}
			b.update(lunch, func(c *chat.Change) { c.Replace = []chat.Message{m} })
			return m
		}
		expect := func(when string, who chat.Identity, want ...chat.Message) {
			b.Helper()
			now := b.access(lunch, who)
			q := chat.MessageQuery{To: now.Thread.LastID, Limit: 10, Newest: now.Thread.LastID, Edited: now.Thread.Edited, Left: now.Stay.Left}
			for range 2 { // the second time it may be remembered
				got, err := b.db.Messages(b.Context(), thread.Key, q)
				b.must(err)
				b.equal(when+", read by "+string(who), want, got[:len(got)-2])
			}
			q.From, q.To, q.Limit = m.ID, m.ID, 1
			got, err := b.db.Messages(b.Context(), thread.Key, q)
			b.must(err)
			b.equal(when+", one read by "+string(who), want[1:], got)
		}
		second := edit("second")
		expect("before", bob, other, second)
		b.remove(lunch, bob)
		expect("left", bob, other, second)
		edit("third")
		fourth := edit("fourth")
		expect("edited twice", carol, other, fourth)
		expect("edited twice", bob, other, second)
		expect("edited twice", alice, other, fourth)
		b.remove(lunch, carol)
		at++
		m.Version, m.DeletedOn, m.Content, m.Metadata = int64(at), at, chat.Content{}, nil
		b.update(lunch, func(c *chat.Change) { c.Replace = []chat.Message{m} })
		expect("deleted", alice, other, m)
		expect("deleted", bob, other, second)
		expect("deleted", carol, other, fourth)
		b.join(lunch, bob)
		expect("back", bob, other, m)
		b.remove(lunch, bob)
		expect("gone again", bob, other, m)
		expect("gone again", carol, other, fourth)
	}},
}
