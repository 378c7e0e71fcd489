package trouter

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
)

// Bounds of what one connection holds. Beyond, events are left to the journal, from which they are read when there is room.
const (
	maxPending     = 1024      // events waiting to be sent
	maxBytes       = 1 << 20   // of those, and of what was sent and not acknowledged, roughly
	maxOutstanding = 256       // frames sent and not acknowledged
	maxFlight      = 256 << 10 // bytes of them: an acknowledgement that the client waits for comes behind no more
	maxControl     = 1024      // other packets that wait: a client that asks and does not read
	maxReplay      = 10_000    // events told after an absence
	replayStep     = 256       // positions read at a time
	maxAttempts    = 3         // for a frame that came too early
	typingLife     = 10 * time.Second
)

// queue is the events of a socket on their way; the lock of the socket covers it.
type queue struct {
	pending []waiting     // in the order of positions
	started bool          // the position from which on to tell is known
	retired bool          // another connection of the endpoint is told of events
	behind  bool          // some events are to be read from the journal first; so at the beginning
	reading bool          // a step of them is being read
	read    chat.Position // position up to which events are pending, or were
	latest  chat.Position // newest position that was offered
	joined  chat.Position // position at which the hub began to offer

	frames   map[int64]waiting // sent and not acknowledged
	nextID   int64
	flight   int           // bytes of the frames
	held     int           // bytes of frames and pending
	drained  chan struct{} // closes when a retired socket has no frames
	replayed int
}

// waiting is an event for the client, its size, and how often it was sent.
type waiting struct {
	notify.Heard
	size     int
	attempts int
}

// hold makes room for an event. Sizes are estimates: what a frame has beside the texts is about half a kilobyte.
func hold(h notify.Heard) waiting {
	size := 600 + 250*len(h.Participants)
	if h.Message != nil {
		size += len(h.Message.Content.Text) + 400*len(h.Message.Content.Attachments)
	}
	if h.Properties != nil {
		size += len(h.Properties.Topic)
	}
	return waiting{Heard: h, size: size}
}

// weigh adds to what the socket holds; the lock is held.
func (sk *socket) weigh(bytes int) {
	sk.held += bytes
	sk.s.queued.Add(float64(bytes))
}

// start lets events flow from a position on. What was offered since subscribing is read from the journal, like all that is
// behind it.
func (sk *socket) start(from, present chat.Position) {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	sk.started = true
	sk.read, sk.joined, sk.latest = from, present, max(sk.latest, present)
}

// offer takes an event, or leaves it to the journal.
func (sk *socket) offer(h notify.Heard) {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	sk.latest = h.Position
	switch {
	case sk.behind || sk.retired || sk.over || sk.e.done(h.Position) || !sk.tellable(h): // done by another server that was ahead
	case len(sk.pending) >= maxPending || sk.held >= maxBytes:
		sk.behind = true
	default:
		f := hold(h)
		sk.pending = append(sk.pending, f)
		sk.weigh(f.size)
		sk.read = h.Position
	}
	sk.stir()
}

// clear lets go of all.
func (sk *socket) clear() {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	sk.over = true
	sk.weigh(-sk.held)
	sk.pending, sk.frames, sk.control = nil, nil, nil
}

// next returns the packets to be written now, grouped by what goes into one message, and the events among them: it waits for
// some, at most for the given time, after which there are none. end says that they are the last.
func (sk *socket) next(ctx context.Context, wait time.Duration) (groups [][]string, told []*chat.Event, end bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		sk.catchUp()
		groups, told, end = sk.take()
		if len(groups) > 0 || end {
			return groups, told, end
		}
		select {
		case <-sk.wake:
		case <-sk.closed:
			return nil, nil, true
		case <-ctx.Done():
			return nil, nil, true
		case <-timer.C:
			return nil, nil, false
		}
	}
}

// catchUp has a step of the journal read when something was not offered or did not fit, and there is room. The writer does not
// wait for it, since the client waits for acknowledgements meanwhile; it is called again when the step was read.
func (sk *socket) catchUp() {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	wanted := sk.behind && !sk.reading && sk.started && !sk.retired && !sk.over && sk.reason == "" && len(sk.pending) < maxPending/2 && sk.held < maxBytes/2
	if !wanted {
		return
	}
	if sk.read >= sk.latest {
		sk.behind = false
		return
	}
	sk.reading = true
	from, to := sk.read, min(sk.read+replayStep, sk.latest)
	sk.reads.Go(func() { sk.readJournal(from, to) })
}

