package storetest

import (
	"fmt"

	"github.com/chatd/chatd/internal/chat"
)

// lists are about pages of items that move, at the limits of what a mark holds. The property test of package store does the rest.
var lists = []test{
	{"of threads are whole although more move than a mark holds", func(b *bundle) {
		const n, size = 230, 40
		var all []chat.ThreadID
		for i := range n {
			b.store(newThread(threadID(i), noon+chat.Time(10*i), alice))
			all = append([]chat.ThreadID{threadID(i)}, all...)
		}
		read := 0
		got := pages(b, size, func(after chat.Mark) ([]chat.ThreadItem, chat.Mark, error) {
			page, next, err := b.db.ThreadsOf(b.Context(), alice, chat.ThreadQuery{Now: noon + 10*n, After: after, Limit: size})
			if len(next) > 204 {
				b.Errorf("the mark has %d numbers", len(next))
			}
			for i := range 20 { // some that were listed and some that were not
				b.post(textPost(b.thread(threadID(11*i)), alice, "moved", noon+chat.Time(10*n+1000*read+i)))
			}
			read++
			return page, next, err
		})
		b.equal("threads", all, threadIDs(got))
	}},
	{"of receipts are whole although there are more than a mark holds", func(b *bundle) {
		const n, size = 270, 40
		thread := b.create(lunch, alice)
		var all []chat.Identity
		for i := range n {
			b.update(lunch, func(c *chat.Change) {
				c.Receipt = &chat.ReadReceipt{Reader: user(100 + i), MessageID: 1, ReadOn: noon + chat.Time(i)}
			})
			all = append([]chat.Identity{user(100 + i)}, all...)
		}
		got := pages(b, size, func(after chat.Mark) ([]chat.ReadReceipt, chat.Mark, error) {
			page, next, err := b.db.Receipts(b.Context(), thread.Key, chat.PageQuery{After: after, Limit: size})
			if len(next) > 1+chat.MaxParticipants {
				b.Errorf("the mark has %d numbers", len(next))
			}
			return page, next, err
		})
		var readers []chat.Identity
		for _, r := range got {
			readers = append(readers, r.Reader)
		}
		b.equal("readers", all, readers)
	}},
	{"refuse marks that are not theirs", func(b *bundle) {
		thread := b.create(lunch, alice)
		for i, after := range []chat.Mark{{}, {1}, {1, 2}, {1, 1, 1, 1}, {1, -1, 1, 1}, {1, 1 << 62, 1, 1, 1}} {
			_, _, err := b.db.ThreadsOf(b.Context(), alice, chat.ThreadQuery{After: after, Limit: 10})
			b.kind(fmt.Sprint("threads after ", after), err, chat.Invalid)
			_, _, err = b.db.Participants(b.Context(), thread.Key, chat.PageQuery{After: after, Limit: 10})
			b.kind(fmt.Sprint("participants after ", after), err, chat.Invalid)
			if _, _, err = b.db.Receipts(b.Context(), thread.Key, chat.PageQuery{After: after, Limit: 10}); i == 0 {
				b.kind("receipts after nothing", err, chat.Invalid)
			}
		}
	}},
}

func threadIDs(in []chat.ThreadItem) []chat.ThreadID {
	out := make([]chat.ThreadID, len(in))
	for i, t := range in {
		out[i] = t.ID
	}
	return out
}
