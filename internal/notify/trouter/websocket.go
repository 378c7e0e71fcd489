package trouter

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/internal/chat"
)

// websocket carries a connection in text frames: of a packet each, or several in the way of long polling.
func (s *Server) websocket(w http.ResponseWriter, r *http.Request, id string) {
	// The origin was looked at with every request; compression costs more than it saves (measured on small events).
	options := &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		_, _ = websocket.Accept(w, r, options) // answers why not; the client now tries long polling with the same session
		return
	}
	ctx := context.WithoutCancel(r.Context())
	sk, err := s.begin(r, id)
	if err != nil {
		s.refuse(w, r, statusOf(err), "session", err)
		return
	}
	c, err := websocket.Accept(w, r, options)
	if err != nil {
		sk.close()
		return
	}
	defer c.CloseNow() //nolint:errcheck // it is closed or broken already
	c.SetReadLimit(maxFrame)
	var reader sync.WaitGroup
	reader.Go(func() { sk.readFrames(ctx, c) })
	sk.writeFrames(ctx, c)
	_ = c.CloseNow()
	reader.Wait()
}

func (sk *socket) readFrames(ctx context.Context, c *websocket.Conn) {
	defer sk.close()
	for {
		kind, text, err := readFrame(ctx, c)
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			_ = c.Close(websocket.StatusUnsupportedData, "text only")
			return
		}
		if err := sk.receive(text); err != nil {
			_ = c.Close(websocket.StatusPolicyViolation, err.Error())
			return
		}
	}
}

func (sk *socket) writeFrames(ctx context.Context, c *websocket.Conn) {
	defer sk.close()
	for {
		groups, told, end := sk.next(ctx, beatEvery)
		if len(groups) == 0 && !end {
			groups = [][]string{{"2::"}}
		}
		for _, group := range groups {
			if err := writeFrame(ctx, c, joinPackets(group)); err != nil {
				return
			}
		}
		sk.delivered(told)
		if end {
			_ = c.Close(websocket.StatusGoingAway, sk.ending())
			return
		}
	}
}

// buffers are for one frame on its way in or out: those of an event go to many at once.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const maxBuffer = 16 << 10 // larger ones are not kept

func release(b *bytes.Buffer) {
	if b.Cap() <= maxBuffer {
		buffers.Put(b)
	}
}

func writeFrame(ctx context.Context, c *websocket.Conn, text string) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	b := buffers.Get().(*bytes.Buffer)
	defer release(b)
	b.Reset()
	b.WriteString(text)
	return c.Write(ctx, websocket.MessageText, b.Bytes())
}

// readFrame returns the next frame of the client.
func readFrame(ctx context.Context, c *websocket.Conn) (kind websocket.MessageType, text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	kind, r, err := c.Reader(ctx)
	if err != nil {
		return kind, "", err
	}
	b := buffers.Get().(*bytes.Buffer)
	defer release(b)
	b.Reset()
	_, err = b.ReadFrom(r)
	return kind, b.String(), err
}

func (sk *socket) delivered(told []*chat.Event) {
	for _, e := range told {
		sk.s.Metrics.Delivered(protocol, e)
	}
}
