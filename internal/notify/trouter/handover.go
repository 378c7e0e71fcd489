package trouter

import (
	"context"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// A client may connect to any of several servers on one store, while a connection of it is still open at another one: the
// network took that, or has not said yet that it ended. Who tells the client is written in the store. A connection that finds
// there one of another server waits, and the journal brings the word to that server: it tells nothing of what is behind the
// word, waits as long for acknowledgements as when a connection of its own takes over, saves the position and lets go. A
// server that is dead or does not hear is not waited for longer than handTime; what it saves later is refused.

const firstPoll = 50 * time.Millisecond // at whether another server has let go; then after twice the time, and so on

// acquire gets the endpoint from the server that tells it. It reports whether the socket is the one now.
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

// endpointChanged is told by the hub that an endpoint has a connection which waits for that of another server, or has another dialect
// when the number is 0.
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

// handOver ends the connections of an endpoint for that of another server.
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
