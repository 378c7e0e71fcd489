package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

// Journal is what the hub reads.
type Journal interface {
	// Head returns the newest position.
	Head(ctx context.Context) (chat.Position, error)
	// Oldest returns the oldest position still there; 0 when there is none.
	Oldest(ctx context.Context) (chat.Position, error)
	// After returns up to limit events behind a position, in order.
	After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error)
	// Audience returns who took part in a thread at a roster version.
	Audience(ctx context.Context, thread chat.ThreadKey, roster chat.RosterVersion) ([]chat.Participant, error)
	// Changed holds a token when there may be more.
	Changed() <-chan struct{}
}

// Subscriber is somebody who listens for one user. Its methods are called one at a time and must not block.
type Subscriber interface {
	// Offer hands over an event that the user may hear.
	Offer(h Delivery)
	// End says that the user may hear nothing more.
	End(reason Reason)
}

// Reason says why listening ends.
type Reason string

// The reasons for which the server ends listening.
const (
	Revoked  Reason = "token revoked" // or the identity deleted: the journal does not tell them apart
	Expired  Reason = "token expired"
	Stopping Reason = "server is stopping"
	Slow     Reason = "listener is too slow"
)

// Delivery is an event on its way to one user.
type Delivery struct {
	*chat.Event
	To chat.Identity
	// Shared keeps what is encoded once for all who hear the event.
	Shared *Shared
}

// Shared keeps encodings of an event by the name of the encoding. It is safe for concurrent use.
type Shared struct {
	mu        sync.Mutex
	encodings map[string][]byte
}

// Once returns the encoding of that name, made at the first call.
func (s *Shared) Once(name string, encode func() []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.encodings[name]; ok {
		return b
	}
	if s.encodings == nil {
		s.encodings = map[string][]byte{}
	}
	b := encode()
	s.encodings[name] = b
	return b
}

// pollInterval is how long the hub goes without looking, should a wake-up be lost.
const pollInterval = time.Second

// batchSize is how many events are read at a time.
const batchSize = 256

// Hub tails the journal and hands its events to subscribers.
type Hub struct {
	journal Journal
	log     *slog.Logger
	metrics *Metrics
	replays *replayLimiter

	mu       sync.Mutex    // held while events are handed over, so that a position is a point between two events
	position chat.Position // of the last event handed over
	users    map[chat.Identity]map[Subscriber]struct{}
	rosters  map[rosterKey][]chat.Participant
	stopped  bool

	// Ended, when set before Run, is told whose tokens were revoked or who was deleted, on whichever server.
	Ended func(user chat.Identity)

	// EndpointChanged, when set before Run, is told of delivery.EndpointChanged, after what came before it was handed over and before
	// what comes behind it is. It must not block.
	EndpointChanged func(user chat.Identity, endpoint string, number int64)
}

type rosterKey struct {
	thread chat.ThreadKey
	roster chat.RosterVersion
}

// maxRosters bounds the audiences that are remembered.
const maxRosters = 4096

// NewHub returns a hub on the journal, at its present end. Run must be called for it to work.
func NewHub(ctx context.Context, journal Journal, metrics *Metrics, log *slog.Logger) (*Hub, error) {
	head, err := journal.Head(ctx)
	if err != nil {
		return nil, err
	}
	return &Hub{
		journal: journal, log: log, metrics: metrics, replays: newReplayLimiter(), position: head,
		users: map[chat.Identity]map[Subscriber]struct{}{}, rosters: map[rosterKey][]chat.Participant{},
	}, nil
}

// Run hands events over until the context ends, then tells all subscribers that the server stops.
func (h *Hub) Run(ctx context.Context) {
	timer := time.NewTicker(pollInterval)
	defer timer.Stop()
	for ctx.Err() == nil {
		n, err := h.dispatchBatch(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			h.log.Error("journal cannot be read", "error", err)
		case n == batchSize:
			continue // there is more
		}
		select {
		case <-ctx.Done():
		case <-h.journal.Changed():
		case <-timer.C:
		}
	}
	h.stop()
}

// dispatchBatch hands over what is behind the position, up to a batch.
func (h *Hub) dispatchBatch(ctx context.Context) (int, error) {
	events, err := h.journal.After(ctx, h.position, batchSize) // only Run moves the position
	if err != nil {
		return 0, err
	}
	for i := range events {
		if err := h.dispatch(ctx, &events[i]); err != nil {
			return i, err
		}
	}
	return len(events), nil
}

