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
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/web"
)

// Bounds of what waits for one client. A single frame may be larger.
const (
	maxQueued      = 1024
	maxQueuedBytes = 256 << 10
)

// maxFrame is the largest message that a client may send.
const maxFrame = 64 << 10

// goodbyeSpread is the time over which connections are closed when the server stops, so that not all clients come back at once.
const goodbyeSpread = 2 * time.Second

// closeTimeout is how long the websocket library waits for a client to close too.
const closeTimeout = 5 * time.Second

// connection is one client. Its frames wait in a queue, which a goroutine empties for as long as there is something in it.
type connection struct {
	server      *Server
	ws          *websocket.Conn
	net         net.Conn // under ws, which writes the frames of control only
	user        chat.Identity
	threads     map[chat.ThreadID]bool // whose events the client gets; nil: all
	unsubscribe func()                 // the hub
	cancel      func()                 // of the replay
	expiry      clock.Timer
	pingTimer   *time.Timer

	mu        sync.Mutex
	queue     []item
	bytes     int
	queuedTo  chat.Position // up to here all was queued
	replaying bool          // what is offered is left to the replay
	latest    chat.Position // newest position that was
	writing   bool          // a goroutine empties the queue
	closing   closeReason   // nothing but a close frame follows when its code is set
}

// item is a frame that waits.
type item struct {
	frame []byte
	event *chat.Event // nil where the frame is of something else
}

func (i *item) typing() bool { return i.event != nil && i.event.Kind == chat.TypingReceived }

// Offer queues an event.
func (c *connection) Offer(d notify.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case d.Position <= c.queuedTo: // sent by another server before
		return
	case c.replaying:
		c.latest = d.Position
		return
	}
	c.queuedTo = d.Position
	if c.isWanted(d) {
		c.enqueue(item{eventFrame(d), d.Event})
	}
}

// isWanted reports whether the client gets an event. A newer server on the same store may write kinds that are not specified.
func (c *connection) isWanted(d notify.Delivery) bool {
	if !kinds[d.Kind] {
		c.server.Log.Error("an event is of a kind that is not specified", "kind", d.Kind, "position", d.Position, "user", c.user)
		return false
	}
	return c.threads == nil || c.threads[d.ThreadID]
}

// End ends the connection: at a random moment within goodbyeSpread when the server stops, at once otherwise.
func (c *connection) End(reason notify.Reason) {
	if reason == notify.Stopping {
		time.AfterFunc(rand.N(goodbyeSpread), func() { c.close(closeReasonFor(reason)) })
		return
	}
	c.close(closeReasonFor(reason))
}

// enqueue queues a frame and has it written. When there is no room, typing indicators are dropped, and then the client is
// disconnected. The lock is held.
func (c *connection) enqueue(i item) {
	if c.closing.code != 0 {
		return
	}
	if c.full(&i) {
		c.dropTyping()
	}
	switch {
	case !c.full(&i):
		c.queue = append(c.queue, i)
		c.bytes += len(i.frame)
		c.server.queuedGauge.Add(float64(len(i.frame)))
		c.startWriter()
	case i.typing():
		c.countDropped("typing", 1)
	default:
		c.countDropped("slow", len(c.queue)+1)
		c.closeLocked(closeReasonFor(notify.Slow))
	}
}

func (c *connection) full(i *item) bool {
	return len(c.queue) >= maxQueued || len(c.queue) > 0 && c.bytes+len(i.frame) > maxQueuedBytes
}

func (c *connection) dropTyping() {
	before, bytes := len(c.queue), c.bytes
	c.queue = slices.DeleteFunc(c.queue, func(i item) bool {
		if i.typing() {
			c.bytes -= len(i.frame)
		}
		return i.typing()
	})
	c.server.queuedGauge.Sub(float64(bytes - c.bytes))
	c.countDropped("typing", before-len(c.queue))
}

func (c *connection) countDropped(reason string, n int) {
	c.server.Metrics.Dropped.WithLabelValues(protocol, reason).Add(float64(n))
}

// startWriter starts the writer, unless there is one; the lock is held.
func (c *connection) startWriter() {
	if !c.writing {
		c.writing = true
		go func() { c.write(c.writer()) }()
	}
}

