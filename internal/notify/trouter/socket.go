package trouter

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
)

const (
	protocol       = "trouter"
	maxPending     = 1024 // events waiting for one client; beyond, they are read from the journal again when there is room
	maxOutstanding = 256  // frames sent and not acknowledged
	maxReplay      = 10_000
	replayStep     = 2048 // positions at a time
	switchTime     = 3 * time.Second
	maxAttempts    = 3 // for a frame that came too early
)

// socket is one connection, whatever carries it. Its writer calls next, its reader receive.
type socket struct {
	s       *Server
	e       *endpoint
	key     endpointKey
	surl    string
	expires chat.Time

	wake   chan struct{} // holds a token when there is something for the writer
	closed chan struct{}
	once   sync.Once
	leave  func()

	mu       sync.Mutex
	control  []string // packets that go before events: acknowledgements must be quick
	pending  []waiting
	started  bool  // the position from which on to tell is known
	behind   bool  // some events are to be read from the journal first; so at the beginning
	latest   int64 // newest position that was offered
	taken    int64 // newest position that went into a frame
	frames   map[int64]waiting
	nextID   int64
	retired  bool // another connection of the endpoint is told of events
	drained  chan struct{}
	replayed int
	fresh    []*chat.Event // taken and not written yet
	noted    int64         // position that was given to the saver last
	reason   notify.Reason
}

// waiting is an event for the client, and how often it was sent.
type waiting struct {
	notify.Heard
	attempts int
}

// connect begins a connection of a session. The events of the endpoint come to it from where the last one ended.
func (s *Server) connect(ctx context.Context, se *session) (*socket, error) {
	if !s.count(se.user, +1) {
		return nil, errTooMany
	}
	sk := &socket{
		s: s, e: s.endpoint(se.key), key: se.key, surl: se.surl, expires: se.expires,
		wake: make(chan struct{}, 1), closed: make(chan struct{}), frames: map[int64]waiting{}, behind: true,
	}
	sk.control = []string{"1::", `5:1::{"name":"trouter.connected","args":[{"ttl":` + strconv.Itoa(int(allocation.Seconds())) +
		`,"dur":"` + strconv.Itoa(int(allocation.Milliseconds())) + `"}]}`}
	go sk.follow(context.WithoutCancel(ctx))
	return sk, nil
}

var errTooMany = &chat.Error{Kind: chat.Unavailable, Reason: "too many connections"}

func (s *Server) count(user chat.Identity, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && (s.total >= maxSockets || s.sockets[user] >= maxPerUser) {
		return false
	}
	s.total += n
	if s.sockets[user] += n; s.sockets[user] <= 0 {
		delete(s.sockets, user)
	}
	s.Metrics.Connections.WithLabelValues(protocol).Add(float64(n))
	return true
}

// follow takes the endpoint over, subscribes, and ends the connection when its token does.
func (sk *socket) follow(ctx context.Context) {
	from, known := sk.e.takeOver(ctx, sk, switchTime)
	if !known {
		saved, err := sk.s.Positions.EndpointPosition(ctx, sk.key.user, sk.key.id)
		if err != nil {
			sk.s.Log.Error("position of an endpoint cannot be read", "error", err)
		}
		from, known = saved, saved != 0
	}
	at, leave := sk.s.Hub.Subscribe(sk.key.user, subscriber{sk})
	if !known || from > at {
		from = at
	}
	sk.start(from, at, leave)
	if known {
		sk.s.Metrics.Reconnects.WithLabelValues(protocol).Inc()
	} else { // so that it goes on here even when it hears nothing before the server stops
		sk.s.saver.note(sk.key, at)
	}
	sk.stir()

	timer := time.NewTimer(time.Duration(sk.expires-sk.s.Now()) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		sk.end(notify.Expired)
	case <-sk.closed:
	}
}

// start lets events flow from a position on. What was offered since subscribing is read from the journal, like all that is
// behind it.
func (sk *socket) start(from, at int64, leave func()) {
	sk.mu.Lock()
	sk.leave, sk.started = leave, true
	sk.taken, sk.latest = from, max(sk.latest, at)
	sk.mu.Unlock()
	select {
	case <-sk.closed: // while it was about to start
		leave()
	default:
	}
}

func (sk *socket) stir() {
	select {
	case sk.wake <- struct{}{}:
	default:
	}
}

// subscriber is the side of a socket that the hub sees. The hub calls it while it is locked, so it only takes notes.
type subscriber struct{ sk *socket }

