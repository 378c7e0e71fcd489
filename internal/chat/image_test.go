package chat

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const png = "\x89PNG\x0d\x0a\x1a\x0a"

func TestNewImage(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^0-[a-z]{2}-d[0-9]-[0-9a-f]{32}$`) // example of the specification, 2024-03-15-preview
	seen := map[string]bool{}
	for _, c := range []struct{ kind, bytes string }{
		{"image/png", png},
		{"image/jpeg", "\xff\xd8\xff\xe0"},
		{"image/gif", "GIF89a"},
		{"image/bmp", "BM1234"},
		{"image/webp", "RIFF\x00\x00\x00\x00WEBPVP8 "},
	} {
		got, err := newImage(alice, "a.png", []byte(c.bytes), noon) // the bytes tell the type, whatever the name says
		accepted(t, err)
		want := &Image{ID: got.ID, Name: "a.png", Type: c.kind, Owner: alice, On: noon, Bytes: []byte(c.bytes)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("image (-want +got):\n%s", diff)
		}
		if !form.MatchString(got.ID) || seen[got.ID] {
			t.Errorf("id is %s", got.ID)
		}
		seen[got.ID] = true
	}
}

// What a browser would run or open as something else is no image.
func TestNewImageRefuses(t *testing.T) {
	t.Parallel()
	for what, bytes := range map[string]string{
		"nothing": "", "text": "hello", "a page": "<html><script>", "a drawing that may hold scripts": `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg">`,
		"a program": "\x7fELF", "an icon": "\x00\x00\x01\x00", "a film": "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41",
	} {
		if _, err := newImage(alice, "a.png", []byte(bytes), noon); KindOf(err) != Invalid {
			t.Errorf("%s: %v, want it refused as invalid", what, err)
		}
	}
}
