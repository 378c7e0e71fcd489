package trouter

import (
	"context"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// A client may connect to any of several servers on one store while another of them still has a connection of it, whose network
// is gone or has not reported the end. The store says which connection owns the endpoint. One that finds an owner at another
// server waits, and delivery.EndpointChanged in the journal tells that server: it delivers nothing behind that event, waits for
// acknowledgements as it does for a connection of its own that takes over, saves the position and releases the endpoint. A server
// that is dead or frozen is waited for no longer than handoverTimeout; what it saves later is refused.

const firstPoll = 50 * time.Millisecond // whether another server has released the endpoint; then after twice the time, and so on

// acquire waits for another server to release the endpoint, or takes it. It reports whether the connection owns it now.
func (c *connection) acquire(ctx context.Context) bool {
	end := time.NewTimer(handoverTimeout)
	defer end.Stop()
	for wait, owned := firstPoll, true; owned; wait *= 2 {
		poll := time.NewTimer(wait)
		select {
		case <-c.closed:
			return false
		case <-end.C:
			owned = false
		case <-poll.C:
			row, err := c.s.Endpoints.Endpoint(ctx, c.e.key.user, c.e.key.id)
			owned = err != nil || row.Owner != 0 && row.Newest == c.number
		}
		poll.Stop()
	}
	row, err := c.s.Endpoints.TakeEndpoint(ctx, c.e.key.user, c.e.key.id, c.number)
	if err != nil {
		if chat.KindOf(err) != chat.NotFound && ctx.Err() == nil { // a newer connection is there, at another server
			c.s.Log.Error("endpoint cannot be taken over", "error", err)
		}
		return false
	}
	c.e.update(row)
	return true
}

// endpointChanged is called by the hub when an endpoint has a connection that waits for one of another server, or, with the number
// 0, another format.
func (s *Server) endpointChanged(user chat.Identity, id string, number int64) {
	e := s.knownEndpoint(endpointKey{user, id})
	switch {
	case e == nil:
	case number == 0:
		go s.reloadFormat(e)
	default:
		s.handOver(e, number)
	}
}

// reloadFormat reads the format of an endpoint that a client registered at another server.
func (s *Server) reloadFormat(e *endpoint) {
	ctx, cancel := context.WithTimeout(s.ctx, handoverTimeout)
	defer cancel()
	row, err := s.Endpoints.Endpoint(ctx, e.key.user, e.key.id)
	if err != nil {
		if s.ctx.Err() == nil {
			s.Log.Error("endpoint cannot be read", "error", err)
		}
		return
	}
	e.setFormat(format(row.Format))
}

// handOver ends the connections of an endpoint in favour of one at another server.
func (s *Server) handOver(e *endpoint, number int64) {
	waiting, current, isNew := e.supersededBy(number)
	if !isNew {
		return
	}
	if waiting != nil {
		waiting.supersede()
	}
	if current != nil {
		current.stopDelivery()
		go func() {
			current.drain(switchTimeout)
			current.close()
		}()
	}
}
