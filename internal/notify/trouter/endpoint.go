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

// endpointKey names one client of one user, say a ChatClient in a web page. Its id (epid) stays the same over reconnects.
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

// endpoint is what outlives a connection. An event that was acknowledged stays so, hence what this server knows is merged with
// what the store knows, which may have been acknowledged at other servers. Its lock is taken after that of a connection, never
// before.
type endpoint struct {
	key          endpointKey
	takeoverSlot chan struct{} // holds a token while one connection takes over from another

	mu          sync.Mutex
	format      format
	newest      *connection                // of the connections here; nil while the client is disconnected
	current     *connection                // that delivers: the newest, once it has taken over
	leftAt      time.Time                  // when the newest connection ended
	latest      int64                      // number of the newest connection, on whichever server
	owner       int64                      // number of the last owner here; the store may have another one by now
	lastCurrent int64                      // number of the last one here that delivered
	sentTo      chat.Position              // newest position that was sent
	unacked     map[chat.Position]struct{} // positions up to there that are not acknowledged
	rootTag     string                     // tag of the connection that did not resume another, see marks.go
}

// endpoint returns the endpoint of that key, made when it is new.
func (s *Server) endpoint(key endpointKey) *endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.endpoints[key]
	if e == nil {
		e = &endpoint{key: key, takeoverSlot: make(chan struct{}, 1), format: webFormat, unacked: map[chat.Position]struct{}{}}
		s.endpoints[key] = e
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.leftAt = s.Clock.Now() // it must not be swept before its connection arrives
	return e
}

// knownEndpoint returns the endpoint of that key, nil when it is not in memory.
func (s *Server) knownEndpoint(key endpointKey) *endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoints[key]
}

// setFormat sets the format in which the client reads events.
func (e *endpoint) setFormat(f format) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.format = f
}

func (e *endpoint) currentFormat() format {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.format
}

// idle returns for how long no connection has been open.
func (e *endpoint) idle(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.newest != nil {
		return 0
	}
	return now.Sub(e.leftAt)
}

// connected reports whether a connection is open here, or ends.
func (e *endpoint) connected() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.newest != nil || e.current != nil
}

// currentConnection returns the connection that delivers, nil when none does.
func (e *endpoint) currentConnection() *connection {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current
}

// acknowledged returns what the store keeps: the position up to which the client has acknowledged everything, the owner, and
// whether that has been released.
func (e *endpoint) acknowledged() delivery.Acknowledged {
	e.mu.Lock()
	defer e.mu.Unlock()
	return delivery.Acknowledged{
		User: e.key.user, Endpoint: e.key.id, Owner: e.owner, Position: e.ackedTo(), Released: e.newest == nil && e.current == nil,
	}
}

// ackedTo returns the position up to which everything is acknowledged. The lock is held.
func (e *endpoint) ackedTo() chat.Position {
	at := e.sentTo
	for p := range e.unacked {
		at = min(at, p-1)
	}
	return at
}

// add makes c the newest connection, as the store has it, and closes one that still waits to take over. It reports false when
// there is a newer one already.
func (e *endpoint) add(c *connection, row delivery.Endpoint) bool {
	e.mu.Lock()
	e.updateLocked(row)
	if c.number < e.latest {
		e.mu.Unlock()
		return false
	}
	e.latest = c.number
	before := e.newest
	e.newest = c
	e.mu.Unlock()
	if before != nil {
		before.supersede()
	}
	return true
}

// unackedPositions returns the positions that were sent and not acknowledged, in order.
func (e *endpoint) unackedPositions() []chat.Position {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.unacked))
}

// reconcile records which of the positions asked for the client has received, whether it acknowledged them or not. It returns
// the position up to which it has received everything.
func (e *endpoint) reconcile(asked, seen []chat.Position) chat.Position {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range seen {
		e.sentTo = max(e.sentTo, p)
	}
	for _, p := range asked {
		if p <= e.sentTo {
			e.unacked[p] = struct{}{}
		}
	}
	for _, p := range seen {
		delete(e.unacked, p)
	}
	return e.ackedTo()
}

// sameJournal returns those of the tags whose connections delivered from this journal.
func (e *endpoint) sameJournal(tags []string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.Index(tags, e.rootTag); i >= 0 {
		return tags[:i+1]
	}
	return tags
}

// update merges what the store knows.
func (e *endpoint) update(row delivery.Endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.updateLocked(row)
}

// updateLocked is update with the lock held.
func (e *endpoint) updateLocked(row delivery.Endpoint) {
	if row.Owner == row.Newest {
		e.owner = row.Owner
	}
	e.format = format(row.Format)
	e.sentTo = max(e.sentTo, row.Position)
	maps.DeleteFunc(e.unacked, func(p chat.Position, _ struct{}) bool { return p <= row.Position })
}

// supersededBy records a connection at another server, and returns those here that it supersedes: the one that waits to take over
// and the one that delivers, each nil when there is none. isNew is false when a connection here is as new.
func (e *endpoint) supersededBy(number int64) (waiting, current *connection, isNew bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if number <= e.latest {
		return nil, nil, false
	}
	e.latest = number
	return e.newest, e.current, true
}

// makeCurrent makes c the connection that delivers, unless there is a newer one, which may be at another server. It returns the
// position to deliver from, and whether the connection before was here too, so that it is known what that sent without an
// acknowledgement.
func (e *endpoint) makeCurrent(c *connection) (from chat.Position, here, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.number < e.latest {
		return 0, false, false
	}
	here = e.lastCurrent == c.number-1
	e.current, e.lastCurrent = c, c.number
	if !c.resumed {
		e.rootTag = c.tag
	}
	return e.ackedTo(), here, true
}

// release records that a connection has closed.
func (e *endpoint) release(c *connection) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current == c {
		e.current = nil
	}
	if e.newest == c {
		e.newest, e.leftAt = nil, c.s.Clock.Now()
	}
}

// markSent records that an event is sent.
func (e *endpoint) markSent(position chat.Position) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sentTo = max(e.sentTo, position)
	e.unacked[position] = struct{}{}
}

// skipTo records that nothing up to a position is left to be sent, and reports whether that is new.
func (e *endpoint) skipTo(position chat.Position) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	isNew := position > e.sentTo
	e.sentTo = max(e.sentTo, position)
	return isNew
}

// ack records that an event is not to be sent again.
func (e *endpoint) ack(position chat.Position) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.unacked, position)
}

// isAcked reports whether an event was acknowledged before: a replay begins with the oldest that was not.
func (e *endpoint) isAcked(position chat.Position) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, unacked := e.unacked[position]
	return position <= e.sentTo && !unacked
}

// ackMissing acknowledges what is unacknowledged in a part of the journal and was not found there: it was purged or is out of date.
func (e *endpoint) ackMissing(from, to chat.Position, found []pendingEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range e.unacked {
		if p > from && p <= to && !slices.ContainsFunc(found, func(f pendingEvent) bool { return f.Position == p }) {
			delete(e.unacked, p)
		}
	}
}
