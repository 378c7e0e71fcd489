package httpapi

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// Bounds of what is in memory at once of requests and answers that are on their way. A client that does not read has the
// server keep its answers, so they are counted before they are loaded, by the most that they can be, and by what they are until
// they are written. What finds no room waits, and is then refused with 503.
const (
	maxInFlight      = 192 << 20        // of all; the last quarter of it is for small ones
	maxInFlightShare = 48 << 20         // of one connection, and of one user
	reserveTimeout   = 20 * time.Second // for room: pages of images are loaded at once, over connections that take their time

	smallBody   = 64 << 10 // of a request; one that is no larger is not counted
	smallAnswer = 64 << 10 // what answers to reads may hold at least: a message or a topic, twice

	// An item of a list at most, a message or a topic, once as it is read and once as JSON. Where all of a text is escapes its JSON
	// is up to six times as long; then the page counts for more, without waiting, as soon as that is known.
	itemSize  = 2 * chat.MaxMessageBytes
	imageSize = 2 * chat.MaxImageBytes // an image, once as the database sends it
)

// memoryBudget counts what is on its way.
type memoryBudget struct {
	mu      sync.Mutex
	used    int64
	by      map[string]int64 // connections and users
	waiting []*waiter        // the first to come first
}

type waiter struct {
	hold  *reservation
	bytes int64
	ready chan struct{} // closed when it has them
}

// reservation is the part of a request.
type reservation struct {
	budget *memoryBudget
	keys   [2]string // connection and user, empty for none
	bytes  int64
}

var errNoMemory = &chat.Error{Kind: chat.Unavailable, Reason: "too much is on its way to clients that do not take it"}

// reserve adds bytes, when there is room for them.
func (h *reservation) reserve(ctx context.Context, bytes int64) error {
	w := h.tryReserve(bytes)
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
	if h.budget.cancel(w) {
		return err
	}
	return nil // it came at the last moment
}

// tryReserve adds bytes, or returns who waits for them.
func (h *reservation) tryReserve(bytes int64) *waiter {
	h.budget.mu.Lock()
	defer h.budget.mu.Unlock()
	if h.fits(bytes) {
		h.add(bytes)
		return nil
	}
	w := &waiter{h, bytes, make(chan struct{})}
	h.budget.waiting = append(h.budget.waiting, w)
	return w
}

// cancel reports whether one that waited has got nothing.
func (f *memoryBudget) cancel(w *waiter) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.waiting)
	f.waiting = slices.DeleteFunc(f.waiting, func(o *waiter) bool { return o == w })
	return len(f.waiting) < before
}

// fits reports whether there is room; the lock is held. Small ones pass by large ones that wait.
func (h *reservation) fits(bytes int64) bool {
	limit := int64(maxInFlight)
	if bytes > smallAnswer {
		limit -= maxInFlight / 4
	}
	for _, key := range h.keys {
		if key != "" && h.budget.by[key]+bytes > maxInFlightShare {
			return false
		}
	}
	return h.budget.used+bytes <= limit
}

// resize changes the part to what it turned out to be, without waiting. Zero ends it.
func (h *reservation) resize(bytes int64) {
	f := h.budget
	f.mu.Lock()
	defer f.mu.Unlock()
	less := bytes < h.bytes
	h.add(bytes - h.bytes)
	if !less {
		return
	}
	f.waiting = slices.DeleteFunc(f.waiting, func(w *waiter) bool {
		fits := w.hold.fits(w.bytes)
		if fits {
			w.hold.add(w.bytes)
			close(w.ready)
		}
		return fits
	})
}

// add changes all counts; the lock is held.
func (h *reservation) add(bytes int64) {
	h.bytes += bytes
	h.budget.used += bytes
	for _, key := range h.keys {
		if key == "" {
			continue
		}
		if h.budget.by[key] += bytes; h.budget.by[key] == 0 {
			delete(h.budget.by, key)
		}
	}
}
