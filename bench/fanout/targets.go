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

// place is what halls have in common: an origin, and how to connect there.
type place struct {
	origin string
	secure *tls.Config
	web    *http.Client
}

func newPlace(origin string, secure *tls.Config) place {
	return place{origin, secure, &http.Client{Transport: &http.Transport{TLSClientConfig: secure, IdleConnTimeout: 5 * time.Second}}}
}

// Speaker implements Hall.
func (p place) Speaker() (*load.Conn, error) { return load.Dial(p.origin, p.secure) }

// dial opens a websocket and reads until a frame has the text in it; begin, if there is any, is written first.
func (p place) dial(ctx context.Context, path string, h http.Header, begin, until string) (*websocket.Conn, error) {
	c, _, err := websocket.Dial(ctx, p.origin+path, &websocket.DialOptions{HTTPClient: p.web, HTTPHeader: h}) //nolint:bodyclose // Dial closes it
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(1 << 20)
	if begin != "" {
		err = c.Write(ctx, websocket.MessageText, []byte(begin))
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
	place
	frame  int
	answer string
}

// Bare is the limit: a broadcaster that keeps nothing and sends frames of the given size. answered has the listeners answer
// each frame, as Trouter demands.
func Bare(b *limit.Bare, secure bool, frame int, answered bool) Hall {
	h := bare{place: newPlace(b.Origin(secure)), frame: frame}
	if answered {
		h.answer = fmt.Sprintf(acknowledgement, "12345")
	}
	return h
}

func (h bare) Dial(ctx context.Context, _ int) (*websocket.Conn, error) {
	return h.dial(ctx, "/realtime", nil, "", "ready")
}

func (h bare) Say(text string) load.Request {
	return load.Request{Method: http.MethodPost, Path: fmt.Sprintf("/send?size=%d", h.frame), Body: text}
}

func (h bare) Reply([]byte) []byte {
	if h.answer == "" {
		return nil
	}
	return []byte(h.answer)
}

// native is chatd's own websocket.
type native struct {
	place
	w *setup.World
}

// Native is chatd's plain websocket.
func Native(w *setup.World, secure bool) Hall { return native{newPlace(w.Origin(secure)), w} }

// across is chatd's own websocket of a second node, with those who speak at the first.
type across struct {
	native
	first place
}

// Across has listeners of a second node hear what is said at the first.
func Across(w *setup.World, second *setup.Node) Hall {
	return across{native{newPlace(second.Origin(false)), w}, newPlace(w.Origin(false))}
}

// Speaker implements Hall.
func (h across) Speaker() (*load.Conn, error) { return h.first.Speaker() }

func (h native) Dial(ctx context.Context, i int) (*websocket.Conn, error) {
	who := h.w.Listeners()[i%len(h.w.Listeners())]
	header := http.Header{"Authorization": {"Bearer " + who.Token}}
	return h.dial(ctx, "/realtime", header, `{"type":"start","version":1}`, `"ready"`)
}

func (h native) Say(text string) load.Request {
	r := h.w.Send(h.w.Audience, h.w.Members[0])
	r.Body = `{"content":"` + text + `","type":"text","senderDisplayName":"Somebody"}`
	return r
}

func (h native) Reply([]byte) []byte { return nil }
