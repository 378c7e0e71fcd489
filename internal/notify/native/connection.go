package native

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
)

// Bounds of what waits for one client. A single frame may be larger.
const (
	maxQueued      = 1024
	maxQueuedBytes = 256 << 10
)

// maxFrame is the largest message that a client may send.
const maxFrame = 64 << 10

// goodbyes is the time over which connections are closed when the server stops, so that not all clients come back at once.
const goodbyes = 2 * time.Second

// closeTime is how long the websocket library waits for a client to close too.
const closeTime = 5 * time.Second

// conn is one client. What it is told waits in a queue, which a goroutine empties as long as there is something in it.
type conn struct {
	server  *Server
	ws      *websocket.Conn
	net     net.Conn // under ws, which writes the frames of control only
	user    chat.Identity
	threads map[chat.ThreadID]bool // that the client wants to hear of; nil: all
	leave   func()                 // the hub
	cancel  func()                 // of the replay
	expiry  *time.Timer
	beats   *time.Timer

	mu      sync.Mutex
	queue   []item
	bytes   int
	at      chat.Position // up to here all was queued
	behind  bool          // what is offered is left to the replay
	latest  chat.Position // newest position that was
	writing bool          // somebody empties the queue
	ended   closing       // nothing but a close frame follows when its code is set
}

// item is a frame that waits.
type item struct {
	frame []byte
	event *chat.Event // nil where the frame is of something else
}

func (i *item) typing() bool { return i.event != nil && i.event.Kind == chat.TypingReceived }

// Offer queues an event.
func (c *conn) Offer(h notify.Heard) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case h.Position <= c.at: // another server has told it
		return
	case c.behind:
		c.latest = h.Position
		return
	}
	c.at = h.Position
	if c.wants(h) {
		c.put(item{eventFrame(h), h.Event})
	}
}

// wants reports whether the client is to be told an event. One of an unknown kind comes from a newer server on the same store.
func (c *conn) wants(h notify.Heard) bool {
	if !kinds[h.Kind] {
		c.server.Log.Error("an event is of a kind that is not specified", "kind", h.Kind, "position", h.Position, "user", c.user)
		return false
	}
	return c.threads == nil || c.threads[h.ThreadID]
}

// End ends the connection. It is told that the server stops at some time soon, all else at once.
func (c *conn) End(reason notify.Reason) {
	if reason == notify.Stopping {
		time.AfterFunc(rand.N(goodbyes), func() { c.finish(closingFor(reason)) })
		return
	}
	c.finish(closingFor(reason))
}

// put queues a frame and sees that somebody writes it; the lock is held. When there is no room, typing goes first, and
// then the client.
func (c *conn) put(i item) {
	if c.ended.code != 0 {
		return
	}
	if c.full(&i) {
		c.dropTyping()
	}
	switch {
	case !c.full(&i):
		c.queue = append(c.queue, i)
		c.bytes += len(i.frame)
		c.server.queued.Add(float64(len(i.frame)))
		c.stir()
	case i.typing():
		c.dropped("typing", 1)
	default:
		c.dropped("slow", len(c.queue)+1)
		c.end(closingFor(notify.Slow))
	}
}

func (c *conn) full(i *item) bool {
	return len(c.queue) >= maxQueued || len(c.queue) > 0 && c.bytes+len(i.frame) > maxQueuedBytes
}

func (c *conn) dropTyping() {
	before, bytes := len(c.queue), c.bytes
	c.queue = slices.DeleteFunc(c.queue, func(i item) bool {
		if i.typing() {
			c.bytes -= len(i.frame)
		}
		return i.typing()
	})
	c.server.queued.Sub(float64(bytes - c.bytes))
	c.dropped("typing", before-len(c.queue))
}

func (c *conn) dropped(reason string, n int) {
	c.server.Metrics.Dropped.WithLabelValues(protocol, reason).Add(float64(n))
}

// stir starts the writer, unless there is one; the lock is held.
func (c *conn) stir() {
	if !c.writing {
		c.writing = true
		go func() { c.write(c.writer()) }()
	}
}

// finish closes the connection, with a close frame behind what is being written. What is queued is given up: after a
// revocation nothing more may be told, and otherwise the client resumes.
func (c *conn) finish(with closing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(with)
}

