package httpapi

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// Bounds of the memory that requests and answers take, in bytes. A client that does not read its answer makes the server keep
// it, so thousands of such clients could exhaust a server that keeps no account. An answer is counted before it is loaded, at
// its largest possible size, and at its real size until it is written. A request that does not fit waits, and is then answered
// with 503.
const (
	maxInFlight      = 192 << 20 // in all; the last quarter of it is for small requests
	maxInFlightShare = 48 << 20  // of one connection, and of one user

	// reserveTimeout is how long a request waits. It protects the connection and is no rule of the API, so it runs on the real
	// time and not on the server's clock. Pages with many images load them all at once, over connections that are slow.
	reserveTimeout = 20 * time.Second

	smallBody   = 64 << 10 // a request body up to this size is not counted
	smallAnswer = 64 << 10 // counted for every read: a message or a topic, twice

	// An item of a list at its largest, a message or a topic: once as it is read and once as JSON. A text of nothing but escapes
	// makes JSON of six times its size; such a page is counted in full, without waiting, once it is encoded.
	itemSize  = 2 * chat.MaxMessageBytes
	imageSize = 2 * chat.MaxImageBytes // once as the database sends it, once as the answer
)

// memoryBudget counts the memory of all requests in flight.
type memoryBudget struct {
	mu      sync.Mutex
	used    int64
	by      map[string]int64 // by connection and by user
	waiting []*waiter        // in the order of arrival
}

// waiter is a request that waits for memory.
type waiter struct {
	request *reservation
	bytes   int64
	ready   chan struct{} // closed when it has the memory
}

// reservation is the memory of one request. Only the goroutine of the request uses it.
type reservation struct {
	budget *memoryBudget
	keys   [2]string // connection and user; empty for none
	bytes  int64
}

var errNoMemory = &chat.Error{Kind: chat.Unavailable, Reason: "answers that clients do not read take all the memory for answers"}

// reserve adds bytes to the reservation. It waits until they fit, the context ends, or reserveTimeout has passed.
func (r *reservation) reserve(ctx context.Context, bytes int64) error {
	w := r.tryReserve(bytes)
	if w == nil {
		return nil
	}
	timeout := time.NewTimer(reserveTimeout)
	defer timeout.Stop()
	var err error
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		err = errNoMemory
	}
	if r.budget.cancel(w) {
		return err
	}
	return nil // it was granted in the same moment
}

// tryReserve adds bytes if they fit, or else returns a new waiter for them.
func (r *reservation) tryReserve(bytes int64) *waiter {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	if r.fits(bytes) {
		r.add(bytes)
		return nil
	}
	w := &waiter{r, bytes, make(chan struct{})}
	r.budget.waiting = append(r.budget.waiting, w)
	return w
}

// cancel removes a waiter and reports whether it was still waiting.
func (b *memoryBudget) cancel(w *waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.waiting)
	b.waiting = slices.DeleteFunc(b.waiting, func(other *waiter) bool { return other == w })
	return len(b.waiting) < before
}

// fits reports whether so many bytes more are allowed; the lock is held. Small requests overtake large ones that wait, so that
// chats go on while images are downloaded.
func (r *reservation) fits(bytes int64) bool {
	limit := int64(maxInFlight)
	if bytes > smallAnswer {
		limit -= maxInFlight / 4
	}
	for _, key := range r.keys {
		if key != "" && r.budget.by[key]+bytes > maxInFlightShare {
			return false
		}
	}
	return r.budget.used+bytes <= limit
}

// resize sets the reservation to the real size, without waiting, and grants what becomes free to waiters. Zero ends it.
func (r *reservation) resize(bytes int64) {
	b := r.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	shrinks := bytes < r.bytes
	r.add(bytes - r.bytes)
	if !shrinks {
		return
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter) bool {
		fits := w.request.fits(w.bytes)
		if fits {
			w.request.add(w.bytes)
			close(w.ready)
		}
		return fits
	})
}

// add changes all counts; the lock is held.
func (r *reservation) add(bytes int64) {
	r.bytes += bytes
	r.budget.used += bytes
	for _, key := range r.keys {
		if key == "" {
			continue
		}
		if r.budget.by[key] += bytes; r.budget.by[key] == 0 {
			delete(r.budget.by, key)
		}
	}
}
