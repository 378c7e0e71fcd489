package notify

import (
	"context"
	"errors"
	"fmt"

	"github.com/chatd/chatd/internal/chat"
)

// ErrStopped is returned by Tail.Next when the hub has stopped and the journal has been read to its end.
var ErrStopped = errors.New("the hub has stopped")

// Tail reads the whole journal: every event of every thread, in the order of the journal, and those without a thread, which
// servers write for each other. It reads when its reader asks, a batch at a time, so a slow reader costs no memory and delays
// neither the hub nor other tails. One goroutine at a time may use it. It needs no closing.
type Tail struct {
	hub   *Hub
	name  string
	read  chat.Position // of the last event that Next returned
	acked chat.Position
}

// Tail returns a tail that begins behind a position. The name says in errors and logs whose it is.
func (h *Hub) Tail(name string, position chat.Position) *Tail {
	return &Tail{hub: h, name: name, read: position, acked: position}
}

// Position returns the position up to which the reader has acknowledged the journal. A reader that keeps it, and begins behind
// it after a restart, sees every event at least once; those of the last batch perhaps twice.
func (t *Tail) Position() chat.Position { return t.acked }

// Next acknowledges the events that it returned last, and waits for the next ones, 256 at most. missed reports that the journal
// was purged behind the position, so that there may have been events before these. After an error the same events can be asked
// for again.
func (t *Tail) Next(ctx context.Context) (events []chat.Event, missed bool, err error) {
	t.acked = t.read
	for {
		more, stopped := t.hub.more() // before reading, so that no event falls between reading and waiting
		events, missed, err = t.batch(ctx)
		switch {
		case err != nil:
			return nil, false, fmt.Errorf("tail %s: %w", t.name, err)
		case len(events) > 0:
			t.read = events[len(events)-1].Position
			return events, missed, nil
		case stopped:
			return nil, false, fmt.Errorf("tail %s: %w", t.name, ErrStopped)
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// batch reads what is behind the position. The journal's beginning is looked up only when positions are left out, and after
// reading: events that are purged in between count as missed although they were read, but none is missed silently.
func (t *Tail) batch(ctx context.Context) (events []chat.Event, missed bool, err error) {
	events, err = t.hub.journal.After(ctx, t.read, batchSize)
	if err != nil || len(events) == 0 || events[0].Position == t.read+1 {
		return events, false, err
	}
	oldest, err := t.hub.journal.Oldest(ctx)
	if err != nil || oldest <= t.read+1 {
		return events, false, err
	}
	t.hub.log.Warn("the journal was purged before it was read", "reader", t.name, "position", t.read, "oldest", oldest)
	return events, true, nil
}

// more returns a channel that closes when the hub has found events, and whether it has stopped.
func (h *Hub) more() (found <-chan struct{}, stopped bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.found == nil {
		h.found = make(chan struct{})
	}
	return h.found, h.stopped
}

// wakeTails has tails read the journal. Without any that wait it does nothing.
func (h *Hub) wakeTails() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.found != nil {
		close(h.found)
		h.found = nil
	}
}
