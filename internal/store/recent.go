package store

import (
	"context"
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

// maxRecent is how many pairs of thread and user are cached.
const maxRecent = 16_384

// recent caches what Access returned. It is not invalidated: when a post was decided on an old entry, the statement that stores the
// post finds that, whichever node has changed the thread, and the entry is removed. So a send needs no read of the database.
type recent struct {
	mu   sync.RWMutex
	kept map[member]chat.Access
}

// member is a user in a thread, who may be no participant.
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
	// To remove any entry costs nothing, while the order of use would have to be noted at each get.
	if _, ok := r.kept[m]; !ok && len(r.kept) >= maxRecent {
		for other := range r.kept { // any one
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

// Recent returns what Access has returned before, which may be out of date, or returns now. See chat.Store.
func (db *DB) Recent(ctx context.Context, id chat.ThreadID, user chat.Identity) (chat.Access, error) {
	m := member{id, user}
	if a, ok := db.recent.get(m); ok {
		return a, ctx.Err()
	}
	a, err := db.Access(ctx, id, user)
	if err == nil && a.Stay != nil && a.Stay.Left == 0 { // others may not post
		db.recent.put(m, a)
	}
	return a, err
}