// end is finish with the lock held.
func (c *conn) end(with closing) {
	if c.ended.code != 0 {
		return
	}
	c.ended = with
	c.empty()
	c.cancel()
	c.stir()
	c.server.Log.Debug("listener closed", "code", int(with.code), "reason", with.reason)
}

func (c *conn) empty() {
	c.server.queued.Sub(float64(c.bytes))
	c.queue, c.bytes = nil, 0
}

// take returns what is queued; nothing means that the writer ends, with a closing where there is one.
func (c *conn) take() ([]item, closing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.queue
	c.empty()
	if len(out) == 0 && c.ended.code == 0 {
		c.writing = false
	}
	return out, c.ended
}

// writer returns a buffer for writes, which write gives back.
func (c *conn) writer() *bufio.Writer {
	w := c.server.writers.Get().(*bufio.Writer)
	w.Reset(c.net)
	return w
}

// send writes a frame. Each write on the connection is of whole frames, since those of control may come in between. An
// error stays with the writer.
func send(w *bufio.Writer, frame []byte) error {
	if len(frame) > w.Available() {
		_ = w.Flush()
	}
	_, err := w.Write(frame)
	return err
}

// write empties the queue, with as few writes as it takes.
func (c *conn) write(w *bufio.Writer) {
	defer c.server.writers.Put(w)
	for {
		batch, with := c.take()
		for i := range batch {
			_ = send(w, batch[i].frame)
		}
		if err := w.Flush(); err != nil {
			c.cut(err)
			return
		}
		if len(batch) == 0 {
			if with.code != 0 {
				_ = c.ws.Close(with.code, with.reason) // gone now, one way or the other
			}
			return
		}
		for i := range batch {
			if e := batch[i].event; e != nil {
				c.server.Metrics.Delivered(protocol, e)
			}
		}
	}
}

// cut ends a connection that cannot be written to, perhaps in the middle of a frame.
func (c *conn) cut(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.dropped("slow", 1)
	}
	_ = c.ws.CloseNow() // the reader does the rest
}

// read takes what the client sends, and at the end clears up.
func (c *conn) read() {
	for {
		kind, r, err := c.ws.Reader(context.Background())
		if err != nil {
			c.gone()
			return
		}
		data, err := message(kind, r)
		if err == nil {
			err = c.handle(data)
		}
		var with closing
		if errors.As(err, &with) {
			c.finish(with)
			_, _ = io.Copy(io.Discard, r) // of one that is too large, until the client sees that it is
		}
	}
}

// message reads what a client sent.
func message(kind websocket.MessageType, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFrame+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxFrame:
		return nil, closing{CloseTooLarge, "message is over 64 KiB"}
	case kind != websocket.MessageText:
		return nil, badFrame("binary message")
	}
	return chat.WithoutBOM(data), nil
}

// handle does what a client asks for later than at the start. Types that are not known may be those of later versions.
func (c *conn) handle(data []byte) error {
	kind, err := parseMessage(data)
	switch {
	case err != nil:
		return err
	case kind == "start":
		return badFrame("started already")
	case kind == "ping":
		c.mu.Lock()
		defer c.mu.Unlock()
		c.put(item{frame: pongFrame})
	}
	return nil
}

// beat pings the client, so that a connection that is dead without a word is found, and tells it how far it is: when it
// comes back later, less has to be searched for it.
func (c *conn) beat() {
	position := c.server.Hub.Position()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.code != 0 {
		return
	}
	if position > c.at && !c.behind { // else an event behind it is queued, or will be
		c.at = position
		c.put(item{frame: positionFrame("position", position)})
	}
	c.put(item{frame: pingFrame})
	c.beats.Reset(c.server.Ping)
}

// pong gives the client time until the ping after the next; before the start it has no more than it had.
func (c *conn) pong(context.Context, []byte) {
	if c.leave != nil {
		_ = c.net.SetReadDeadline(time.Now().Add(2 * c.server.Ping))
	}
}

// gone clears up when the connection cannot be read any more.
func (c *conn) gone() {
	c.leave()
	_ = c.ws.CloseNow()
	c.finish(closing{CloseGoingAway, ""}) // nobody is there to be told
	c.expiry.Stop()
	c.beats.Stop()
	c.server.leave(c.user)
}
