package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

// Images are in two previews only (specifications of 2024-03-15-preview and 2024-06-05-preview); nothing is recorded.
func TestImages(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	alice, bob := w.alice.at(chatImages), w.bob.at(chatLastImages)
	uploaded := alice.post(w.at("/images"), picture, "Content-Type: application/octet-stream", "image-filename: picture.png").is(http.StatusCreated)
	id := uploaded.text("id")
	uploaded.same(map[string]any{"id": id, "attachmentType": "image", "name": "picture.png"})
	if got, want := uploaded.header.Get("Location"), w.at("/images/"+id); got != want {
		t.Errorf("Location is %q, want the relative %q", got, want)
	}
	for _, view := range []string{"/views/original", "/views/small", "/view/large"} {
		a := bob.get(w.at("/images/" + id + view)).is(http.StatusOK)
		if string(a.body) != picture || a.header.Get("Content-Type") != "image/png" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %q of type %q, want what was uploaded", view, a.body, a.header.Get("Content-Type"))
		}
	}

	attached := encoded(map[string]any{"content": "look", "type": "html", "attachments": []any{map[string]any{"id": id, "attachmentType": "image", "name": "picture.png"}}})
	message := alice.post(w.at("/messages"), attached).is(http.StatusCreated).text("id")
	base := w.b.URL + "/chat/threads/" + strings.Replace(string(w.thread), ":", "%3A", 1) + "/images/" + id
	// The addresses are called as they are, so they name a version that has images (quickstart of inline images).
	for version, named := range map[string]string{chatImages: chatImages, chatLastImages: chatLastImages, newestChat: chatLastImages} {
		got := bob.at(version).get(w.at("/messages/" + message)).is(http.StatusOK)
		got.holds("content.attachments", []any{map[string]any{
			"id": id, "attachmentType": "image", "name": "picture.png",
			"url": base + "/views/original?api-version=" + named, "previewUrl": base + "/views/small?api-version=" + named,
		}})
		if a := bob.at("").get(got.text("content.attachments.0.url")).is(http.StatusOK); string(a.body) != picture {
			t.Errorf("the address of the attachment gives %q", a.body)
		}
	}

	bob.delete(w.at("/images/" + id)).is(http.StatusForbidden) // it is alice's
	alice.delete(w.at("/images/" + id)).empty(http.StatusNoContent)
	alice.get(w.at("/images/" + id + "/views/original")).is(http.StatusNotFound)
}

// A quota of images is a 429, which SDKs try again some times; a Retry-After of hours would make them wait for that long.
func TestImagesQuota(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.chat.ImagesPerDay = 1
	w := newWorld(b)
	alice := w.alice.at(chatImages)
	id := alice.upload(w.thread)
	a := alice.post(w.at("/images"), picture, "Content-Type: application/octet-stream")
	a.denied(http.StatusTooManyRequests, "TooManyRequests", "Rate limit exceeded.", "")
	if got := a.header.Get("Retry-After"); got != "" {
		t.Errorf("Retry-After is %s", got)
	}
	if line := b.log.of(t, a); !strings.Contains(line["reason"].(string), "quota of images") {
		t.Errorf("the log has %v", line)
	}
	w.bob.at(chatImages).upload(w.thread) // has a quota of his own
	alice.delete(w.at("/images/" + id)).empty(http.StatusNoContent)
	alice.upload(w.thread)
}

func TestImagesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	alice, stranger := w.alice.at(chatImages), w.b.user().at(chatImages)
	id := alice.upload(w.thread)
	const octets = "Content-Type: application/octet-stream"
	for _, test := range []struct {
		name   string
		answer *answer
		status int
		code   string
	}{
		{"no bytes", alice.post(w.at("/images"), "", octets), http.StatusBadRequest, "BadRequest"},
		{"no picture", alice.post(w.at("/images"), "<svg onload=alert(1)>", octets), http.StatusBadRequest, "BadRequest"},
		{"stranger uploads", stranger.post(w.at("/images"), picture, octets), http.StatusForbidden, "Forbidden"},
		{"stranger looks", stranger.get(w.at("/images/" + id + "/views/original")), http.StatusForbidden, "Forbidden"},
		{"unknown image", alice.get(w.at("/images/x/views/original")), http.StatusNotFound, "NotFound"},
		{"unknown view", alice.get(w.at("/images/" + id + "/views/huge")), http.StatusBadRequest, "BadRequest"},
		{"image of another thread", alice.get(alice.newThread().path("/images/" + id + "/views/original")), http.StatusNotFound, "NotFound"},
	} {
		// Errors of images have the documented envelope.
		if test.answer.is(test.status); test.answer.text("error.code") != test.code {
			t.Errorf("%s: %s, want code %s", test.name, test.answer.body, test.code)
		}
	}
}

// A thread whose messaging policy is text only takes neither pictures nor html (specification of 2024-06-05-preview).
func TestTextOnlyThread(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user().at(chatLastImages)
	created := alice.post("/chat/threads", `{"topic":"lunch","messagingPolicy":{"textOnlyChat":true}}`).is(http.StatusCreated)
	created.holds("chatThread.messagingPolicy", map[string]any{"textOnlyChat": true})
	th := thread(created.text("chatThread.id"))
	alice.post(th.path("/images"), picture).is(http.StatusForbidden)
	alice.post(th.path("/messages"), `{"content":"<b>bold</b>","type":"html"}`).refused(http.StatusForbidden, "Forbidden", anyReason)
	alice.post(th.path("/messages"), `{"content":"plain"}`).is(http.StatusCreated)
	alice.at(newestChat).get(th.path("")).is(http.StatusOK).lacks("messagingPolicy")

	alice.patch(th.path(""), `{"messagingPolicy":{"textOnlyChat":false}}`).empty(http.StatusNoContent)
	alice.get(th.path("")).lacks("messagingPolicy")
	alice.upload(th)
	alice.post(th.path("/messages"), `{"content":"<b>bold</b>","type":"html"}`).is(http.StatusCreated)
}
