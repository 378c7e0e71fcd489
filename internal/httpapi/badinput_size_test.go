package httpapi

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"
)

const megabyte = 1 << 20

// sized is a good message of a length, most of it in a field that is ignored.
func sized(length int) string {
	const head, tail = `{"content":"x","unknown":"`, `"}`
	return head + strings.Repeat("y", length-len(head)-len(tail)) + tail
}

// Nobody has the server read a body without a good token, key, version or scope: the answer comes while the body does not, and
// a client that asks first is not told to go on.
func TestBodiesAreReadForCallersOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t, withBodyTimeout(time.Hour))
	w := newWorld(b)
	const octets = "Content-Type: application/octet-stream"
	alice := w.alice.at(chatImages)
	wrongKey := b.ownerBy("d3JvbmcgYWNjZXNzIGtleSBvZiB0aGUgdGVzdHMhISE=")
	for name, test := range map[string]struct {
		r      *http.Request
		status int
	}{
		"image without a token":         {b.nobody().at(chatImages).request("POST", w.at("/images"), picture, octets), 401},
		"image with a bad token":        {b.bearer("rubbish").at(chatImages).request("POST", w.at("/images"), picture, octets), 401},
		"image in a version without":    {w.alice.at("2021-09-07").request("POST", w.at("/images"), picture, octets), 400},
		"image without the scope":       {b.user("voip").at(chatImages).request("POST", w.at("/images"), picture, octets), 403},
		"body of a GET of an image":     {alice.request("GET", w.at("/images/x/views/small"), picture, octets), 413},
		"message without a token":       {b.nobody().request("POST", w.at("/messages"), "{}"), 401},
		"identity without a key":        {b.nobody().at(newestIdentity).request("POST", "/identities", "{}"), 401},
		"identity by a wrong key":       {wrongKey.request("POST", "/identities", "{}"), 401},
		"identity by a wrong token":     {b.bearer("rubbish").at(newestIdentity).request("POST", "/identities", "{}"), 401},
		"signed body over the limit":    {b.owner().request("POST", "/identities", "{}"), 413},
		"Entra token and no version":    {b.bearer(entraToken).at("").request("POST", "/identities", "{}"), 400},
		"identity by an old date":       {b.ownerAt(moment.Std().Add(-time.Hour)).request("POST", "/identities", "{}"), 401},
		"identity without x-ms-content": {withoutHash(b.owner().request("POST", "/identities", "{}")), 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			for _, ask := range []string{"", "\r\nExpect: 100-continue"} {
				conn := b.dial()
				conn.send(head(test.r, "Content-Length: 10000000"+ask))
				conn.receive(test.r).is(test.status)
			}
		})
	}
	b.alive()
}

func withoutHash(r *http.Request) *http.Request {
	r.Header.Del("x-ms-content-sha256")
	return r
}

// A megabyte is read to its end, so that the next request finds the connection usable.
func TestBodyOfAMegabyte(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for name, send := range map[string]func() *http.Request{
		"accepted": func() *http.Request { return w.alice.request("POST", w.at("/messages"), sized(megabyte)) },
		"refused":  func() *http.Request { return w.alice.request("POST", w.at("/messages"), strings.Repeat("x", megabyte)) },
		"chunked": func() *http.Request {
			r := w.alice.request("POST", w.at("/messages"), sized(megabyte))
			r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(sized(megabyte)))
			return r
		},
	} {
		want := map[string]int{"accepted": 201, "chunked": 201, "refused": 400}[name]
		b.send(send()).is(want)
		reused := false
		r := w.alice.request("GET", "/chat/threads", "")
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
		b.send(r.WithContext(httptrace.WithClientTrace(r.Context(), trace))).is(http.StatusOK)
		if !reused {
			t.Errorf("%s: the connection was closed", name)
		}
	}
}

func TestBodiesOverTheLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for _, length := range []int{megabyte + 1, 3 * megabyte} {
		for _, chunked := range []bool{false, true} {
			for _, r := range []*http.Request{
				w.alice.request("POST", w.at("/messages"), sized(length)),
				b.owner().request("POST", "/identities", sized(length)),
			} {
				if chunked {
					r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(sized(length)))
				}
				a := b.send(r)
				if strings.HasPrefix(r.URL.Path, "/identities") {
					a.denied(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", anyReason, "")
				} else {
					a.refused(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", anyReason)
				}
				b.alive()
			}
		}
	}
	w.alice.get(w.at("/messages")).holds("value.*.sequenceId", "3", "2", "1")
}
