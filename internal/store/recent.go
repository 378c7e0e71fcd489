package store

import (
	"context"
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

// maxRecent bounds what is remembered of who may speak where.
const maxRecent = 16_384

// recent remembers what Access answered. Nothing keeps it up to date: a post that was decided on something old is found out by
// the statement that places it, on whichever node the thread was changed, and has it forgotten.
type recent struct {
	mu   sync.RWMutex
	kept map[member]chat.Access
}

type member struct {
	thread chat.ThreadID
	user   chat.Identity
}

func (r *recent) get(m member) (chat.Access, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	a, ok := r.kept[m]
	return a, ok
}

func (r *recent) put(m member, a chat.Access) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil {
		r.kept = map[member]chat.Access{}
	}
	if _, ok := r.kept[m]; !ok && len(r.kept) >= maxRecent {
		for other := range r.kept { // any
			delete(r.kept, other)
			break
		}
	}
	r.kept[m] = a
}

func (r *recent) forget(m member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.kept, m)
}

func (r *recent) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.kept)
}

// Recent returns what Access answered some time ago, or answers now. See chat.Store.
func (db *DB) Recent(ctx context.Context, id chat.ThreadID, user chat.Identity) (chat.Access, error) {
	m := member{id, user}
	if a, ok := db.recent.get(m); ok {
		return a, ctx.Err()
	}
	a, err := db.Access(ctx, id, user)
	if err == nil && a.Stay != nil && a.Stay.Left == 0 { // others post nothing
		db.recent.put(m, a)
	}
	return a, err
}
