package auth

import (
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

// cache is a bounded map whose entries end. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	limit int

	mu      sync.RWMutex
	entries map[K]entry[V]
	drops   uint64
}

type entry[V any] struct {
	value V
	until chat.Time // from then on the entry does not count
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{limit: limit, entries: make(map[K]entry[V])}
}

// get returns the value of k, and how many drops there have been so far, for put.
func (c *cache[K, V]) get(k K, now chat.Time) (v V, ok bool, drops uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entries[k]
	if !ok || e.until <= now {
		return v, false, c.drops
	}
	return e.value, true, c.drops
}

// put keeps v, unless something was dropped since the get that returned drops: what was looked up in between may
// be what the drop was about.
func (c *cache[K, V]) put(k K, v V, now, until chat.Time, drops uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drops != drops {
		return
	}
	if _, ok := c.entries[k]; !ok && len(c.entries) >= c.limit {
		c.makeRoom(now)
	}
	c.entries[k] = entry[V]{value: v, until: until}
}

// makeRoom removes entries that ended, or else an arbitrary one. It looks at few of them only, in the random order
// of maps, so that a cache full of living entries does not cost a walk through all for each new one.
func (c *cache[K, V]) makeRoom(now chat.Time) {
	const most = 64
	seen := 0
	for k, e := range c.entries {
		if e.until <= now {
			delete(c.entries, k)
		}
		if seen++; seen == most {
			break
		}
	}
	for k := range c.entries {
		if len(c.entries) < c.limit {
			break
		}
		delete(c.entries, k)
	}
}

// drop removes k.
func (c *cache[K, V]) drop(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	delete(c.entries, k)
}

// clear removes all entries.
func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	clear(c.entries)
}
