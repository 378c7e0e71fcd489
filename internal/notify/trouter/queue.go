package trouter

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
)

// Bounds of what one connection holds in memory. Events beyond are read from the journal when there is room.
const (
	maxPending      = 1024      // events to be sent
	maxHeldBytes    = 1 << 20   // of pending and unacknowledged events, roughly
	maxUnacked      = 256       // frames sent and not acknowledged
	maxUnackedBytes = 256 << 10 // bytes of them: a response that the client waits for queues behind no more than that
	maxControl      = 1024      // other packets to be sent: a client may send requests and not read
	maxReplay       = 10_000    // events replayed after a disconnection
	replayStep      = 256       // positions read at a time
	maxAttempts     = 3         // for an event that the client was not ready for
	typingLife      = 10 * time.Second
)

// queue holds the events of a connection until they are acknowledged. The lock of the connection covers it.
type queue struct {
	pending      []pendingEvent // in the order of positions
	started      bool           // the position to deliver from is known
	stopped      bool           // it delivers no more: another connection of the endpoint does, or the server stops
	behind       bool           // events are to be read from the journal first; true at the beginning
	reading      bool           // a step of the journal is being read
	readTo       chat.Position  // position up to which events have become pending
	latest       chat.Position  // newest position that was offered
	subscribedAt chat.Position  // position of the hub when it began to offer

	unacked      map[int64]pendingEvent // sent and not acknowledged
	nextID       int64
	unackedBytes int           // bytes of unacked
	heldBytes    int           // bytes of unacked and pending
	drained      chan struct{} // closes when a stopped connection has nothing unacknowledged
	replayed     int
}

// pendingEvent is an event for the client, its size in memory, and how often it was sent.
type pendingEvent struct {
	notify.Delivery
	size     int
	attempts int
}

// newPending estimates the size: what a frame has beside its texts is about half a kilobyte.
func newPending(d notify.Delivery) pendingEvent {
	size := 600 + 250*len(d.Participants)
	if d.Message != nil {
		size += len(d.Message.Content.Text) + 400*len(d.Message.Content.Attachments)
	}
	if d.Properties != nil {
		size += len(d.Properties.Topic)
	}
	return pendingEvent{Delivery: d, size: size}
}

// addHeld adds to the bytes that the connection holds. The lock is held.
func (c *connection) addHeld(bytes int) {
	c.heldBytes += bytes
	c.s.queuedGauge.Add(float64(bytes))
}

// start has events delivered from a position on. Those that were offered since subscribing are read from the journal, after
// those that were missed.
func (c *connection) start(from, present chat.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = true
	c.readTo, c.subscribedAt, c.latest = from, present, max(c.latest, present)
}

// offer queues an event, or leaves it to be read from the journal.
func (c *connection) offer(d notify.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latest = d.Position
	switch {
	case c.behind || c.stopped || c.discarding || c.e.isAcked(d.Position) || !c.hasPayload(d): // acknowledged at another server that was ahead
	case len(c.pending) >= maxPending || c.heldBytes >= maxHeldBytes:
		c.behind = true
	default:
		f := newPending(d)
		c.pending = append(c.pending, f)
		c.addHeld(f.size)
		c.readTo = d.Position
	}
	c.signal()
}

// discard empties the queue for good.
func (c *connection) discard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.discarding = true
	c.addHeld(-c.heldBytes)
	c.pending, c.unacked, c.control = nil, nil, nil
}

// next waits for packets to write, grouped by what goes into one message, and returns them with the new events among them. After
// the given time it returns none. end reports that they are the last.
func (c *connection) next(ctx context.Context, wait time.Duration) (groups [][]string, sent []*chat.Event, end bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		c.readBehind()
		groups, sent, end = c.takePackets()
		if len(groups) > 0 || end {
			return groups, sent, end
		}
		select {
		case <-c.wake:
		case <-c.closed:
			return nil, nil, true
		case <-ctx.Done():
			return nil, nil, true
		case <-timer.C:
			return nil, nil, false
		}
	}
}

// readBehind starts to read a step of the journal when events were missed or did not fit, and there is room for them. The writer
// does not wait for that, since the client waits for responses meanwhile; it is called again when the step was read.
func (c *connection) readBehind() {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := c.behind && !c.reading && c.started && !c.stopped && !c.discarding && c.reason == "" && len(c.pending) < maxPending/2 && c.heldBytes < maxHeldBytes/2
	if !wanted {
		return
	}
	if c.readTo >= c.latest {
		c.behind = false
		return
	}
	c.reading = true
	from, to := c.readTo, min(c.readTo+replayStep, c.latest)
	c.journalReads.Go(func() { c.readJournal(from, to) })
}

