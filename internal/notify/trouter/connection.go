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

// connection is one connection of a client, over websocket or long polling. Its writer calls next, its reader calls receive; run
// spans its life.
type connection struct {
	s            *Server
	e            *endpoint
	number       int64 // among the connections of the endpoint
	resumed      bool  // it begins where an earlier one ended
	surl         string
	caller       Caller
	tag          string   // of its marks, "" when the client keeps none; see marks.go
	previousTags []string // of the connections before, the newest first

	wake         chan struct{}   // holds a token when there is something for the writer
	ctx          context.Context // ends when the connection is closed
	close        func()          // ends the connection for good; run cleans up
	closed       <-chan struct{} // ctx.Done()
	journalReads sync.WaitGroup  // that are under way

	mu         sync.Mutex
	control    []string // packets that go before events: acknowledgements must be quick
	announced  bool
	markQuery  *markQuery // that is not answered; nil when none is
	reason     notify.Reason
	discarding bool // nothing is queued any more
	queue
}

// openConnection opens the connection of the session that a request names. The error has the kind that statusOf expects.
func (s *Server) openConnection(r *http.Request, id string) (*connection, error) {
	se, err := s.readSession(r, id)
	if err != nil {
		return nil, err
	}
	if !s.countConnection(se.User, +1) {
		return nil, errTooMany
	}
	c, err := s.connect(se)
	if err != nil {
		s.countConnection(se.User, -1)
	}
	return c, err
}

var errTooMany = &chat.Error{Kind: chat.Unavailable, Reason: "too many connections, or the server is stopping"}

// connect opens the connection of a session. A session is good for one connection: the store takes each number once.
func (s *Server) connect(se *session) (*connection, error) {
	e := s.endpoint(se.key())
	row, err := s.Endpoints.ConnectEndpoint(s.ctx, delivery.Connection{
		User: se.User, Endpoint: se.Endpoint, Number: se.Number, Previous: e.acknowledged().Owner, At: s.Now(),
		Position: se.Start,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(s.ctx) // the request's would keep all of the request
	c := &connection{
		ctx: ctx, close: cancel, closed: ctx.Done(),
		s: s, e: e, number: se.Number, resumed: row.Ended != se.Number-1, surl: se.surl(), caller: se.Caller,
		wake: make(chan struct{}, 1), queue: queue{behind: true, unacked: map[int64]pendingEvent{}},
	}
	if len(se.Tags) > 0 {
		c.tag, c.previousTags = se.Tags[0], se.Tags[1:]
	}
	c.control = []string{"1::"}
	if !e.add(c, row) {
		s.saver.add(e)
		cancel()
		return nil, errSession
	}
	go c.run(ctx)
	return c, nil
}

// run delivers events to the connection until it closes, at the latest when the token expires.
func (c *connection) run(ctx context.Context) {
	defer c.s.countConnection(c.e.key.user, -1)
	defer c.release()
	unsubscribe, ok := c.takeOver(ctx)
	if !ok {
		c.close()
		return
	}
	c.signal()
	timer := c.s.Clock.AfterFunc(time.Duration(c.caller.Expires-c.s.Now())*time.Millisecond, func() { c.end(notify.Expired) })
	defer timer.Stop()
	// The token may have been revoked before the hub knew of this connection.
	if err := c.s.valid(ctx, c.caller); err != nil {
		c.end(notify.Revoked)
	}
	<-c.closed
	c.advancePosition()
	unsubscribe()
	c.discard()
	c.journalReads.Wait()
}

// release lets the next connection take over, on this server or another.
func (c *connection) release() {
	c.e.release(c)
	c.s.saver.add(c.e)
}

var connectedPacket = `5:1::{"name":"trouter.connected","args":[{"ttl":` + strconv.Itoa(int(allocationLife.Seconds())) +
	`,"dur":"` + strconv.Itoa(int(allocationLife.Milliseconds())) + `"}]}`

// announce tells the client that it is connected. The SDK for JavaScript then reports that it is online, and the application
// relies on receiving all events from there on.
func (c *connection) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.announced {
		c.announced = true
		c.control = append(c.control, connectedPacket)
		c.signal()
	}
}

// signal wakes the writer.
func (c *connection) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// subscriber is a connection as the hub sees it. The hub calls it with a lock held, so it only queues.
type subscriber struct{ c *connection }

func (u subscriber) Offer(d notify.Delivery) { u.c.offer(d) }

// End closes the connection. A client whose token is no longer valid gets a new one and reconnects (the SDK for JavaScript did so
// five times in a row). When the server stops, connections close at random moments within goodbyeSpread, each after its client
// has acknowledged what was sent, or ackTimeout.
func (u subscriber) End(reason notify.Reason) {
	if reason != notify.Stopping {
		u.c.end(reason)
		return
	}
	go func() {
		select {
		case <-time.After(rand.N(goodbyeSpread)):
		case <-u.c.closed:
		}
		u.c.drain(ackTimeout)
		u.c.end(reason)
	}()
}

// end has the writer close the connection. Without a writer (no long poll is waiting) it closes after closeTimeout.
func (c *connection) end(reason notify.Reason) {
	c.mu.Lock()
	if c.reason == "" {
		c.reason = reason
		if reason != notify.Stopping {
			c.control = append(c.control, `0:::{"reason":"unauthorized"}`)
		}
	}
	c.mu.Unlock()
	c.signal()
	time.AfterFunc(closeTimeout, c.close) // does nothing when it has closed before
}

// endReason returns why the server ends the connection, "" when it does not.
func (c *connection) endReason() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.reason)
}