func (h *Hub) dispatch(ctx context.Context, e *chat.Event) error {
	switch e.Kind {
	case chat.IdentityEnded:
		h.identityEnded(e)
		return nil
	case delivery.EndpointChanged:
		if h.EndpointChanged != nil {
			h.EndpointChanged(e.Actor, e.ActorName, e.Version)
		}
		h.advance(e)
		return nil
	}
	audience, err := h.audience(ctx, e)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	shared := &Shared{}
	for i := range audience {
		p := &audience[i]
		for s := range h.users[p.Identity] {
			if e.VisibleTo(p) {
				s.Offer(Delivery{Event: e, To: p.Identity, Shared: shared})
			}
		}
	}
	h.position = e.Position
	h.metrics.dispatched(e)
	return nil
}

// identityEnded is told before the connections are cut, so that those who come back at once are refused.
func (h *Hub) identityEnded(e *chat.Event) {
	if h.Ended != nil {
		h.Ended(e.Actor)
	}
	h.End(e.Actor, Revoked)
	h.advance(e)
}

// advance notes that an event which nobody hears was dealt with.
func (h *Hub) advance(e *chat.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.position = e.Position
	h.metrics.dispatched(e)
}

// audience returns who hears an event, from memory where it can.
func (h *Hub) audience(ctx context.Context, e *chat.Event) ([]chat.Participant, error) {
	key := rosterKey{e.Key, e.Roster}
	h.mu.Lock()
	audience, ok := h.rosters[key]
	h.mu.Unlock()
	if ok {
		return audience, nil
	}
	audience, err := h.journal.Audience(ctx, e.Key, e.Roster)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.rosters) >= maxRosters {
		clear(h.rosters) // seldom, and only costs reading again
	}
	h.rosters[key] = audience
	return audience, nil
}

// Subscribe lets s hear what its user may hear from now on, and returns the position of the last event before. leave
// ends it; it may be called twice.
func (h *Hub) Subscribe(user chat.Identity, s Subscriber) (position chat.Position, unsubscribe func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		s.End(Stopping)
		return h.position, func() {}
	}
	if h.users[user] == nil {
		h.users[user] = map[Subscriber]struct{}{}
	}
	h.users[user][s] = struct{}{}
	return h.position, func() { h.unsubscribe(user, s) }
}

func (h *Hub) unsubscribe(user chat.Identity, s Subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.users[user], s)
	if len(h.users[user]) == 0 {
		delete(h.users, user)
	}
}

// Position returns the position of the last event that was handed over.
func (h *Hub) Position() chat.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.position
}

// Head returns the newest position of the journal, to which this server may not have come yet.
func (h *Hub) Head(ctx context.Context) (chat.Position, error) { return h.journal.Head(ctx) }

// Oldest returns the oldest position that can be replayed, 0 when there is none.
func (h *Hub) Oldest(ctx context.Context) (chat.Position, error) { return h.journal.Oldest(ctx) }

// Replay calls hear for each event behind the position from, up to and with the position to, that the user may hear. missed
// tells that the journal no longer reaches back to from: then only what it has is replayed. It reads in turn with other
// replays, and waits for that.
func (h *Hub) Replay(ctx context.Context, user chat.Identity, from, to chat.Position, deliver func(Delivery)) (missed bool, err error) {
	oldest, err := h.journal.Oldest(ctx)
	if err != nil {
		return false, err
	}
	for position := from; position < to; {
		next, err := h.replayBatch(ctx, user, position, to, deliver)
		if err != nil {
			return false, err
		}
		if next == position { // there is no more
			break
		}
		position = next
	}
	return oldest > from+1, nil
}

// replayBatch is the part of a replay for which a turn is taken. It returns how far it came.
func (h *Hub) replayBatch(ctx context.Context, user chat.Identity, position, to chat.Position, deliver func(Delivery)) (chat.Position, error) {
	done, err := h.replays.acquire(ctx, user)
	if err != nil {
		return position, err
	}
	defer done()
	events, err := h.journal.After(ctx, position, int(min(batchSize, to-position)))
	if err != nil {
		return position, err
	}
	for i := range events {
		e := &events[i]
		if position = e.Position; position > to {
			break
		}
		if err := h.replayEvent(ctx, user, e, deliver); err != nil {
			return position, err
		}
	}
	return position, nil
}

func (h *Hub) replayEvent(ctx context.Context, user chat.Identity, e *chat.Event, deliver func(Delivery)) error {
	if e.ThreadID == "" { // servers tell each other
		return nil
	}
	audience, err := h.audience(ctx, e)
	if err != nil {
		return err
	}
	for i := range audience {
		if p := &audience[i]; p.Identity == user && e.VisibleTo(p) {
			deliver(Delivery{Event: e, To: user, Shared: &Shared{}})
		}
	}
	return nil
}

// End ends all listening of a user.
func (h *Hub) End(user chat.Identity, reason Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.users[user] {
		s.End(reason)
	}
}

func (h *Hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for _, subscribers := range h.users {
		for s := range subscribers {
			s.End(Stopping)
		}
	}
}
