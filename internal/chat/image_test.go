package chat

import (
	"crypto/rand"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewImage(t *testing.T) {
	t.Parallel()
	for _, kind := range imageTypes {
		got, err := newImage(alice, "id", NewImage{"a.png", kind, []byte("bytes")}, noon) // whatever the name says
		accepted(t, err)
		want := &Image{ID: "id", Name: "a.png", Type: kind, Owner: alice, On: noon, Bytes: []byte("bytes")}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("image (-want +got):\n%s", diff)
		}
	}
}

// What a browser would run or open as something else is no image.
func TestNewImageRefuses(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "text/plain; charset=utf-8", "text/html; charset=utf-8", "image/svg+xml", "image/x-icon", "video/mp4", "application/octet-stream"} {
		if _, err := newImage(alice, "id", NewImage{Type: kind, Bytes: []byte("bytes")}, noon); KindOf(err) != Invalid {
			t.Errorf("%s: %v, want it refused as invalid", kind, err)
		}
	}
}

func TestNewImageIDForm(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^0-[a-z]{2}-d[0-9]-[0-9a-f]{32}$`) // example of the specification, 2024-03-15-preview
	a, b := newImageID(rand.Reader), newImageID(rand.Reader)
	if !form.MatchString(a) || a == b {
		t.Errorf("ids are %s and %s", a, b)
	}
}