// close closes the connection, with a close frame behind what is being written. What is queued is dropped: after a revocation
// nothing more may be sent, and otherwise the client resumes.
func (c *connection) close(with closeReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(with)
}

// closeLocked is finish with the lock held.
func (c *connection) closeLocked(with closeReason) {
	if c.closing.code != 0 {
		return
	}
	c.closing = with
	c.discardQueue()
	c.cancel()
	c.startWriter()
	c.server.Log.Debug("listener closed", "code", int(with.code), "reason", with.reason)
}

func (c *connection) discardQueue() {
	c.server.queuedGauge.Sub(float64(c.bytes))
	c.queue, c.bytes = nil, 0
}

// take returns what is queued; nothing means that the writer ends, with a closing where there is one.
func (c *connection) take() ([]item, closeReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.queue
	c.discardQueue()
	if len(out) == 0 && c.closing.code == 0 {
		c.writing = false
	}
	return out, c.closing
}

// writer returns a buffer for writes, which write gives back.
func (c *connection) writer() *bufio.Writer {
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
func (c *connection) write(w *bufio.Writer) {
	defer c.server.writers.Put(w)
	for {
		batch, with := c.take()
		for i := range batch {
			_ = send(w, batch[i].frame)
		}
		if err := w.Flush(); err != nil {
			c.abort(err)
			return
		}
		if len(batch) == 0 {
			if with.code != 0 {
				_ = c.ws.Close(with.code, with.reason) // closed now, whether the client answered or not
			}
			return
		}
		for i := range batch {
			if e := batch[i].event; e != nil {
				c.server.Metrics.Delivered(protocol, e, c.server.Clock.Now())
			}
		}
	}
}

// abort ends a connection that cannot be written to, perhaps in the middle of a frame.
func (c *connection) abort(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.countDropped("slow", 1)
	}
	_ = c.ws.CloseNow() // the reader does the rest
}

// read takes what the client sends, and at the end clears up.
func (c *connection) read() {
	for {
		kind, r, err := c.ws.Reader(context.Background())
		if err != nil {
			c.cleanUp()
			return
		}
		data, err := message(kind, r)
		if err == nil {
			err = c.handle(data)
		}
		var with closeReason
		if errors.As(err, &with) {
			c.close(with)
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
		return nil, closeReason{CloseTooLarge, "message is over 64 KiB"}
	case kind != websocket.MessageText:
		return nil, badFrame("binary message")
	}
	return web.WithoutBOM(data), nil
}

// handle does what a client asks for later than at the start. Types that are not known may be those of later versions.
func (c *connection) handle(data []byte) error {
	kind, err := parseMessage(data)
	switch {
	case err != nil:
		return err
	case kind == "start":
		return badFrame("started already")
	case kind == "ping":
		c.mu.Lock()
		defer c.mu.Unlock()
		c.enqueue(item{frame: pongFrame})
	}
	return nil
}

// ping finds out whether the client is still there, and tells it the position that it has reached: when it resumes from that, less
// of the journal is searched.
func (c *connection) ping() {
	position := c.server.Hub.Position()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.code != 0 {
		return
	}
	if position > c.queuedTo && !c.replaying { // else an event behind it is queued, or will be
		c.queuedTo = position
		c.enqueue(item{frame: positionFrame("position", position)})
	}
	c.enqueue(item{frame: pingFrame})
	c.pingTimer.Reset(c.server.Ping)
}

// pong gives the client time until the ping after the next; before the start it has no more than it had.
func (c *connection) pong(context.Context, []byte) {
	if c.unsubscribe != nil {
		_ = c.net.SetReadDeadline(time.Now().Add(2 * c.server.Ping))
	}
}

// cleanUp clears up when the connection cannot be read any more.
func (c *connection) cleanUp() {
	c.unsubscribe()
	_ = c.ws.CloseNow()
	c.close(closeReason{CloseGoingAway, ""}) // the client is gone, so no close frame is sent
	c.expiry.Stop()
	c.pingTimer.Stop()
	c.server.remove(c)
}
