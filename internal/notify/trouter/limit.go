package trouter

import (
	"net/http"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// rate is a number of requests at once, and then one each time.
type rate struct {
	burst    float64
	interval time.Duration
}

// Allocations and handshakes are limited: chat 1.0.0 tries again without a pause when a handshake fails. The limit of the user bounds
// how many endpoints a client can make up.
var (
	endpointRate = rate{20, time.Second}
	userRate     = rate{200, 100 * time.Millisecond}
)

// maxBuckets bounds the buckets of all users, which else live for 80 s at most. Above it any other one is dropped, whose owner
// may then take the step as often as a new one.
const maxBuckets = 200_000

type bucketKey struct {
	step string
	endpointKey
}

type bucket struct {
	rate
	tokens float64
	at     time.Time
}

// limited answers 429 when an endpoint or its user takes a step too often.
func (s *Server) limited(w http.ResponseWriter, r *http.Request, step string, user chat.Identity) bool {
	if s.allow(step, endpointKey{user, endpointID(r.URL.Query().Get("epid"), "")}) {
		return false
	}
	w.Header().Set("Retry-After", "1")
	s.refuse(w, r, http.StatusTooManyRequests, "too often", nil)
	return true
}

// allow takes one from the bucket of the user and one from that of the endpoint, or none.
func (s *Server) allow(step string, key endpointKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.bucket(bucketKey{"any " + step, endpointKey{user: key.user}}, userRate)
	if all.tokens < 1 {
		return false
	}
	one := s.bucket(bucketKey{step, key}, endpointRate)
	if one.tokens < 1 {
		return false
	}
	all.tokens--
	one.tokens--
	return true
}

// bucket returns a bucket as it is now; the lock is held.
func (s *Server) bucket(key bucketKey, limit rate) *bucket {
	now := s.Clock.Now()
	b := s.buckets[key]
	if b == nil {
		for other := range s.buckets {
			if len(s.buckets) < maxBuckets {
				break
			}
			delete(s.buckets, other)
		}
		b = &bucket{rate: limit, tokens: limit.burst, at: now}
		s.buckets[key] = b
	}
	b.tokens = min(b.burst, b.tokens+now.Sub(b.at).Seconds()/b.interval.Seconds())
	b.at = now
	return b
}

// full reports whether the bucket is like a new one.
func (b *bucket) full(now time.Time) bool { return now.Sub(b.at) > time.Duration(b.burst)*b.interval }

// countConnection adds n to the connections, in all and of the user; it refuses to go over a limit, and more when the server stops.
func (s *Server) countConnection(user chat.Identity, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && (s.stopping || s.total >= maxConnections || s.perUser[user] >= maxPerUser) {
		return false
	}
	s.total += n
	if s.perUser[user] += n; s.perUser[user] <= 0 {
		delete(s.perUser, user)
	}
	s.connectionsGauge.Add(float64(n))
	if s.total == 0 {
		select {
		case s.empty <- struct{}{}:
		default:
		}
	}
	return true
}
