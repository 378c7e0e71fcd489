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

const firstLook = 50 * time.Millisecond // at whether another server has let go; then after twice the time, and so on

// fetch gets the endpoint from the server that tells it. It reports whether the socket is the one now.
func (sk *socket) fetch(ctx context.Context) bool {
	end := time.NewTimer(handTime)
	defer end.Stop()
	for wait, held := firstLook, true; held; wait *= 2 {
		look := time.NewTimer(wait)
		select {
		case <-sk.closed:
			return false
		case <-end.C:
			held = false
		case <-look.C:
			row, err := sk.s.Endpoints.Endpoint(ctx, sk.e.key.user, sk.e.key.id)
			held = err != nil || row.Owner != 0 && row.Newest == sk.number
		}
		look.Stop()
	}
	row, err := sk.s.Endpoints.TakeEndpoint(ctx, sk.e.key.user, sk.e.key.id, sk.number)
	if err != nil {
		if chat.KindOf(err) != chat.NotFound && ctx.Err() == nil { // a newer connection is there, at another server
			sk.s.Log.Error("endpoint cannot be taken over", "error", err)
		}
		return false
	}
	sk.e.adopt(row)
	return true
}

// changed is told by the hub that an endpoint has a connection which waits for that of another server, or has another dialect
// when the number is 0.
func (s *Server) changed(user chat.Identity, id string, number int64) {
	e := s.existing(endpointKey{user, id})
	switch {
	case e == nil:
	case number == 0:
		go s.reread(e)
	default:
		s.letGo(e, number)
	}
}

func (s *Server) reread(e *endpoint) {
	ctx, cancel := context.WithTimeout(context.Background(), handTime)
	defer cancel()
	row, err := s.Endpoints.Endpoint(ctx, e.key.user, e.key.id)
	if err != nil {
		s.Log.Error("endpoint cannot be read", "error", err)
		return
	}
	e.speak(dialect(row.Format))
}

// letGo ends the connections of an endpoint for that of another server.
func (s *Server) letGo(e *endpoint, number int64) {
	waiting, telling, news := e.outrun(number)
	if !news {
		return
	}
	if waiting != nil {
		waiting.supersede()
	}
	if telling != nil {
		telling.stop()
		go func() {
			telling.retire(switchTime)
			telling.close()
		}()
	}
}