// readJournal queues the events of a stretch of the journal.
func (sk *socket) readJournal(from, to chat.Position) {
	var found []waiting
	missed, err := sk.s.Hub.Replay(sk.ctx, sk.e.key.user, from, to, func(h notify.Heard) {
		if !sk.e.done(h.Position) && !sk.stale(h) && sk.tellable(h) {
			found = append(found, hold(h))
		}
	})
	sk.mu.Lock()
	defer sk.mu.Unlock()
	sk.reading = false
	switch {
	case err == nil:
		sk.replay(from, to, found, missed)
		sk.stir()
	case sk.ctx.Err() == nil: // tried again with the next event, or beat
		sk.s.Log.Error("journal cannot be replayed", "error", err)
	}
}

// tellable reports whether there is a payload for an event. One of a kind without comes from a newer server on the same store.
func (sk *socket) tellable(h notify.Heard) bool {
	_, ok := forms[h.Kind]
	if !ok {
		sk.s.Log.Error("an event is of a kind that has no payload", "kind", h.Kind, "position", h.Position, "user", sk.e.key.user)
	}
	return ok
}

// stale reports whether an event says nothing any more. Where the clock of its server is ahead that cannot be said, and typing
// that is not told is no loss.
func (sk *socket) stale(h notify.Heard) bool {
	age := time.Duration(sk.s.Now()-h.At) * time.Millisecond
	return h.Kind == chat.TypingReceived && age.Abs() > typingLife
}

// replay queues what was found in a stretch of the journal. After a long absence there may be too much: then the rest is
// given up, and the client goes on at the present. The lock is held.
func (sk *socket) replay(from, to chat.Position, found []waiting, missed bool) {
	if sk.over || sk.retired {
		return
	}
	if from < sk.joined {
		sk.replayed += len(found)
	}
	tooMuch := from < sk.joined && sk.replayed > maxReplay
	if tooMuch {
		found, to = nil, sk.joined
	}
	if missed || tooMuch {
		sk.s.Log.Warn("events for an endpoint were given up", "user", sk.e.key.user, "beyond_journal", missed, "replayed", sk.replayed)
		sk.s.Metrics.Dropped.WithLabelValues(protocol, "too long away").Inc()
	}
	sk.e.reread(from, to, found)
	for _, f := range found {
		sk.weigh(f.size)
	}
	sk.pending = append(sk.pending, found...)
	sk.read = to
}

// take returns what is to be written: other packets first, then as many events as may be outstanding.
func (sk *socket) take() (groups [][]string, told []*chat.Event, end bool) {
	sk.mu.Lock()
	for _, packet := range sk.control {
		groups = append(groups, []string{packet})
	}
	sk.control = nil
	end = sk.reason != "" || sk.over
	var from int64
	var events []notify.Heard
	if !end && sk.started && !sk.retired {
		from, events = sk.launch()
	}
	joined := sk.joined
	sk.mu.Unlock()
	for _, h := range events {
		if h.Position > joined { // how late the others are says how long the client was away
			told = append(told, h.Event)
		}
	}
	return append(groups, sk.groups(from, events, sk.e.spoken())...), told, end // outside the lock, which the hub waits for
}

// launch makes frames of pending events, numbered from an id on; the lock is held.
func (sk *socket) launch() (from int64, out []notify.Heard) {
	from = sk.nextID + 1
	n := 0
	for ; n < len(sk.pending) && len(sk.frames) < maxOutstanding && (sk.flight < maxFlight || len(sk.frames) == 0); n++ {
		f := sk.pending[n]
		f.attempts++
		sk.nextID++
		sk.frames[sk.nextID] = f
		sk.flight += f.size
		sk.e.send(f.Position)
		out = append(out, f.Heard)
	}
	clear(sk.pending[:n])
	if sk.pending = sk.pending[n:]; len(sk.pending) == 0 {
		sk.pending = nil
		sk.pass(sk.read)
	}
	return from, out
}

// frame is the request that tells of an event. The name of the event ends the url: phones route by it, JavaScript does not
// look.
func (sk *socket) frame(id int64, h notify.Heard, d dialect) string {
	body := sharedBody(h, d)
	var b strings.Builder
	b.Grow(len(body) + 2*len(h.To) + len(sk.surl) + 160)
	b.WriteString(`3:::{"id":` + strconv.FormatInt(id, 10) + `,"method":"POST","url":"` + sk.surl + string(h.Kind) +
		`","headers":{"MS-CV":"` + strconv.FormatInt(int64(h.Position), 36) + `.` + strconv.FormatInt(id, 10) + `"},"body":`)
	writeBody(&b, body, h.To)
	b.WriteString("}")
	return b.String()
}
