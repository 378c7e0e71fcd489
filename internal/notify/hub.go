package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

// Journal is the log of all events that the store keeps, in the order of their positions. Positions may be left out.
type Journal interface {
	// Head returns the newest position, 0 when nothing was ever written.
	Head(ctx context.Context) (chat.Position, error)
	// Oldest returns the oldest position that was not purged; 0 when there is none.
	Oldest(ctx context.Context) (chat.Position, error)
	// After returns up to limit events behind a position, in order. No event will appear later before one that was returned.
	After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error)
	// Audience returns who took part in a thread at a roster version.
	Audience(ctx context.Context, thread chat.ThreadKey, roster chat.RosterVersion) ([]chat.Participant, error)
	// Watch returns a channel that gets a value when there may be more events, until stop is called.
	Watch() (changed <-chan struct{}, stop func())
}

// pollInterval is how long the hub waits for a wake-up before it looks by itself: a notification between nodes may be lost.
const pollInterval = time.Second

// batchSize is how many events are read from the journal at a time.
const batchSize = 256

// Hub follows the journal and hands its events to the subscribers and tails of this process. All methods are safe for
// concurrent use.
type Hub struct {
	journal Journal
	log     *slog.Logger
	metrics *Metrics
	replays *replayLimiter
	rosters rosters

	mu       sync.Mutex    // held while an event is handed over, so that a position is a point between two events
	position chat.Position // of the last event handed over
	users    map[chat.Identity]map[Subscriber]struct{}
	found    chan struct{} // closes when there are events for tails; nil while no tail waits
	stopped  bool

	// Ended, when set before Run, is called with the user whose tokens were revoked or who was deleted, on whichever server.
	Ended func(user chat.Identity)

	// EndpointChanged, when set before Run, is called for each delivery.EndpointChanged, after the events before it were handed
	// over and before those behind it. It must not block.
	EndpointChanged func(user chat.Identity, endpoint string, number int64)
}

// NewHub returns a hub at the present end of the journal. It does nothing until Run.
func NewHub(ctx context.Context, journal Journal, metrics *Metrics, log *slog.Logger) (*Hub, error) {
	head, err := journal.Head(ctx)
	if err != nil {
		return nil, err
	}
	return &Hub{
		journal: journal, log: log, metrics: metrics, replays: newReplayLimiter(), position: head,
		rosters: rosters{journal: journal, cached: map[rosterKey][]chat.Participant{}},
		users:   map[chat.Identity]map[Subscriber]struct{}{},
	}, nil
}

// Run hands events over until the context ends. Then it ends all subscriptions with Stopping, also those that come later, and
// returns; it does not wait for the subscribers to close their connections. It is called once.
func (h *Hub) Run(ctx context.Context) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	changed, unwatch := h.journal.Watch()
	defer unwatch()
	for ctx.Err() == nil {
		n, err := h.dispatchBatch(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			h.log.Error("journal cannot be read", "error", err)
		case n == batchSize:
			continue // there may be more
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-ticker.C:
		}
	}
	h.stop()
}

// dispatchBatch reads what is behind the position, up to a batch, and hands it over. An event that fails is the first of the
// next batch.
func (h *Hub) dispatchBatch(ctx context.Context) (int, error) {
	events, err := h.journal.After(ctx, h.position, batchSize) // only Run moves the position
	if err != nil {
		return 0, err
	}
	if len(events) > 0 {
		h.wakeTails() // before handing over: a roster that cannot be read is no reason for tails to wait
	}
	for i := range events {
		if err := h.dispatch(ctx, &events[i]); err != nil {
			return i, err
		}
	}
	return len(events), nil
}

// dispatch hands an event to the subscribers that may see it, or to the server itself if it is for servers.
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
	audience, err := h.rosters.audience(ctx, e)
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

// identityEnded has the user's tokens refused before it ends the subscriptions: a client that reconnects at once must not get
// in again.
func (h *Hub) identityEnded(e *chat.Event) {
	if h.Ended != nil {
		h.Ended(e.Actor)
	}
	h.End(e.Actor, Revoked)
	h.advance(e)
}

// advance moves the position past an event that no subscriber gets.
func (h *Hub) advance(e *chat.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.position = e.Position
	h.metrics.dispatched(e)
}

// Subscribe offers s what its user may see from now on, and returns the position of the last event before. unsubscribe ends
// that; it may be called twice, and after it returns s is not called any more. On a stopped hub s is ended at once.
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

// Head returns the newest position of the journal, which this server may not have reached yet.
func (h *Hub) Head(ctx context.Context) (chat.Position, error) { return h.journal.Head(ctx) }

// Oldest returns the oldest position that can be replayed, 0 when there is none.
func (h *Hub) Oldest(ctx context.Context) (chat.Position, error) { return h.journal.Oldest(ctx) }

// End ends all subscriptions of a user.
func (h *Hub) End(user chat.Identity, reason Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.users[user] {
		s.End(reason)
	}
}

// Clear empties the cache of rosters.
func (h *Hub) Clear() { h.rosters.clear() }

func (h *Hub) stop() {
	h.mu.Lock()
	h.stopped = true
	for _, subscribers := range h.users {
		for s := range subscribers {
			s.End(Stopping)
		}
	}
	h.mu.Unlock()
	h.wakeTails() // those that ask later see that the hub has stopped
}
