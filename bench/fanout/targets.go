package fanout

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/bench/limit"
	"github.com/chatd/chatd/bench/load"
	"github.com/chatd/chatd/bench/setup"
)

// origin is what targets have in common: an address, and how to connect to it.
type origin struct {
	url    string
	secure *tls.Config
	web    *http.Client
}

func newOrigin(url string, secure *tls.Config) origin {
	return origin{url, secure, &http.Client{Transport: &http.Transport{TLSClientConfig: secure, IdleConnTimeout: 5 * time.Second}}}
}

// Sender implements Target.
func (o origin) Sender() (*load.Conn, error) { return load.Dial(o.url, o.secure) }

// dial opens a websocket and reads until a frame has the text in it; start, unless empty, is written first.
func (o origin) dial(ctx context.Context, path string, h http.Header, start, until string) (*websocket.Conn, error) {
	c, _, err := websocket.Dial(ctx, o.url+path, &websocket.DialOptions{HTTPClient: o.web, HTTPHeader: h}) //nolint:bodyclose // Dial closes it
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(1 << 20)
	if start != "" {
		err = c.Write(ctx, websocket.MessageText, []byte(start))
	}
	for err == nil {
		var frame []byte
		if _, frame, err = c.Read(ctx); err == nil && strings.Contains(string(frame), until) {
			return c, nil
		}
	}
	_ = c.CloseNow()
	return nil, err
}

// bare is the bare broadcaster, with frames of the size of another server's.
type bare struct {
	origin
	frame  int
	answer string
}

// Bare is the limit: a broadcaster that keeps nothing and sends frames of the given size. answered makes the listeners answer
// each frame, as Trouter requires.
func Bare(b *limit.Bare, secure bool, frame int, answered bool) Target {
	h := bare{origin: newOrigin(b.Origin(secure)), frame: frame}
	if answered {
		h.answer = fmt.Sprintf(acknowledgement, "12345")
	}
	return h
}

func (h bare) Dial(ctx context.Context, _ int) (*websocket.Conn, error) {
	return h.dial(ctx, "/realtime", nil, "", "ready")
}

func (h bare) Request(text string) load.Request {
	return load.Request{Method: http.MethodPost, Path: fmt.Sprintf("/send?size=%d", h.frame), Body: text}
}

func (h bare) Reply([]byte) []byte {
	if h.answer == "" {
		return nil
	}
	return []byte(h.answer)
}

// native is chatd's plain websocket; a sender's requests go to the REST API.
type native struct {
	origin
	w *setup.World
}

// Native is the target for listeners on chatd's plain websocket.
func Native(w *setup.World, secure bool) Target { return native{newOrigin(w.Origin(secure)), w} }

// across is chatd's plain websocket of a second node, with the senders at the first.
type across struct {
	native
	first origin
}

// Across connects listeners to a second node, and senders to the first.
func Across(w *setup.World, second *setup.Node) Target {
	return across{native{newOrigin(second.Origin(false)), w}, newOrigin(w.Origin(false))}
}

// Sender implements Target.
func (h across) Sender() (*load.Conn, error) { return h.first.Sender() }

func (h native) Dial(ctx context.Context, i int) (*websocket.Conn, error) {
	who := h.w.Listeners()[i%len(h.w.Listeners())]
	header := http.Header{"Authorization": {"Bearer " + who.Token}}
	return h.dial(ctx, "/realtime", header, `{"type":"start","version":1}`, `"ready"`)
}

func (h native) Request(text string) load.Request {
	r := h.w.Send(h.w.Audience, h.w.Members[0])
	r.Body = `{"content":"` + text + `","type":"text","senderDisplayName":"Margaret"}`
	return r
}

func (h native) Reply([]byte) []byte { return nil }