// Offer takes an event. What does not fit is left to the journal, from which it is read when there is room again.
func (u subscriber) Offer(h notify.Heard) {
	sk := u.sk
	sk.mu.Lock()
	defer sk.mu.Unlock()
	sk.latest = h.Position
	switch {
	case sk.retired || sk.behind:
	case len(sk.pending) >= maxPending:
		sk.behind = true
	default:
		sk.pending = append(sk.pending, waiting{Heard: h})
	}
	sk.stir()
}

// End says goodbye. A client whose token is no good asks for a new one and comes back; five times in a row were seen to work.
func (u subscriber) End(reason notify.Reason) { go u.sk.end(reason) }

func (sk *socket) end(reason notify.Reason) {
	sk.mu.Lock()
	if reason != notify.Stopping {
		sk.control = append(sk.control, `0:::{"reason":"unauthorized"}`)
	}
	sk.reason = reason
	sk.mu.Unlock()
	sk.stir()
}

// close ends the connection for good.
func (sk *socket) close() {
	sk.once.Do(func() {
		close(sk.closed)
		sk.mu.Lock()
		leave := sk.leave
		sk.mu.Unlock()
		if leave != nil {
			leave()
		}
		sk.e.release(sk)
		sk.s.count(sk.key.user, -1)
	})
}

// retire stops telling events and waits until those told are acknowledged, the connection has ended, or time is up.
// It reports whether they were acknowledged.
func (sk *socket) retire(ctx context.Context, patience time.Duration) bool {
	sk.mu.Lock()
	sk.retired = true
	if sk.drained == nil {
		sk.drained = make(chan struct{})
	}
	drained := sk.drained
	if len(sk.frames) == 0 {
		sk.drain()
	}
	sk.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-drained:
		return true
	case <-sk.closed:
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// drain says that nothing is outstanding; the lock is held.
func (sk *socket) drain() {
	select {
	case <-sk.drained:
	default:
		close(sk.drained)
	}
}

// told returns the position up to which the client has acknowledged everything.
func (sk *socket) told() int64 {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	at := sk.taken
	for _, f := range sk.frames {
		at = min(at, f.Position-1)
	}
	for _, f := range sk.pending {
		if f.attempts > 0 { // it is to be told again
			at = min(at, f.Position-1)
		}
	}
	return at
}

// next returns the packets to be written now: it waits for some, at most for the given time, after which there is none. end
// says that they are the last.
func (sk *socket) next(ctx context.Context, wait time.Duration) (packets []string, end bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		sk.catchUp(ctx)
		packets, end = sk.take()
		if len(packets) > 0 || end {
			return packets, end
		}
		select {
		case <-sk.wake:
		case <-sk.closed:
			return nil, true
		case <-ctx.Done():
			return nil, true
		case <-timer.C:
			return nil, false
		}
	}
}

// catchUp reads from the journal what was not offered or did not fit, as far as there is room.
func (sk *socket) catchUp(ctx context.Context) {
	for {
		sk.mu.Lock()
		from, to := sk.newest(), sk.latest
		if !sk.behind || !sk.started || sk.retired || len(sk.pending) >= maxPending/2 {
			sk.mu.Unlock()
			return
		}
		if from >= to {
			sk.behind, sk.replayed = false, 0
			sk.mu.Unlock()
			return
		}
		sk.mu.Unlock()

		to = min(to, from+replayStep)
		var found []waiting
		missed, err := sk.s.Hub.Replay(ctx, sk.key.user, from, to, func(h notify.Heard) { found = append(found, waiting{Heard: h}) })
		if err != nil {
			sk.s.Log.Error("journal cannot be replayed", "error", err)
			return
		}
		sk.mu.Lock()
		if sk.replayed += len(found); missed || sk.replayed > maxReplay {
			sk.s.Log.Warn("events for an endpoint were given up", "user", sk.key.user, "beyond_journal", missed, "replayed", sk.replayed)
			sk.s.Metrics.Dropped.WithLabelValues(protocol, "too long away").Inc()
		}
		if sk.replayed > maxReplay {
			found, to = nil, sk.latest
		}
		sk.pending = append(sk.pending, found...)
		if len(found) == 0 || found[len(found)-1].Position < to {
			sk.skipTo(to)
		}
		sk.mu.Unlock()
	}
}

// newest is the position up to which events are taken or pending; the lock is held.
func (sk *socket) newest() int64 {
	if n := len(sk.pending); n > 0 {
		return max(sk.taken, sk.pending[n-1].Position)
	}
	return sk.taken
}