// readJournal queues the events of a part of the journal.
func (c *connection) readJournal(from, to chat.Position) {
	var found []pendingEvent
	missed, err := c.s.Hub.Replay(c.ctx, c.e.key.user, from, to, func(d notify.Delivery) {
		if !c.e.isAcked(d.Position) && !c.stale(d) && c.hasPayload(d) {
			found = append(found, newPending(d))
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	switch {
	case err == nil:
		c.replay(from, to, found, missed)
		c.signal()
	case c.ctx.Err() == nil: // tried again with the next event or heartbeat
		c.s.Log.Error("journal cannot be replayed", "error", err)
	}
}

// hasPayload reports whether there is a payload for an event. A newer server on the same store may write kinds without one.
func (c *connection) hasPayload(d notify.Delivery) bool {
	_, ok := payloadKinds[d.Kind]
	if !ok {
		c.s.Log.Error("an event is of a kind that has no payload", "kind", d.Kind, "position", d.Position, "user", c.e.key.user)
	}
	return ok
}

// stale reports whether an event is out of date: typing is, after typingLife. It is too when the clock of the server that wrote it
// is ahead by as much, since its age is not known then and an indicator that is not shown does no harm.
func (c *connection) stale(d notify.Delivery) bool {
	age := time.Duration(c.s.Now()-d.At) * time.Millisecond
	return d.Kind == chat.TypingReceived && age.Abs() > typingLife
}

// replay queues what was found in a part of the journal. After a long disconnection there may be too much: then the rest is
// dropped, and the client continues at the present. The lock is held.
func (c *connection) replay(from, to chat.Position, found []pendingEvent, missed bool) {
	if c.discarding || c.stopped {
		return
	}
	if from < c.subscribedAt {
		c.replayed += len(found)
	}
	tooMuch := from < c.subscribedAt && c.replayed > maxReplay
	if tooMuch {
		found, to = nil, c.subscribedAt
	}
	if missed || tooMuch {
		c.s.Log.Warn("events for an endpoint were given up", "user", c.e.key.user, "beyond_journal", missed, "replayed", c.replayed)
		c.s.Metrics.Dropped.WithLabelValues(protocol, "too long away").Inc()
	}
	c.e.ackMissing(from, to, found)
	for _, f := range found {
		c.addHeld(f.size)
	}
	c.pending = append(c.pending, found...)
	c.readTo = to
}

// takePackets returns what is to be written: other packets first, then events as far as the limit of unacknowledged ones goes.
func (c *connection) takePackets() (groups [][]string, sent []*chat.Event, end bool) {
	c.mu.Lock()
	for _, packet := range c.control {
		groups = append(groups, []string{packet})
	}
	c.control = nil
	end = c.reason != "" || c.discarding
	var from int64
	var events []notify.Delivery
	if !end && c.started && !c.stopped {
		from, events = c.takeFrames()
	}
	joined := c.subscribedAt
	c.mu.Unlock()
	for _, d := range events {
		if d.Position > joined { // a replayed one is as late as the client was disconnected, which says nothing of the server
			sent = append(sent, d.Event)
		}
	}
	return append(groups, c.groups(from, events, c.e.currentFormat())...), sent, end // encoded outside the lock, which the hub waits for
}

// takeFrames moves pending events to the unacknowledged ones, numbered from an id on. The lock is held.
func (c *connection) takeFrames() (from int64, out []notify.Delivery) {
	from = c.nextID + 1
	n := 0
	for ; n < len(c.pending) && len(c.unacked) < maxUnacked && (c.unackedBytes < maxUnackedBytes || len(c.unacked) == 0); n++ {
		f := c.pending[n]
		f.attempts++
		c.nextID++
		c.unacked[c.nextID] = f
		c.unackedBytes += f.size
		c.e.markSent(f.Position)
		out = append(out, f.Delivery)
	}
	clear(c.pending[:n])
	if c.pending = c.pending[n:]; len(c.pending) == 0 {
		c.pending = nil
		c.skipTo(c.readTo)
	}
	return from, out
}

// frame is the request that carries an event. Its URL ends in the name of the event: the SDKs for iOS and Android route by it, the
// one for JavaScript ignores it.
func (c *connection) frame(id int64, d notify.Delivery, f format) string {
	body := sharedBody(d, f)
	var b strings.Builder
	b.Grow(len(body) + 2*len(d.To) + len(c.surl) + 160)
	b.WriteString(`3:::{"id":` + strconv.FormatInt(id, 10) + `,"method":"POST","url":"` + c.surl + string(d.Kind) +
		`","headers":{"MS-CV":"` + strconv.FormatInt(int64(d.Position), 36) + `.` + strconv.FormatInt(id, 10) + `"},"body":`)
	writeBody(&b, body, d.To)
	b.WriteString("}")
	return b.String()
}
