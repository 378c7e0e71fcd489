package trouter

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
	"github.com/chatd/chatd/internal/notify"
)

const protocol = "trouter"

// socket is one connection, whatever carries it. Its writer calls next, its reader receive; follow begins and ends it.
type socket struct {
	s       *Server
	e       *endpoint
	number  int64 // among the connections of the endpoint
	resumed bool  // it goes on where one before ended
	surl    string
	caller  Caller
	tag     string   // of what it marks, "" when the client cannot be marked; see marks.go
	priors  []string // those of the connections before, the newest first

	wake   chan struct{}   // holds a token when there is something for the writer
	ctx    context.Context // ends when the connection is closed
	close  func()          // ends the connection for good; follow clears up
	closed <-chan struct{} // that of ctx
	reads  sync.WaitGroup  // of the journal

	mu       sync.Mutex
	control  []string // packets that go before events: acknowledgements must be quick
	greeted  bool
	question *question // that is not answered, if any
	reason   notify.Reason
	over     bool // nothing is taken in any more
	queue
}

// begin makes the connection of the session that a request names, if it is good.
func (s *Server) begin(r *http.Request, id string) (*socket, error) {
	se, err := s.open(r, id)
	if err != nil {
		return nil, err
	}
	if !s.count(se.User, +1) {
		return nil, errTooMany
	}
	sk, err := s.connect(context.WithoutCancel(r.Context()), se)
	if err != nil {
		s.count(se.User, -1)
	}
	return sk, err
}

var errTooMany = &chat.Error{Kind: chat.Unavailable, Reason: "too many connections, or the server is stopping"}

// connect begins the connection of a session, once. The events of the endpoint come to it from where the last one ended.
func (s *Server) connect(ctx context.Context, se *session) (*socket, error) {
	e := s.endpoint(se.key())
	row, err := s.Endpoints.ConnectEndpoint(ctx, delivery.Connection{
		User: se.User, Endpoint: se.Endpoint, Number: se.Number, Previous: e.told().Owner, At: s.Now(),
		Position: se.Begin,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	sk := &socket{
		ctx: ctx, close: cancel, closed: ctx.Done(),
		s: s, e: e, number: se.Number, resumed: row.Ended != se.Number-1, surl: se.surl(), caller: se.Caller,
		wake: make(chan struct{}, 1), queue: queue{behind: true, frames: map[int64]waiting{}},
	}
	if len(se.Tags) > 0 {
		sk.tag, sk.priors = se.Tags[0], se.Tags[1:]
	}
	sk.control = []string{"1::"}
	if !e.arrive(sk, row) {
		s.saver.note(e)
		cancel()
		return nil, errSession
	}
	go sk.follow(ctx)
	return sk, nil
}

// follow has the socket told of events until it closes, which it sees to when the token ends.
func (sk *socket) follow(ctx context.Context) {
	defer sk.s.count(sk.e.key.user, -1)
	defer sk.leave()
	leave, ok := sk.takeOver(ctx)
	if !ok {
		sk.close()
		return
	}
	sk.stir()
	timer := time.AfterFunc(time.Duration(sk.caller.Expires-sk.s.Now())*time.Millisecond, func() { sk.end(notify.Expired) })
	defer timer.Stop()
	// The token may have been revoked before the hub knew of this connection.
	if err := sk.s.good(ctx, sk.caller); err != nil {
		sk.end(notify.Revoked)
	}
	<-sk.closed
	sk.catchPosition()
	leave()
	sk.clear()
	sk.reads.Wait()
}

// leave lets another connection go on, on whichever server.
func (sk *socket) leave() {
	sk.e.release(sk)
	sk.s.saver.note(sk.e)
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
