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
	c, err := s.openConnection(r, id)
	if err != nil {
		s.refuse(w, r, statusOf(err), "session", err)
		return
	}
	ws, err := websocket.Accept(w, r, options)
	if err != nil {
		c.close()
		return
	}
	defer ws.CloseNow() //nolint:errcheck // it is closed or broken already
	ws.SetReadLimit(maxFrame)
	var reader sync.WaitGroup
	reader.Go(func() { c.readFrames(s.ctx, ws) })
	c.writeFrames(s.ctx, ws)
	_ = ws.CloseNow()
	reader.Wait()
}

func (c *connection) readFrames(ctx context.Context, ws *websocket.Conn) {
	defer c.close()
	for {
		kind, text, err := readFrame(ctx, ws)
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			_ = ws.Close(websocket.StatusUnsupportedData, "text only")
			return
		}
		if err := c.receive(text); err != nil {
			_ = ws.Close(websocket.StatusPolicyViolation, err.Error())
			return
		}
	}
}

func (c *connection) writeFrames(ctx context.Context, ws *websocket.Conn) {
	defer c.close()
	for {
		groups, sent, end := c.next(ctx, heartbeatInterval)
		if len(groups) == 0 && !end {
			groups = [][]string{{"2::"}}
		}
		for _, group := range groups {
			if err := writeFrame(ctx, ws, joinPackets(group)); err != nil {
				return
			}
		}
		c.observeSent(sent)
		if end {
			_ = ws.Close(websocket.StatusGoingAway, c.endReason())
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

func writeFrame(ctx context.Context, ws *websocket.Conn, text string) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	b := buffers.Get().(*bytes.Buffer)
	defer release(b)
	b.Reset()
	b.WriteString(text)
	return ws.Write(ctx, websocket.MessageText, b.Bytes())
}

// readFrame returns the next frame of the client.
func readFrame(ctx context.Context, ws *websocket.Conn) (kind websocket.MessageType, text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	kind, r, err := ws.Reader(ctx)
	if err != nil {
		return kind, "", err
	}
	b := buffers.Get().(*bytes.Buffer)
	defer release(b)
	b.Reset()
	_, err = b.ReadFrom(r)
	return kind, b.String(), err
}

func (c *connection) observeSent(sent []*chat.Event) {
	for _, e := range sent {
		c.s.Metrics.Delivered(protocol, e, c.s.Clock.Now())
	}
}
