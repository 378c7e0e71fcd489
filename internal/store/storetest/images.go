package storetest

import (
	"bytes"
	"fmt"

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
		b.must(b.db.AddImage(b.Context(), first.Key, want))
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
		b.must(b.db.AddImage(b.Context(), second.Key, same)) // ids are those of their thread
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
			b.must(b.db.AddImage(b.Context(), thread.Key, want))
			got, err := b.db.Image(b.Context(), thread.Key, want.ID)
			b.must(err)
			b.equal("image", want, got)
		}
	}},
}
