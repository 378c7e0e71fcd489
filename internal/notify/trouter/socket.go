package trouter

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
)

const protocol = "trouter"

// socket is one connection, whatever carries it. Its writer calls next, its reader receive; follow begins and ends it.
type socket struct {
	s       *Server
	e       *endpoint
	surl    string
	token   string
	expires chat.Time

	wake   chan struct{} // holds a token when there is something for the writer
	closed chan struct{}
	once   sync.Once

	mu      sync.Mutex
	control []string // packets that go before events: acknowledgements must be quick
	greeted bool
	reason  notify.Reason
	over    bool // nothing is taken in any more
	queue
}

// connect begins a connection of a session. The events of the endpoint come to it from where the last one ended.
func (s *Server) connect(ctx context.Context, se *session) (*socket, error) {
	if !s.count(se.user, +1) {
		return nil, errTooMany
	}
	sk := &socket{
		s: s, e: s.endpoint(se.key), surl: se.surl, token: se.token, expires: se.expires,
		wake: make(chan struct{}, 1), closed: make(chan struct{}), queue: queue{behind: true, frames: map[int64]waiting{}},
	}
	sk.control = []string{"1::"}
	go sk.follow(context.WithoutCancel(ctx))
	return sk, nil
}

var errTooMany = &chat.Error{Kind: chat.Unavailable, Reason: "too many connections"}

// follow has the socket told of events until it closes, which it sees to when the token ends.
func (sk *socket) follow(ctx context.Context) {
	defer sk.s.count(sk.e.key.user, -1)
	leave, err := sk.takeOver(ctx)
	if err != nil { // without its position it would miss events
		sk.s.Log.Error("position of an endpoint cannot be read", "error", err)
		sk.close()
		return
	}
	sk.stir()
	timer := time.AfterFunc(time.Duration(sk.expires-sk.s.Now())*time.Millisecond, func() { sk.end(notify.Expired) })
	defer timer.Stop()
	// The token may have been revoked before the hub knew of this connection.
	if _, _, err := sk.s.Authenticate(ctx, sk.token); err != nil {
		sk.end(notify.Revoked)
	}
	<-sk.closed
	sk.catchPosition()
	leave()
	sk.clear()
	sk.e.release(sk)
}

var connectedPacket = `5:1::{"name":"trouter.connected","args":[{"ttl":` + strconv.Itoa(int(allocation.Seconds())) +
	`,"dur":"` + strconv.Itoa(int(allocation.Milliseconds())) + `"}]}`

// greet tells the client that it is connected. From then on it relies on hearing everything, and takes events.
func (sk *socket) greet() {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	if !sk.greeted {
		sk.greeted = true
		sk.control = append(sk.control, connectedPacket)
		sk.stir()
	}
}

// takeOver makes the socket the one that is told of the events of its endpoint. The one before, when there is one still (a
// client keeps the old one for a while when it switches), is told nothing more, and has a moment to acknowledge what it got,
// so that nothing is told twice.
func (sk *socket) takeOver(ctx context.Context) (leave func(), err error) {
	e := sk.e
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	if old := e.connection(); old != nil {
		sk.greet() // there is a position to go on from
		if !old.retire(switchTime) {
			old.close() // it answers nothing: the network took it
		}
	}
	from, knows := e.told()
	if knows == unknown {
		if from, err = sk.s.Positions.EndpointPosition(ctx, e.key.user, e.key.id); err != nil {
			return nil, err
		}
		if from != 0 {
			from, knows = max(from, 0), known
		}
	}
	present, leave := sk.s.Hub.Subscribe(e.key.user, subscriber{sk})
	resumed := knows == known && from <= present
	if resumed {
		sk.s.Metrics.Reconnects.WithLabelValues(protocol).Inc()
	} else {
		from = present
	}
	e.begin(sk, from, resumed)
	sk.greet()
	sk.start(from, present)
	sk.s.saver.note(e) // so that it goes on here even when it hears nothing before the server stops
	return leave, nil
}

// catchPosition notes that the endpoint has been told all that the hub handed over, if that is so: else what it did not have
// to hear would be searched for it again when it comes back.
func (sk *socket) catchPosition() {
	position := sk.s.Hub.Position()
	sk.mu.Lock()
	defer sk.mu.Unlock()
	if sk.started && !sk.behind && !sk.retired && !sk.over && len(sk.pending) == 0 {
		sk.pass(position)
	}
}

// pass notes that up to a position there is nothing that was not sent.
func (sk *socket) pass(position int64) {
	if sk.e.pass(position) {
		sk.s.saver.note(sk.e)
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

func (u subscriber) Offer(h notify.Heard) { u.sk.offer(h) }

// End says goodbye. A client whose token is no good asks for a new one and comes back; five times in a row were seen to work.
// When the server stops, clients are let go one after the other, with what they were told acknowledged.
func (u subscriber) End(reason notify.Reason) {
	if reason != notify.Stopping {
		u.sk.end(reason)
		return
	}
	go func() {
		select {
		case <-time.After(rand.N(goodbyes)):
		case <-u.sk.closed:
		}
		u.sk.retire(ackTime)
		u.sk.end(reason)
	}()
}

// end has the writer close the connection, and closes it if there is none that does.
func (sk *socket) end(reason notify.Reason) {
	sk.mu.Lock()
	if sk.reason == "" {
		sk.reason = reason
		if reason != notify.Stopping {
			sk.control = append(sk.control, `0:::{"reason":"unauthorized"}`)
		}
	}
	sk.mu.Unlock()
	sk.stir()
	time.AfterFunc(closeTime, sk.close)
}

// ending returns why the server ends the connection, "" when it does not.
func (sk *socket) ending() string {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	return string(sk.reason)
}

// close ends the connection for good; follow clears up.
func (sk *socket) close() { sk.once.Do(func() { close(sk.closed) }) }

// retire stops telling events and waits until those told are acknowledged, the connection has ended, or time is up.
// It reports whether they were acknowledged.
func (sk *socket) retire(patience time.Duration) bool {
	sk.mu.Lock()
	sk.retired = true
	if sk.drained == nil {
		sk.drained = make(chan struct{})
	}
	drained := sk.drained
	sk.drain()
	sk.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-drained:
		return true
	case <-sk.closed:
	case <-timer.C:
	}
	return false
}

// drain tells who waits for it that nothing is outstanding, if that is so; the lock is held.
func (sk *socket) drain() {
	if sk.drained == nil || len(sk.frames) > 0 {
		return
	}
	select {
	case <-sk.drained:
	default:
		close(sk.drained)
	}
}
