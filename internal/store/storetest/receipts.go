package storetest

import (
	"fmt"

	"github.com/chatd/chatd/internal/chat"
)

var receipts = []test{
	{"are the latest of each reader, newest first", func(b *bundle) {
		thread := b.create(lunch, alice, bob, carol)
		read := func(who chat.Identity, m chat.MessageID, at chat.Time) chat.ReadReceipt {
			r := chat.ReadReceipt{Reader: who, MessageID: m, ReadOn: at}
			b.update(lunch, func(c *chat.Change) { c.Receipt = &r })
			return r
		}
		first, second := thread.LastID-1, thread.LastID
		of := map[chat.Identity]chat.ReadReceipt{}
		of[carol] = read(carol, first, noon+10)
		of[alice] = read(alice, second, noon+20)
		of[bob] = read(bob, first, noon+30)
		expect := func(when string, want ...chat.ReadReceipt) {
			b.Helper()
			for size := 1; size <= 4; size++ {
				var got []chat.ReadReceipt
				for skip := 0; skip < 4; skip += size {
					page, _, err := b.db.Receipts(b.Context(), thread.Key, chat.PageQuery{Skip: skip, Limit: size})
					b.must(err)
					got = append(got, page...)
				}
				b.equal(fmt.Sprintf("%s, pages of %d by skip", when, size), want, got)
				b.equal(fmt.Sprintf("%s, pages of %d", when, size), want[1:], pages(b, size, func(after chat.Mark) ([]chat.ReadReceipt, chat.Mark, error) {
					return b.db.Receipts(b.Context(), thread.Key, chat.PageQuery{Skip: 1, After: after, Limit: size})
				}))
			}
		}
		expect("each once", of[bob], of[alice], of[carol])
		of[carol] = read(carol, second, noon+40)
		expect("carol read on", of[carol], of[bob], of[alice])
		of[alice] = read(alice, second+1, noon+40)
		expect("two read at one moment", of[carol], of[alice], of[bob])
		b.equal("the thread", thread, b.thread(lunch))
	}},
	{"are seen under the lock", func(b *bundle) {
		b.create(lunch, alice, bob)
		want := chat.ReadReceipt{Reader: alice, MessageID: 4711, ReadOn: noon}
		b.update(lunch, func(c *chat.Change) { c.Receipt = &want })
		b.must(b.db.Update(b.Context(), lunch, func(v chat.View) (*chat.Change, error) {
			for who, want := range map[chat.Identity]*chat.ReadReceipt{alice: &want, bob: nil} {
				got, err := v.Receipt(who)
				if err != nil {
					return nil, err
				}
				b.equal(string(who), want, got)
			}
			return nil, nil
		}))
	}},
	{"are those of their thread", func(b *bundle) {
		first, second := b.create(threadID(1), alice), b.create(threadID(2), alice)
		b.update(threadID(1), func(c *chat.Change) { c.Receipt = &chat.ReadReceipt{Reader: alice, MessageID: 1, ReadOn: noon} })
		for thread, want := range map[chat.ThreadKey]int{first.Key: 1, second.Key: 0} {
			got, _, err := b.db.Receipts(b.Context(), thread, chat.PageQuery{Limit: 10})
			b.must(err)
			if len(got) != want {
				b.Errorf("thread %d has %d receipts, want %d", thread, len(got), want)
			}
		}
	}},
}
