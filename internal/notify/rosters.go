package notify

import (
	"context"
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

// maxRosters bounds the rosters that are cached.
const maxRosters = 4096

// rosters caches who took part in a thread at a roster version. That never changes, so an entry is good for as long as the
// store has the thread.
type rosters struct {
	journal Journal

	mu     sync.Mutex
	cached map[rosterKey][]chat.Participant
	clears int // what was read before one is not cached after it
}

type rosterKey struct {
	thread chat.ThreadKey
	roster chat.RosterVersion
}

// audience returns who took part when an event happened.
func (r *rosters) audience(ctx context.Context, e *chat.Event) ([]chat.Participant, error) {
	key := rosterKey{e.Key, e.Roster}
	r.mu.Lock()
	audience, ok := r.cached[key]
	clears := r.clears
	r.mu.Unlock()
	if ok {
		return audience, nil
	}
	audience, err := r.journal.Audience(ctx, e.Key, e.Roster)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clears != clears {
		return audience, nil
	}
	if len(r.cached) >= maxRosters {
		clear(r.cached) // seldom, and it only costs reading them again
	}
	r.cached[key] = audience
	return audience, nil
}

func (r *rosters) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clears++
	clear(r.cached)
}
