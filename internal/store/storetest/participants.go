package storetest

import (
	"fmt"
	"slices"

	"github.com/chatd/chatd/internal/chat"
)

var participants = []test{
	{"are read as they joined", func(b *bundle) {
		want := []chat.Participant{
			stay(alice, 1),
			{Identity: bob, DisplayName: "Bob", ShareFrom: noon - 5, Metadata: map[string]string{"k": "v"}, Roles: []string{"a", "b"}, Joined: 1},
		}
		c := newThread(lunch, noon, alice)
		c.Join, c.Thread.Present = want, 2
		b.store(c)
		got, _, err := b.db.Participants(b.Context(), b.thread(lunch).Key, chat.PageQuery{Limit: 10})
		b.must(err)
		b.equal("participants", want, got)
		b.equal("stay of bob", &want[1], b.access(lunch, bob).Stay)
		b.equal("stay of nobody", (*chat.Participant)(nil), b.access(lunch, carol).Stay)
	}},
	{"keep every character", func(b *bundle) {
		c := newThread(lunch, noon, alice)
		for i, text := range odd {
			c.Join = append(c.Join, chat.Participant{
				Identity: user(100 + i), DisplayName: text, Metadata: map[string]string{text: text}, Roles: []string{text, "a"}, Joined: 1,
			})
		}
		b.store(c)
		got, _, err := b.db.Participants(b.Context(), b.thread(lunch).Key, chat.PageQuery{Limit: 100})
		b.must(err)
		b.equal("participants", c.Join, got)
	}},
	{"are listed in the order of joining", func(b *bundle) {
		// The order of ids is not that of joining, and neither is that of the alphabet within one joining.
		thread := b.create(lunch, user(50), user(90), user(10))
		b.join(lunch, user(70), user(20))
		b.join(lunch, user(5))
		all := []chat.Identity{user(50), user(90), user(10), user(70), user(20), user(5)}
		for size := 1; size <= len(all)+1; size++ {
			var got []chat.Identity
			for skip := 0; skip <= len(all); skip += size {
				page, _, err := b.db.Participants(b.Context(), thread.Key, chat.PageQuery{Skip: skip, Limit: size})
				b.must(err)
				got = append(got, identities(page)...)
			}
			b.equal(fmt.Sprintf("pages of %d by skip", size), all, got)
			b.equal(fmt.Sprintf("pages of %d", size), all[1:], identities(pages(b, size, func(after chat.Mark) ([]chat.Participant, chat.Mark, error) {
				return b.db.Participants(b.Context(), thread.Key, chat.PageQuery{Skip: 1, After: after, Limit: size})
			})))
		}
	}},
	{"leave and come back", func(b *bundle) {
		thread := b.create(lunch, alice, bob, carol)
		expect := func(when string, want ...chat.Identity) {
			b.Helper()
			got, _, err := b.db.Participants(b.Context(), thread.Key, chat.PageQuery{Limit: 10})
			b.must(err)
			b.equal(when, want, identities(got))
			b.must(b.db.Update(b.Context(), lunch, func(v chat.View) (*chat.Change, error) {
				inside, err := v.Present()
				b.equal(when+", seen under the lock", got, inside)
				return nil, err
			}))
		}
		b.remove(lunch, alice)
		expect("alice left", bob, carol)
		b.equal("her stay", &chat.Participant{Identity: alice, Joined: 1, Left: 2, Until: thread.LastID}, b.access(lunch, alice).Stay)
		b.join(lunch, alice)
		expect("alice is back", bob, carol, alice)
		b.equal("her second stay", &chat.Participant{Identity: alice, Joined: 3}, b.access(lunch, alice).Stay)
		b.remove(lunch, alice)
		b.equal("and its end", &chat.Participant{Identity: alice, Joined: 3, Left: 4, Until: thread.LastID}, b.access(lunch, alice).Stay)
		b.remove(lunch, bob)
		b.remove(lunch, carol)
		expect("all left", []chat.Identity{}...)
		if n := b.thread(lunch).Present; n != 0 {
			b.Errorf("%d present, want none", n)
		}
	}},
	{"are altered in their present stay", func(b *bundle) {
		before := b.create(lunch, alice, bob)
		b.remove(lunch, alice)
		b.join(lunch, alice)
		alter := func(p chat.Participant) {
			b.Helper()
			b.update(lunch, func(c *chat.Change) { c.Alter = []chat.Participant{p} })
			b.equal("stay", &p, b.access(lunch, p.Identity).Stay)
		}
		now := *b.access(lunch, alice).Stay
		now.DisplayName, now.Roles = "Al", []string{"a"}
		alter(now)
		now.DisplayName, now.Roles = "", nil
		alter(now)
		b.equal("stay of bob", &chat.Participant{Identity: bob, Joined: 1}, b.access(lunch, bob).Stay)
		before.Roster += 2
		b.equal("thread", before, b.thread(lunch))
	}},
	{"are those of their thread", func(b *bundle) {
		b.create(threadID(1), alice, bob)
		other := b.create(threadID(2), alice)
		b.remove(threadID(1), alice)
		got, _, err := b.db.Participants(b.Context(), other.Key, chat.PageQuery{Limit: 10})
		b.must(err)
		b.equal("participants of the other thread", []chat.Participant{stay(alice, 1)}, got)
	}},
	{"may be as many as are allowed", func(b *bundle) {
		var who []chat.Identity
		for i := range chat.MaxParticipants {
			who = append(who, user(i))
		}
		thread := b.create(lunch, who[:chat.MaxParticipantsPerCall+1]...)
		b.join(lunch, who[chat.MaxParticipantsPerCall+1:]...)
		var got []chat.Identity
		for skip := 0; skip < len(who); skip += 100 {
			page, _, err := b.db.Participants(b.Context(), thread.Key, chat.PageQuery{Skip: skip, Limit: 100})
			b.must(err)
			got = append(got, identities(page)...)
		}
		b.equal("participants", who, got)
		b.must(b.db.Update(b.Context(), lunch, func(v chat.View) (*chat.Change, error) {
			inside, err := v.Present()
			if len(inside) != chat.MaxParticipants {
				b.Errorf("%d seen under the lock, want %d", len(inside), chat.MaxParticipants)
			}
			return nil, err
		}))
		// The message that lists them all is whole.
		first := b.all(thread)[0]
		b.equal("those of the first message", who[:chat.MaxParticipantsPerCall+1], identities(first.Content.Participants))
		last := slices.Max(who)
		if b.access(lunch, last).Stay == nil {
			b.Errorf("%s has no stay", last)
		}
	}},
}
