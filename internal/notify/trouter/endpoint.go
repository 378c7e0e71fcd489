package trouter

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// endpointKey names one client of one user: a ChatClient in a page. Its id (epid) stays the same over reconnects.
type endpointKey struct {
	user chat.Identity
	id   string
}

// endpointID is the client's epid; chat 1.0.0 has none, but brings its allocation back.
func endpointID(epid, allocation string) string {
	if epid == "" || len(epid) > maxEndpointID {
		return allocation
	}
	return epid
}

// endpoint is what outlives a connection.
type endpoint struct {
	mu      sync.Mutex
	dialect dialect
	current *socket   // that is told of events; nil while the client is away
	known   bool      // position has a meaning
	at      int64     // position up to which a client that is away has been told
	left    time.Time // when the last connection ended
}

// endpoint returns the endpoint of that key, made when it is new.
func (s *Server) endpoint(key endpointKey) *endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.endpoints[key]
	if e == nil {
		e = &endpoint{dialect: web, left: time.Now()}
		s.endpoints[key] = e
	}
	return e
}

// drop forgets how far an endpoint has read: the client said that it wants no more. Its connection goes on as long as it
// lasts.
func (s *Server) drop(key endpointKey) {
	s.mu.Lock()
	e := s.endpoints[key]
	s.mu.Unlock()
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known = e.current != nil
}

// speak sets the dialect in which the client reads events.
func (e *endpoint) speak(d dialect) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dialect = d
}

func (e *endpoint) spoken() dialect {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dialect
}

// idleSince returns for how long nobody has been connected.
func (e *endpoint) idleSince(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current != nil {
		return 0
	}
	return now.Sub(e.left)
}

// takeOver makes sk the connection that is told of events, and returns from where on; known is false for an endpoint that
// was never told anything. The connection before, when there is one still (a client keeps the old one for a while when it
// switches), is told nothing more, and has a moment to acknowledge what it got, so that nothing is told twice.
func (e *endpoint) takeOver(ctx context.Context, sk *socket, switchTime time.Duration) (from int64, known bool) {
	e.mu.Lock()
	old := e.current
	e.mu.Unlock()
	if old != nil && !old.retire(ctx, switchTime) {
		old.close() // it answers nothing: the network took it
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current != nil {
		e.at, e.known = e.current.told(), true
	}
	e.current = sk
	return e.at, e.known
}

// release notes how far a connection came that has ended.
func (e *endpoint) release(sk *socket) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current == sk {
		e.at, e.known, e.current, e.left = sk.told(), true, nil, time.Now()
	}
}

// saver keeps the positions of endpoints in the store: all that changed while the last time was under way, at once.
type saver struct {
	store Positions
	now   func() chat.Time
	log   *slog.Logger
	wake  chan struct{}

	mu    sync.Mutex
	dirty map[endpointKey]int64
}

func newSaver(store Positions, now func() chat.Time, log *slog.Logger) *saver {
	return &saver{store: store, now: now, log: log, wake: make(chan struct{}, 1), dirty: map[endpointKey]int64{}}
}

func (v *saver) note(key endpointKey, position int64) {
	v.mu.Lock()
	v.dirty[key] = position
	v.mu.Unlock()
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

func (v *saver) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-v.wake:
		}
		v.save(context.WithoutCancel(ctx))
	}
}

func (v *saver) save(ctx context.Context) {
	v.mu.Lock()
	positions := make([]Position, 0, len(v.dirty))
	for key, at := range v.dirty {
		positions = append(positions, Position{User: key.user, Endpoint: key.id, Position: at})
	}
	clear(v.dirty)
	v.mu.Unlock()
	if len(positions) == 0 {
		return
	}
	if err := v.store.SaveEndpoints(ctx, positions, v.now()); err != nil {
		v.log.Error("positions of endpoints cannot be kept", "error", err)
	}
}
