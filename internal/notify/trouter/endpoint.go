package trouter

import (
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

// endpointKey names one client of one user: a ChatClient in a page. Its id (epid) stays the same over reconnects.
type endpointKey struct {
	user chat.Identity
	id   string
}

const maxEndpointID = 128

var endpointShape = regexp.MustCompile(`^[!-~]+$`)

// endpointID is the client's epid; chat 1.0.0 has none, but brings its allocation back.
func endpointID(epid, allocation string) string {
	if len(epid) > maxEndpointID || !endpointShape.MatchString(epid) {
		return allocation
	}
	return epid
}

// endpoint is what outlives a connection. That events were acknowledged stays true, so what is known here is put together with
// what the store knows, which may have been acknowledged at other servers. Its lock is taken after that of a socket, never
// before.
type endpoint struct {
	key  endpointKey
	turn chan struct{} // holds a token while one connection takes over from another

	mu      sync.Mutex
	dialect dialect
	newest  *socket                    // of the connections; nil while the client is away
	current *socket                    // that is told of events: the newest, when its turn has come
	left    time.Time                  // when the newest connection ended
	latest  int64                      // number of the newest connection, on whichever server
	teller  int64                      // number of the last one here that was to tell; it is not when the store has another one
	last    int64                      // number of the last one here that was told of events
	at      chat.Position              // newest position that went out
	owed    map[chat.Position]struct{} // positions up to there that were not acknowledged
	root    string                     // tag of the connection that began anew, see marks.go
}

// endpoint returns the endpoint of that key, made when it is new.
func (s *Server) endpoint(key endpointKey) *endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.endpoints[key]
	if e == nil {
		e = &endpoint{key: key, turn: make(chan struct{}, 1), dialect: web, owed: map[chat.Position]struct{}{}}
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

// told returns what the store is to know: the position up to which the client has acknowledged everything, by whom it was
// told, and whether that one has gone.
func (e *endpoint) told() delivery.Acknowledged {
	e.mu.Lock()
	defer e.mu.Unlock()
	return delivery.Acknowledged{
		User: e.key.user, Endpoint: e.key.id, Owner: e.teller, Position: e.settled(), Released: e.newest == nil && e.current == nil,
	}
}

// settled returns the position up to which nothing is owed; the lock is held.
func (e *endpoint) settled() chat.Position {
	at := e.at
	for p := range e.owed {
		at = min(at, p-1)
	}
	return at
}

// arrive notes the newest connection, as the store has it, and has one that still waits for its turn end. It reports false
// when there is a newer one already.
func (e *endpoint) arrive(sk *socket, row delivery.Endpoint) bool {
	e.mu.Lock()
	e.learn(row)
	if sk.number < e.latest {
		e.mu.Unlock()
		return false
	}
	e.latest = sk.number
	before := e.newest
	e.newest = sk
	e.mu.Unlock()
	if before != nil {
		before.supersede()
	}
	return true
}

// outstanding returns the positions that went out and were not acknowledged, in order.
func (e *endpoint) outstanding() []chat.Position {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.owed))
}

// recalled notes which of the positions the client was told, whether it acknowledged them or not. It returns the position up
// to which it knows everything.
func (e *endpoint) recalled(asked, seen []chat.Position) chat.Position {
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

// adopt takes over what the store knows, as a connection that arrived here found it.
func (e *endpoint) adopt(row delivery.Endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.learn(row)
}

// learn is adopt while the lock is held.
func (e *endpoint) learn(row delivery.Endpoint) {
	if row.Owner == row.Newest {
		e.teller = row.Owner
	}
	e.dialect = dialect(row.Format)
	e.at = max(e.at, row.Position)
	maps.DeleteFunc(e.owed, func(p chat.Position, _ struct{}) bool { return p <= row.Position })
}

// outrun notes a connection at another server, and returns those here: that which waits for its turn, if there is one, and
// that which is told of events. news is false when one here is as new.
func (e *endpoint) outrun(number int64) (waiting, telling *socket, news bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if number <= e.latest {
		return nil, nil, false
	}
	e.latest = number
	return e.newest, e.current, true
}

// begin makes sk the connection that is told of events, unless there is a newer one, which may be at another server. It returns
// the position from which on, and whether the connection before was here too, so that it is known what that was told and did
// not acknowledge.
func (e *endpoint) begin(sk *socket) (from chat.Position, here, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if sk.number < e.latest {
		return 0, false, false
	}
	here = e.last == sk.number-1
	e.current, e.last = sk, sk.number
	if !sk.resumed {
		e.root = sk.tag
	}
	return e.settled(), here, true
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
func (e *endpoint) send(position chat.Position) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at = max(e.at, position)
	e.owed[position] = struct{}{}
}

// pass notes that up to a position there is nothing that was not sent, and reports whether that is news.
func (e *endpoint) pass(position chat.Position) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	news := position > e.at
	e.at = max(e.at, position)
	return news
}

// settle notes that an event needs not be told again.
func (e *endpoint) settle(position chat.Position) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.owed, position)
}

// done reports whether an event was settled before: what is replayed begins with the oldest that was not.
func (e *endpoint) done(position chat.Position) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, owed := e.owed[position]
	return position <= e.at && !owed
}

// reread settles what is owed of a stretch of the journal and was not found there: it was purged, or is out of date.
func (e *endpoint) reread(from, to chat.Position, found []waiting) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range e.owed {
		if p > from && p <= to && !slices.ContainsFunc(found, func(f waiting) bool { return f.Position == p }) {
			delete(e.owed, p)
		}
	}
}
