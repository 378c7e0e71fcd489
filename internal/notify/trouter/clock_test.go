package trouter

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// The clock alone ends what a rule gives a time to: tokens of open connections, rate limits, endpoints without a connection. No
// real time passes, so nothing that protects a connection is due.
func TestRulesGoByTheClock(t *testing.T) {
	bubble(t, func(w *world) {
		w.clock.Freeze()
		idle := w.newClient(alice, "idle")
		idle.connect().cut()
		p := w.newClient(bob, "e")
		w.tokens.expire(p.token, time.Hour)
		c := p.connect()
		for range int(endpointRate.burst) {
			p.postAllocation()
		}
		if a := p.postAllocation(); a.status != http.StatusTooManyRequests {
			t.Errorf("after many allocations: %d", a.status)
		}
		w.clock.Advance(time.Minute)
		if a := p.postAllocation(); a.status != http.StatusOK {
			t.Errorf("a minute later: %d", a.status)
		}
		w.clock.Advance(58*time.Minute + 59*time.Second)
		if err := c.err(); err != nil {
			t.Errorf("the connection ended with %v before its token", err)
		}
		w.clock.Advance(time.Second)
		if !c.endedUnauthorized() {
			t.Error("the connection outlives the token")
		}
		w.clock.Advance(endpointIdleLife)
		synctest.Wait()
		if n := w.server.cached(); n != (cacheSizes{endpoints: 1}) {
			t.Errorf("cached are %+v, want the endpoint that was connected last", n) // for another minute
		}
		w.clock.Advance(2 * time.Minute)
		synctest.Wait()
		if n := w.server.cached(); n != (cacheSizes{}) {
			t.Errorf("at last cached are %+v", n)
		}
	})
}

type cacheSizes struct{ endpoints, buckets, startPositions int }

func (s *Server) cached() cacheSizes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cacheSizes{len(s.endpoints), len(s.buckets), len(s.startPositions)}
}

// Clear forgets all but the endpoints that are connected, which go on.
func TestClear(t *testing.T) {
	bubble(t, func(w *world) {
		w.newClient(alice, "idle").connect().cut()
		w.newClient(carol, "").configure(phoneSDK)
		c := w.newClient(bob, "e").connect()
		w.server.Clear()
		if n := w.server.cached(); n != (cacheSizes{endpoints: 1}) {
			t.Errorf("cached are %+v", n)
		}
		w.sendMessages(1, 2)
		w.equal("it receives", c.receive(), []string{"1", "2"})
	})
}

// When there are too many endpoints, the sweep keeps those only that were connected within the last minutes.
func TestManyEndpoints(t *testing.T) {
	s := still(t)
	for i := range maxEndpoints + 1 {
		s.endpoint(endpointKey{"u", fmt.Sprint(i)})
	}
	now := s.Clock.Now()
	s.sweepAt(now.Add(time.Minute))
	if n := s.cached().endpoints; n != maxEndpoints+1 {
		t.Errorf("a minute later there are %d", n)
	}
	s.sweepAt(now.Add(crowdedIdleLife + time.Second))
	if n := s.cached().endpoints; n != 0 {
		t.Errorf("later there are %d", n)
	}
}
