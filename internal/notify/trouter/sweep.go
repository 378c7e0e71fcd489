package trouter

import "time"

// What the server remembers of clients that are not connected is a cache: the store has the position of each endpoint, and a
// rate limit or a start position that is lost costs a client little. Each part has a bound.
//
// Buckets are at most maxBuckets, and are dropped when they are full again, 80 s after the last request at most. Start positions are at most maxStartPositions. Endpoints
// are dropped after endpointIdleLife without a connection, earlier when there are more than maxEndpoints.
const (
	maxEndpoints    = 100_000
	crowdedIdleLife = 5 * time.Minute // with more endpoints than that; longer than any way from an allocation to its connection
)

// sweep drops from the caches what has ended.
func (s *Server) sweep() { s.sweepAt(s.Clock.Now()) }

func (s *Server) sweepAt(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, b := range s.buckets {
		if b.full(now) {
			delete(s.buckets, key)
		}
	}
	for user, start := range s.startPositions {
		if _, ok := s.readStartPosition(start, user); !ok {
			delete(s.startPositions, user)
		}
	}
	life := endpointIdleLife
	if len(s.endpoints) > maxEndpoints {
		life = crowdedIdleLife
	}
	for key, e := range s.endpoints {
		if e.idle(now) > life {
			delete(s.endpoints, key)
		}
	}
}

// Clear empties the caches: rate limits begin anew, and of endpoints only those that are connected are kept.
func (s *Server) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.buckets)
	clear(s.startPositions)
	for key, e := range s.endpoints {
		if !e.connected() {
			delete(s.endpoints, key)
		}
	}
}