// skipTo notes that up to a position there is nothing more for this user; the lock is held.
func (sk *socket) skipTo(position int64) {
	if len(sk.pending) == 0 {
		sk.taken = max(sk.taken, position)
		return
	}
	// An event of no kind keeps the position behind the pending ones.
	sk.pending = append(sk.pending, waiting{Heard: notify.Heard{Event: &chat.Event{Position: position}}})
}

// take returns what is to be written: control packets, then as many events as may be outstanding.
func (sk *socket) take() (packets []string, end bool) {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	packets, sk.control = sk.control, nil
	if sk.reason != "" {
		return packets, true
	}
	n := 0
	for ; n < len(sk.pending) && len(sk.frames) < maxOutstanding && !sk.retired; n++ {
		f := sk.pending[n]
		sk.taken = max(sk.taken, f.Position)
		if f.Kind == "" {
			continue
		}
		sk.nextID++
		f.attempts++
		sk.frames[sk.nextID] = f
		sk.fresh = append(sk.fresh, f.Event)
		packets = append(packets, sk.frame(sk.nextID, f.Heard))
	}
	sk.pending = append(sk.pending[:0:0], sk.pending[n:]...)
	return packets, false
}

// frame is the request that tells of an event. The name of the event ends the url: phones route by it, JavaScript does not
// look.
func (sk *socket) frame(id int64, h notify.Heard) string {
	body := bodyFor(h, sk.e.spoken())
	var b strings.Builder
	b.Grow(len(body) + 256)
	b.WriteString(`3:::{"id":` + strconv.FormatInt(id, 10) + `,"method":"POST","url":"` + sk.surl + string(h.Kind) +
		`","headers":{"MS-CV":"` + strconv.FormatInt(h.Position, 36) + `.` + strconv.FormatInt(id, 10) + `"},"body":`)
	b.Write(body)
	b.WriteString("}")
	return b.String()
}

// written notes that packets which take returned are on the wire.
func (sk *socket) written() {
	sk.mu.Lock()
	at, fresh := sk.taken, sk.fresh
	news := sk.started && at != sk.noted
	sk.fresh, sk.noted = nil, at
	sk.mu.Unlock()
	for _, e := range fresh {
		sk.s.Metrics.Delivered(protocol, e)
	}
	if news {
		sk.s.saver.note(sk.key, at)
	}
}

// receive handles a packet of the client. An error ends the connection.
func (sk *socket) receive(text string) error {
	p, err := parsePacket(text)
	if err != nil {
		return err
	}
	switch p.kind {
	case disconnectPacket:
		sk.close()
	case eventPacket:
		if p.ack {
			sk.reply(p)
		}
	case messagePacket:
		return sk.answered(p.data)
	}
	return nil
}

// reply acknowledges an event of the client: ping, user.activity, and whatever else wants it.
func (sk *socket) reply(p packet) {
	var event struct {
		Name string `json:"name"`
	}
	_ = json.Unmarshal([]byte(p.data), &event) // an unknown event is acknowledged too
	args := "[]"
	if event.Name == "ping" {
		args = `["pong"]`
	}
	sk.mu.Lock()
	sk.control = append(sk.control, acknowledge(p.id, args))
	sk.mu.Unlock()
	sk.stir()
}

// answered handles the client's response to a frame. One that it was not sent is passed over.
func (sk *socket) answered(data string) error {
	var response struct {
		ID     int64 `json:"id"`
		Status int   `json:"status"`
	}
	if err := json.Unmarshal([]byte(data), &response); err != nil {
		return errPacket
	}
	sk.mu.Lock()
	defer sk.mu.Unlock()
	f, ok := sk.frames[response.ID]
	if !ok {
		return nil
	}
	delete(sk.frames, response.ID)
	sk.s.Metrics.Acks.WithLabelValues(statusLabel(response.Status)).Inc()
	switch {
	case response.Status == http.StatusOK:
	case response.Status == http.StatusGatewayTimeout && f.attempts < maxAttempts: // it came before the client was ready
		sk.pending = append([]waiting{f}, sk.pending...)
	default: // no handler there, or it could not read the payload
		sk.s.Log.Error("a client could not use an event", "kind", f.Kind, "position", f.Position, "status", response.Status, "user", sk.key.user)
	}
	if sk.drained != nil && len(sk.frames) == 0 {
		sk.drain()
	}
	sk.stir()
	return nil
}

// statusLabel bounds what a client can put into metrics.
func statusLabel(status int) string {
	switch status {
	case http.StatusOK, http.StatusNotFound, http.StatusInternalServerError, http.StatusGatewayTimeout:
		return strconv.Itoa(status)
	}
	return "other"
}
