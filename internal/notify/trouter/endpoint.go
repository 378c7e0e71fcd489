package trouter

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// endpointKey names one client of one user: a ChatClient in a page. Its id (epid) stays the same over reconnects.
type endpointKey struct {
	user chat.Identity
	id   string
}

const maxEndpointID = 128

// endpointID is the client's epid; chat 1.0.0 has none, but brings its allocation back.
func endpointID(epid, allocation string) string {
	if epid == "" || len(epid) > maxEndpointID {
		return allocation
	}
	return epid
}

// knowledge is what is known here of how far an endpoint has read.
type knowledge int

const (
	unknown   knowledge = iota // the store may know
	known                      // at and owed hold
	forgotten                  // the client wanted no more: its next connection begins at the present
)

// endpoint is what outlives a connection. Its lock is taken after that of a socket, never before.
type endpoint struct {
	key  endpointKey
	turn chan struct{} // holds a token while one connection takes over from another

	mu      sync.Mutex
	dialect dialect
	newest  *socket   // of the connections; nil while the client is away
	current *socket   // that is told of events: the newest, when its turn has come
	left    time.Time // when the newest connection ended
	knows   knowledge
	at      int64              // newest position that went out
	owed    map[int64]struct{} // positions up to there that were not acknowledged
	root    string             // tag of the connection that began anew, see recall.go
}

// endpoint returns the endpoint of that key, made when it is new.
func (s *Server) endpoint(key endpointKey) *endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.endpoints[key]
	if e == nil {
		e = &endpoint{key: key, turn: make(chan struct{}, 1), dialect: web, owed: map[int64]struct{}{}}
		s.endpoints[key] = e
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left = time.Now() // it must not be forgotten before its connection arrives
	return e
}

// existing returns the endpoint of that key, nil when nobody connected as it lately.
func (s *Server) existing(key endpointKey) *endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoints[key]
}

// register sets the dialect in which the client reads events. It comes after the connection, and so takes a forget back
// that was sent before it and arrived late.
func (e *endpoint) register(d dialect) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dialect = d
	if e.current != nil {
		e.knows = known
	}
}

// forget makes the next connection begin at the present. One that lasts goes on: the client closed it just before, or
// started again.
func (e *endpoint) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.knows = forgotten
}

func (e *endpoint) spoken() dialect {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dialect
}

// idle returns for how long nobody has been connected.
func (e *endpoint) idle(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.newest != nil {
		return 0
	}
	return now.Sub(e.left)
}

func (e *endpoint) connection() *socket {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current
}

// told returns the position up to which the client has acknowledged everything.
func (e *endpoint) told() (int64, knowledge) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.settled(), e.knows
}

// settled returns the position up to which nothing is owed; the lock is held.
func (e *endpoint) settled() int64 {
	at := e.at
	for p := range e.owed {
		at = min(at, p-1)
	}
	return at
}

// arrive notes the newest connection, and has one that still waits for its turn end. It reports whether it is known here
// where to go on.
func (e *endpoint) arrive(sk *socket) bool {
	e.mu.Lock()
	before := e.newest
	e.newest = sk
	here := e.knows != unknown
	e.mu.Unlock()
	if before != nil {
		before.supersede()
	}
	return here
}

// outstanding returns the positions that went out and were not acknowledged, in order.
func (e *endpoint) outstanding() []int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.owed))
}

// recalled notes which of the positions the client was told, whether it acknowledged them or not. It returns the position up
// to which it knows everything.
func (e *endpoint) recalled(asked, seen []int64) int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range seen {
		e.at = max(e.at, p)
	}
	for _, p := range asked {
		if p <= e.at {
			e.owed[p] = struct{}{}
		}
	}
	for _, p := range seen {
		delete(e.owed, p)
	}
	return e.settled()
}

// sameJournal returns those of the tags whose connections told of this journal.
func (e *endpoint) sameJournal(tags []string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.Index(tags, e.root); i >= 0 {
		return tags[:i+1]
	}
	return tags
}

// begin makes sk the connection that is told of events. A new endpoint, or one that was forgotten, begins at the position.
func (e *endpoint) begin(sk *socket, at int64, resumed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !resumed || e.knows != known {
		e.at, e.root = at, sk.tag
		clear(e.owed)
	}
	e.current, e.knows = sk, known
}

func (e *endpoint) release(sk *socket) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current == sk {
		e.current = nil
	}
	if e.newest == sk {
		e.newest, e.left = nil, time.Now()
	}
}

// send notes that an event goes out.
func (e *endpoint) send(position int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at = max(e.at, position)
	e.owed[position] = struct{}{}
}

// pass notes that up to a position there is nothing that was not sent, and reports whether that is news.
func (e *endpoint) pass(position int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	news := position > e.at
	e.at = max(e.at, position)
	return news
}

// settle notes that an event needs not be told again.
func (e *endpoint) settle(position int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.owed, position)
}

// done reports whether an event was settled before: what is replayed begins with the oldest that was not.
func (e *endpoint) done(position int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, owed := e.owed[position]
	return position <= e.at && !owed
}

// reread settles what is owed of a stretch of the journal and was not found there: it was purged, or is out of date.
func (e *endpoint) reread(from, to int64, found []waiting) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range e.owed {
		if p > from && p <= to && !slices.ContainsFunc(found, func(f waiting) bool { return f.Position == p }) {
			delete(e.owed, p)
		}
	}
}
