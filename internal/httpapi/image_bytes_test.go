package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/chat"
)

const octets = "Content-Type: application/octet-stream"

// The type of an image is found in its bytes, whatever the request claims. The types are those that @azure/communication-chat
// 1.6.0-beta.7 names, and BMP.
func TestTypesOfImages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	alice := w.alice.at(chatImages)
	for _, test := range []struct{ name, bytes, kind string }{
		{"PNG", picture, "image/png"},
		{"JPEG", "\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"},
		{"GIF", "GIF89a\x01\x00\x01\x00", "image/gif"},
		{"WebP", "RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"},
		{"BMP", "BM\x3a\x00\x00\x00", "image/bmp"},
		{"HEIC", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "image/heic"},
		{"HEIC of another brand", "\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "image/heic"},
		{"film", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41", ""},
		{"page", "<!DOCTYPE html><script>alert(1)</script>", ""},
		{"drawing", `<svg xmlns="http://www.w3.org/2000/svg"/>`, ""},
		{"document", "%PDF-1.7", ""},
		{"archive", "PK\x03\x04", ""},
		{"text", "a picture", ""},
		{"beginning of a picture", "\x89PN", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			alice := alice.in(t)
			for _, claim := range []string{octets, "Content-Type: image/png", "Content-Type: text/html"} {
				a := alice.post(w.at("/images"), test.bytes, claim, "image-filename: a.png")
				if test.kind == "" {
					a.denied(http.StatusBadRequest, "BadRequest", "The image type is not supported.", "")
					continue
				}
				got := alice.get(w.at("/images/" + a.is(http.StatusCreated).text("id") + "/view/original")).is(http.StatusOK)
				if kind := got.header.Get("Content-Type"); kind != test.kind || string(got.body) != test.bytes {
					t.Errorf("%q of type %q, want %q of type %q", got.body, kind, test.bytes, test.kind)
				}
			}
		})
	}
}

// The largest image is taken, one byte more is not.
func TestSizesOfImages(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	alice := w.alice.at(chatLastImages)
	largest := picture + strings.Repeat("x", chat.MaxImageBytes-len(picture))
	for _, test := range []struct {
		name, bytes string
		status      int
	}{
		{"largest", largest, http.StatusCreated},
		{"a byte more", largest + "x", http.StatusRequestEntityTooLarge},
		{"two bytes more", largest + "xx", http.StatusRequestEntityTooLarge},
	} {
		a := alice.post(w.at("/images"), test.bytes, octets).is(test.status)
		if test.status == http.StatusCreated {
			a.lacks("name") // none was given
			if got := alice.get(w.at("/images/" + a.text("id") + "/views/original")); string(got.body) != largest {
				t.Errorf("%d bytes come back of %d", len(got.body), len(largest))
			}
		}
	}
	// A message is still bounded as ever.
	alice.post(w.at("/messages"), encoded(map[string]any{"content": strings.Repeat("x", 2<<20)})).is(http.StatusRequestEntityTooLarge)
}

// Who takes part sees images, who was removed still does, and strangers do not; only who takes part uploads.
func TestWhoSeesImages(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	alice, bob, stranger := w.alice.at(chatImages), w.bob.at(chatImages), w.b.user().at(chatImages)
	id := alice.upload(w.thread)
	for _, view := range []string{"/views/original", "/views/small", "/views/large", "/view/original", "/view/small", "/view/large"} {
		target := w.at("/images/" + id + view)
		bob.get(target).is(http.StatusOK)
		notMember := "User " + stranger.id + " is not a member of the thread " + string(w.thread)
		stranger.get(target).denied(http.StatusForbidden, "Forbidden", notMember, "")
		w.b.nobody().at(chatImages).get(target).empty(http.StatusUnauthorized)
		w.b.user("voip").at(chatImages).get(target).is(http.StatusForbidden)
	}
	alice.post(w.at("/participants/:remove"), encoded(user(bob.id))).empty(http.StatusNoContent)
	bob.get(w.at("/images/" + id + "/views/original")).is(http.StatusOK)
	bob.post(w.at("/images"), picture, octets).is(http.StatusForbidden)
	bob.delete(w.at("/images/" + id)).is(http.StatusForbidden)
	stranger.delete(w.at("/images/" + id)).is(http.StatusForbidden)

	alice.delete(w.at("")).empty(http.StatusNoContent)
	alice.get(w.at("/images/" + id + "/views/original")).is(http.StatusNotFound)
}

// An attached image whose id is no plain word does not lead elsewhere.
func TestAddressesOfImages(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	alice := w.alice.at(chatLastImages)
	base := w.b.URL + "/chat/threads/" + strings.Replace(string(w.thread), ":", "%3A", 1) + "/images/"
	for id, escaped := range map[string]string{
		"../../x": "..%2F..%2Fx", "a?b": "a%3Fb", "a#b": "a%23b", "a b": "a%20b", "0-eus-d2-00000000000000000000000000000000": "0-eus-d2-00000000000000000000000000000000",
	} {
		sent := alice.post(w.at("/messages"), encoded(map[string]any{
			"content": "look", "attachments": []any{map[string]any{"id": id, "attachmentType": "image"}},
		})).is(http.StatusCreated).text("id")
		got := alice.get(w.at("/messages/"+sent)).is(http.StatusOK).holds("content.attachments", []any{map[string]any{
			"id": id, "attachmentType": "image",
			"url":        base + escaped + "/views/original?api-version=" + chatLastImages,
			"previewUrl": base + escaped + "/views/small?api-version=" + chatLastImages,
		}})
		alice.at("").get(got.text("content.attachments.0.url")).is(http.StatusNotFound).holds("error.code", "NotFound")
	}
}
