package storetest

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"github.com/chatd/chatd/internal/chat"
)

var images = []test{
	{"are read as they were added, and leave an owner when they are removed", func(b *bundle) {
		first, second := b.create(threadID(1), alice), b.create(threadID(2), alice)
		var every []byte
		for i := range 256 {
			every = append(every, byte(i))
		}
		want := &chat.Image{ID: "a", Name: "a.png", Type: "image/png", Owner: alice, On: noon, Roster: 3, Bytes: bytes.Repeat(every, 4096)}
		b.must(b.db.AddImage(b.Context(), first.Key, want, 0))
		get := func(what string, thread chat.Thread, id string, want *chat.Image) {
			b.Helper()
			got, err := b.db.Image(b.Context(), thread.Key, id)
			if want == nil {
				b.kind(what, err, chat.NotFound)
				return
			}
			b.must(err)
			b.equal(what, want, got)
		}
		get("image", first, "a", want)
		get("image of another thread", second, "a", nil)
		get("another image", first, "b", nil)
		same := &chat.Image{ID: "a", Bytes: []byte("another")}
		b.must(b.db.AddImage(b.Context(), second.Key, same, 0)) // ids are those of their thread
		get("image of that id", second, "a", same)
		b.must(b.db.DeleteImage(b.Context(), first.Key, "a"))
		b.must(b.db.DeleteImage(b.Context(), first.Key, "a")) // is no error
		removed, err := b.db.Image(b.Context(), first.Key, "a")
		b.must(err)
		if removed.Owner != alice || removed.Name != "" || len(removed.Bytes) > 0 {
			b.Errorf("of a removed image %+v is left, want its owner", removed)
		}
		get("image of that id, after that", second, "a", same)
	}},
	{"keep every character", func(b *bundle) {
		thread := b.create(lunch, alice)
		for i, text := range odd {
			want := &chat.Image{ID: fmt.Sprint(text, i), Name: text, Type: text, Owner: alice, Bytes: []byte(text)}
			b.must(b.db.AddImage(b.Context(), thread.Key, want, 0))
			got, err := b.db.Image(b.Context(), thread.Key, want.ID)
			b.must(err)
			b.equal("image", want, got)
		}
	}},
	{"of one owner are as many as the quota says in a day", func(b *bundle) {
		const day = 24 * 3_600_000
		b.users(alice, bob)
		first, second := b.create(threadID(1), alice, bob), b.create(threadID(2), alice, bob)
		for i, step := range []struct {
			thread chat.Thread
			owner  chat.Identity
			on     chat.Time
			perDay int
			want   bool
		}{
			{first, alice, noon, 2, true},
			{second, alice, noon + 5, 2, true},
			{first, alice, noon + 6, 2, false},
			{first, bob, noon + 6, 2, true},
			{first, alice, noon + 7, 3, true},
			{first, alice, noon + 8, 0, true}, // off
			{first, alice, noon + day - 1, 4, false},
			{first, alice, noon + day, 4, true}, // the first one was a day ago
			{first, alice, noon + day, 4, false},
		} {
			err := b.db.AddImage(b.Context(), step.thread.Key, &chat.Image{ID: fmt.Sprint(i), Owner: step.owner, On: step.on, Bytes: []byte("a")}, step.perDay)
			if step.want {
				b.must(err)
				continue
			}
			b.kind(fmt.Sprint("image ", i), err, chat.TooMany)
			_, err = b.db.Image(b.Context(), step.thread.Key, fmt.Sprint(i))
			b.kind("what was refused", err, chat.NotFound)
		}
		b.must(b.db.DeleteImage(b.Context(), second.Key, "1")) // makes room
		b.must(b.db.AddImage(b.Context(), first.Key, &chat.Image{ID: "x", Owner: alice, On: noon + day, Bytes: []byte("a")}, 4))
	}},
	{"that come at once are no more than the quota says", func(b *bundle) {
		b.users(alice)
		thread := b.create(lunch, alice)
		var kept atomic.Int64
		together(12, func(i int) {
			err := b.db.AddImage(b.Context(), thread.Key, &chat.Image{ID: fmt.Sprint(i), Owner: alice, On: noon, Bytes: []byte("a")}, 5)
			if err == nil {
				kept.Add(1)
			} else {
				b.kind("one too many", err, chat.TooMany)
			}
		})
		b.equal("kept", int64(5), kept.Load())
	}},
}
