package storetest

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
)

var users = []test{
	{"are added once", func(b *bundle) {
		want := auth.User{Identity: alice, CreatedOn: noon}
		b.must(b.db.AddUser(b.Context(), want))
		b.must(b.db.AddUser(b.Context(), auth.User{Identity: alice, CreatedOn: noon + 5, ValidFrom: noon + 5}))
		got, err := b.db.User(b.Context(), alice)
		b.must(err)
		b.equal("user", want, got)
		_, err = b.db.User(b.Context(), bob)
		b.kind("a user who does not exist", err, chat.NotFound)
	}},
	{"have their tokens revoked", func(b *bundle) {
		b.users(alice, bob)
		b.must(b.db.RevokeUser(b.Context(), alice, noon+5))
		b.must(b.db.RevokeUserBefore(b.Context(), alice, noon+7))
		b.must(b.db.RevokeUserBefore(b.Context(), alice, noon+6)) // late, and undoes nothing
		b.must(b.db.RevokeUser(b.Context(), alice, noon+6))
		for who, want := range map[chat.Identity]auth.User{
			alice: {Identity: alice, CreatedOn: noon, ValidFrom: noon + 7},
			bob:   {Identity: bob, CreatedOn: noon},
		} {
			got, err := b.db.User(b.Context(), who)
			b.must(err)
			b.equal("user", want, got)
		}
		b.kind("revoking nobody's", b.db.RevokeUser(b.Context(), carol, noon), chat.NotFound)
		b.kind("revoking nobody's from before", b.db.RevokeUserBefore(b.Context(), carol, noon), chat.NotFound)
	}},
	{"leave a tombstone", func(b *bundle) {
		b.users(alice, bob)
		b.must(b.db.RevokeUser(b.Context(), alice, noon+5))
		b.must(b.db.DeleteUser(b.Context(), alice, noon+7))
		want := auth.User{Identity: alice, CreatedOn: noon, ValidFrom: noon + 5, DeletedOn: noon + 7}
		check := func() {
			b.Helper()
			got, err := b.db.User(b.Context(), alice)
			b.must(err)
			b.equal("user", want, got)
		}
		check()
		b.kind("deleting again", b.db.DeleteUser(b.Context(), alice, noon+9), chat.NotFound)
		b.kind("revoking what is deleted", b.db.RevokeUser(b.Context(), alice, noon+9), chat.NotFound)
		b.kind("revoking what is deleted from before", b.db.RevokeUserBefore(b.Context(), alice, noon+9), chat.NotFound)
		b.kind("deleting nobody", b.db.DeleteUser(b.Context(), carol, noon), chat.NotFound)
		b.must(b.db.AddUser(b.Context(), auth.User{Identity: alice, CreatedOn: noon + 9})) // does not bring her back
		check()
	}},
	{"are found by their custom id while they live", func(b *bundle) {
		find := func(customID string, want chat.Identity) {
			b.Helper()
			got, err := b.db.CustomUser(b.Context(), customID)
			if want == "" {
				b.kind(customID, err, chat.NotFound)
				return
			}
			b.must(err)
			b.equal(customID, want, got.Identity)
		}
		b.users(user(8), user(9)) // who have none, both
		find("", "")
		find("x", "")
		b.must(b.db.AddUser(b.Context(), auth.User{Identity: alice, CreatedOn: noon, CustomID: "x"}))
		b.must(b.db.AddUser(b.Context(), auth.User{Identity: bob, CreatedOn: noon, CustomID: "x"})) // is taken
		find("x", alice)
		_, err := b.db.User(b.Context(), bob)
		b.kind("who was not added", err, chat.NotFound)
		b.must(b.db.DeleteUser(b.Context(), alice, noon+5))
		find("x", "")
		b.must(b.db.AddUser(b.Context(), auth.User{Identity: bob, CreatedOn: noon, CustomID: "x"}))
		find("x", bob)
		find("X", "")
		got, err := b.db.User(b.Context(), alice)
		b.must(err)
		b.equal("who had it before", auth.User{Identity: alice, CreatedOn: noon, DeletedOn: noon + 5, CustomID: "x"}, got)
		for i, text := range odd {
			b.must(b.db.AddUser(b.Context(), auth.User{Identity: user(100 + i), CustomID: text}))
			find(text, user(100+i))
		}
	}},
	{"of one custom id are one, however many try", func(b *bundle) {
		together(20, func(i int) {
			if err := b.db.AddUser(b.Context(), auth.User{Identity: user(i), CreatedOn: noon, CustomID: "x"}); err != nil {
				b.Error(err)
			}
		})
		var all []chat.Identity
		for i := range 20 {
			all = append(all, user(i))
		}
		known, err := b.db.Known(b.Context(), all)
		b.must(err)
		got, err := b.db.CustomUser(b.Context(), "x")
		b.must(err)
		b.equal("known", map[chat.Identity]bool{got.Identity: true}, known)
	}},
	{"note when a token was issued", func(b *bundle) {
		b.users(alice, bob)
		for _, now := range []chat.Time{noon + 5, noon + 7, noon + 6} { // the last by a clock that is behind
			issued, err := b.db.NoteToken(b.Context(), alice, now)
			b.must(err)
			b.equal("issued", now, issued)
		}
		got, err := b.db.User(b.Context(), alice)
		b.must(err)
		b.equal("user", auth.User{Identity: alice, CreatedOn: noon, TokenOn: noon + 7}, got)
		b.must(b.db.DeleteUser(b.Context(), bob, noon))
		_, err = b.db.NoteToken(b.Context(), bob, noon)
		b.kind("a token of one who is deleted", err, chat.NotFound)
		_, err = b.db.NoteToken(b.Context(), carol, noon)
		b.kind("a token of nobody", err, chat.NotFound)
	}},
	{"are revoked up to their newest token and get tokens from the second after", func(b *bundle) {
		b.users(alice)
		const hour = 3_600_000
		for i, step := range []struct {
			revoke bool
			now    chat.Time // noon begins 0 ms after a second
			want   chat.Time // of the token, or ValidFrom
		}{
			{false, noon + hour + 5, noon + hour + 5}, // by a clock that is ahead
			{true, noon + 7, noon + hour + 5},         // by one that is right
			{false, noon + 8, noon + hour + 1000},     // behind the revocation
			{false, noon + hour + 6, noon + hour + 1000},
			{false, noon + hour + 1000, noon + hour + 1000},
			{true, noon + 9, noon + hour + 1000},
			{true, noon + 10, noon + hour + 1000}, // nothing was issued since
			{false, noon + 11, noon + hour + 2000},
			{true, noon + 2*hour, noon + 2*hour},
			{false, noon + 2*hour, noon + 2*hour + 1000},
			{false, noon + 3*hour, noon + 3*hour},
		} {
			var got chat.Time
			if step.revoke {
				b.must(b.db.RevokeUser(b.Context(), alice, step.now))
				u, err := b.db.User(b.Context(), alice)
				b.must(err)
				got = u.ValidFrom
			} else {
				var err error
				got, err = b.db.NoteToken(b.Context(), alice, step.now)
				b.must(err)
			}
			b.equal(fmt.Sprint("step ", i), step.want, got)
		}
	}},
	{"have no token that two nodes could disagree about", func(b *bundle) {
		// One node ahead by an hour and one that is right issue and revoke at once: each token is either ended by a revocation
		// or behind all of them.
		b.users(alice)
		var mu sync.Mutex
		var issued []chat.Time
		together(12, func(i int) {
			now := noon + chat.Time(i%2)*3_600_000
			if i%3 == 0 {
				if err := b.db.RevokeUser(b.Context(), alice, now); err != nil {
					b.Error(err)
				}
				return
			}
			at, err := b.db.NoteToken(b.Context(), alice, now)
			if err != nil {
				b.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			issued = append(issued, at)
		})
		b.must(b.db.RevokeUser(b.Context(), alice, noon))
		u, err := b.db.User(b.Context(), alice)
		b.must(err)
		for _, at := range issued {
			if at > u.ValidFrom {
				b.Errorf("a token of %d is left, which was issued before the revocation that counts from %d", at, u.ValidFrom)
			}
		}
	}},
	{"are known unless they are deleted", func(b *bundle) {
		var all []chat.Identity
		for i := range 200 {
			all = append(all, user(i))
		}
		b.users(all...)
		b.must(b.db.DeleteUser(b.Context(), all[3], noon))
		const deleted, unknown = 3, 1
		for _, n := range []int{0, 1, 24, 25, 26, 50, 51, 200} {
			// The last of those asked for does not exist. Only the first is asked for twice.
			ask := slices.Clone(all[:n])
			want := map[chat.Identity]bool{}
			for i, who := range ask {
				if i != deleted {
					want[who] = true
				}
			}
			if n > 0 {
				ask = append(ask, ask[0])
			}
			if n > unknown {
				delete(want, ask[n-1])
				ask[n-1] = "8:acs:nobody"
			}
			got, err := b.db.Known(b.Context(), ask)
			b.must(err)
			if !maps.Equal(want, got) {
				b.Errorf("of %d, %d are known, want %d: %v", n, len(got), len(want), got)
			}
		}
	}},
	{"are known by every character", func(b *bundle) {
		// Ids are checked before they reach the store. It never takes one for a part of a statement.
		for _, text := range odd {
			who := chat.Identity(text)
			b.must(b.db.AddUser(b.Context(), auth.User{Identity: who, CreatedOn: noon}))
			got, err := b.db.Known(b.Context(), []chat.Identity{who})
			b.must(err)
			b.equal("known", map[chat.Identity]bool{who: true}, got)
		}
	}},
	{"come with signing keys, oldest first", func(b *bundle) {
		none, err := b.db.SigningKeys(b.Context())
		b.must(err)
		b.equal("keys of a new store", 0, len(none))
		second := auth.SigningKey{ID: "a", PKCS8: []byte{0, 1, 2, 0xff, 0}, CreatedOn: noon + 5}
		first := auth.SigningKey{ID: "b", PKCS8: []byte("first"), CreatedOn: noon}
		third := auth.SigningKey{ID: "c", PKCS8: []byte("third"), CreatedOn: noon + 5}
		for _, k := range []auth.SigningKey{third, second, first, {ID: "b", PKCS8: []byte("another"), CreatedOn: noon + 9}} {
			b.must(b.db.AddSigningKey(b.Context(), k))
		}
		got, err := b.db.SigningKeys(b.Context())
		b.must(err)
		b.equal("keys", []auth.SigningKey{first, second, third}, got)
		for range 2 { // the second time there is nothing to remove
			b.must(b.db.RemoveSigningKey(b.Context(), "a"))
		}
		got, err = b.db.SigningKeys(b.Context())
		b.must(err)
		b.equal("keys after one was removed", []auth.SigningKey{first, third}, got)
	}},
	{"come with secrets that stay", func(b *bundle) {
		var mu sync.Mutex
		seen := map[string]string{}
		together(20, func(i int) {
			name := fmt.Sprint("secret", i%2)
			got, err := b.db.Secret(b.Context(), name)
			if err != nil {
				b.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if len(got) != 32 || (seen[name] != "" && seen[name] != string(got)) {
				b.Errorf("%s is %x, want 32 bytes, before it was %x", name, got, seen[name])
			}
			seen[name] = string(got)
		})
		if seen["secret0"] == seen["secret1"] {
			b.Error("two secrets are the same")
		}
	}},
}

// users adds users, all at noon.
func (b *bundle) users(who ...chat.Identity) {
	b.Helper()
	for _, w := range who {
		b.must(b.db.AddUser(b.Context(), auth.User{Identity: w, CreatedOn: noon}))
	}
}
