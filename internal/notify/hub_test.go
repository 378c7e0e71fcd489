package notify

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var alice, bob, carol = user(1), user(2), user(3)

func user(n int) chat.Identity {
	return chat.Identity(fmt.Sprintf("8:acs:46849534-eb08-4ab7-bde7-c36928cd1547_00000020-0000-0000-0000-%012x", n))
}

// recorder is a subscriber that keeps what it hears.
type recorder struct {
	mu          sync.Mutex
	deliveries  []Delivery
	reasonsSeen []Reason
}

func (e *recorder) Offer(h Delivery) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deliveries = append(e.deliveries, h)
}

func (e *recorder) End(r Reason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reasonsSeen = append(e.reasonsSeen, r)
}

// texts are the texts of what was heard.
func (e *recorder) texts() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, h := range e.deliveries {
		out = append(out, h.ActorName)
	}
	return out
}

func (e *recorder) reasons() []Reason {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.reasonsSeen)
}

// participants are participants who see all.
func participants(who ...chat.Identity) []chat.Participant {
	var out []chat.Participant
	for _, id := range who {
		out = append(out, chat.Participant{Identity: id})
	}
	return out
}

// run starts a hub on the journal; stop ends it and waits.
func run(tb testing.TB, j Journal) (h *Hub, stop func()) {
	tb.Helper()
	metrics, err := NewMetrics(prometheus.NewRegistry())
	if err == nil {
		h, err = NewHub(context.Background(), j, metrics, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	tb.Cleanup(stop)
	return h, stop
}

func equal(tb testing.TB, what string, want, got any) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Each event is told to the participants of its own roster version, whoever takes part by now, and to no others.
func TestAudience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryJournal()
		p.rosters[rosterKey{1, 1}] = participants(alice, bob)
		p.rosters[rosterKey{1, 2}] = participants(alice)
		p.rosters[rosterKey{1, 3}] = participants(alice, bob, carol)
		h, _ := run(t, p)
		ears := map[chat.Identity]*recorder{alice: {}, bob: {}, carol: {}, user(4): {}}
		for id, e := range ears {
			h.Subscribe(id, e)
		}
		for i, roster := range []chat.RosterVersion{1, 2, 3, 1, 9} {
			p.write(roster, fmt.Sprint(i))
		}
		p.changed <- struct{}{}
		synctest.Wait()
		equal(t, "alice", []string{"0", "1", "2", "3"}, ears[alice].texts())
		equal(t, "bob", []string{"0", "2", "3"}, ears[bob].texts())
		equal(t, "carol", []string{"2"}, ears[carol].texts())
		equal(t, "a stranger", []string(nil), ears[user(4)].texts())
		equal(t, "position", chat.Position(5), h.Position())
	})
}

// Who is there is read once for each roster version, and what is remembered has a bound.
func TestRosterCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryJournal()
		p.rosters[rosterKey{1, 1}] = participants(alice)
		h, _ := run(t, p)
		var e recorder
		h.Subscribe(alice, &e)
		for i := range 100 {
			p.write(chat.RosterVersion(1+i%2), "x")
		}
		p.changed <- struct{}{}
		synctest.Wait()
		if p.rosterReads != 2 || len(e.texts()) != 50 {
			t.Errorf("%d looks at rosters for %d events, want 2 for 50", p.rosterReads, len(e.texts()))
		}
		for i := range 2 * maxRosters {
			p.write(chat.RosterVersion(i), "x")
		}
		p.changed <- struct{}{}
		synctest.Wait()
		if len(h.rosters.cached) > maxRosters || h.Position() != 100+2*maxRosters {
			t.Errorf("%d rosters are remembered at position %d", len(h.rosters.cached), h.Position())
		}
	})
}

// Clear is for a store whose content was replaced: no roster from before is used, also not one that was being read.
func TestClear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryJournal()
		p.rosters[rosterKey{1, 1}] = participants(alice)
		h, _ := run(t, p)
		var e recorder
		h.Subscribe(alice, &e)
		reads := func(want int) {
			t.Helper()
			p.write(1, "x")
			p.changed <- struct{}{}
			synctest.Wait()
			if p.rosterReads != want {
				t.Errorf("%d rosters were read, want %d", p.rosterReads, want)
			}
		}
		reads(1)
		reads(1)
		h.Clear()
		p.onRoster = h.Clear
		reads(2)
		p.onRoster = nil
		reads(3)
		reads(3)
		equal(t, "received", 5, len(e.texts()))
	})
}

// What tells of a message that somebody's history hides is not for them, at once as little as in a replay.
func TestHistoryThatIsNotShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryJournal()
		p.rosters[rosterKey{1, 1}] = []chat.Participant{{Identity: alice}, {Identity: bob, ShareFrom: 100}}
		h, _ := run(t, p)
		var a, b recorder
		h.Subscribe(alice, &a)
		h.Subscribe(bob, &b)
		p.mu.Lock()
		for i, id := range []chat.MessageID{99, 100} {
			p.events = append(p.events, chat.Event{
				Position: chat.Position(i) + 1, Kind: chat.MessageEdited, ThreadID: "19:a@thread.v2", Key: 1, Roster: 1, ActorName: fmt.Sprint(id), Message: &chat.Message{ID: id},
			})
		}
		p.mu.Unlock()
		p.changed <- struct{}{}
		synctest.Wait()
		equal(t, "alice", []string{"99", "100"}, a.texts())
		equal(t, "bob", []string{"100"}, b.texts())
	})
}

// A wake-up that is lost costs a second, and a long journal is read without waiting for wake-ups.
func TestLostWakeUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryJournal()
		p.rosters[rosterKey{1, 1}] = participants(alice)
		h, _ := run(t, p)
		var e recorder
		h.Subscribe(alice, &e)
		synctest.Wait()
		for range 5 * batchSize {
			p.write(1, "x")
		}
		synctest.Wait()
		if n := len(e.texts()); n != 0 {
			t.Errorf("%d events without a wake-up", n)
		}
		time.Sleep(pollInterval)
		synctest.Wait()
		if n := len(e.texts()); n != 5*batchSize {
			t.Errorf("%d events after %s, want %d", n, pollInterval, 5*batchSize)
		}
	})
}

// What cannot be read is read later: nothing is lost and nothing told twice.
func TestJournalErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryJournal()
		for roster := range chat.RosterVersion(4) {
			p.rosters[rosterKey{1, roster}] = participants(alice)
		}
		h, _ := run(t, p)
		var e recorder
		h.Subscribe(alice, &e)
		synctest.Wait()
		p.failEvents, p.failRosters = 2, 2
		var want []string
		for i := range 8 {
			p.write(chat.RosterVersion(i%4), fmt.Sprint(i))
			want = append(want, fmt.Sprint(i))
		}
		time.Sleep(10 * pollInterval)
		synctest.Wait()
		equal(t, "events", want, e.texts())
	})
}

// End reaches all subscribers of one user; stopping reaches everybody, those who come later too.
func TestEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, stop := run(t, newMemoryJournal())
		var one, two, other, late recorder
		h.Subscribe(alice, &one)
		h.Subscribe(alice, &two)
		h.Subscribe(bob, &other)
		h.End(alice, Revoked)
		h.End(carol, Revoked)
		stop()
		h.Subscribe(bob, &late)
		for name, c := range map[string]struct {
			ear  *recorder
			want []Reason
		}{
			"one": {&one, []Reason{Revoked, Stopping}}, "two": {&two, []Reason{Revoked, Stopping}},
			"other": {&other, []Reason{Stopping}}, "late": {&late, []Reason{Stopping}},
		} {
			equal(t, name, c.want, c.ear.reasons())
		}
	})
}

// Who has left hears nothing more, and leaves nothing behind.
func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryJournal()
		p.rosters[rosterKey{1, 1}] = participants(alice)
		h, _ := run(t, p)
		var gone, stays recorder
		_, leave := h.Subscribe(alice, &gone)
		_, leaveToo := h.Subscribe(alice, &stays)
		leave()
		leave()
		p.write(1, "x")
		p.changed <- struct{}{}
		synctest.Wait()
		equal(t, "who left", []string(nil), gone.texts())
		equal(t, "who stays", []string{"x"}, stays.texts())
		leaveToo()
		if len(h.users) != 0 {
			t.Errorf("%d users are still listening", len(h.users))
		}
	})
}

// An event is encoded once for all who hear it, in each encoding.
func TestShared(t *testing.T) {
	t.Parallel()
	var s Shared
	var mu sync.Mutex
	calls := map[string]int{}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			name := fmt.Sprint(i % 2)
			got := s.Once(name, func() []byte {
				mu.Lock()
				defer mu.Unlock()
				calls[name]++
				return []byte(name)
			})
			if string(got) != name {
				t.Errorf("encoding %s is %s", name, got)
			}
		})
	}
	all.Wait()
	equal(t, "encodings made", map[string]int{"0": 1, "1": 1}, calls)
}

// Whose tokens are over is told before the connections are cut, and nobody hears the event itself.
func TestIdentityEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryJournal()
		metrics, err := NewMetrics(prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		h, err := NewHub(context.Background(), p, metrics, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		var a, b recorder
		var told []chat.Identity
		h.Ended = func(user chat.Identity) {
			told = append(told, user)
			equal(t, "reasons before", []Reason(nil), a.reasons())
		}
		h.Subscribe(alice, &a)
		h.Subscribe(bob, &b)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { h.Run(ctx) })
		h.EndpointChanged = func(user chat.Identity, endpoint string, number int64) {
			told = append(told, user, chat.Identity(endpoint))
			equal(t, "number", int64(7), number)
			equal(t, "position", chat.Position(1), h.Position())
		}
		journal := func(e chat.Event) {
			p.mu.Lock()
			e.Position = chat.Position(len(p.events)) + 1
			p.events = append(p.events, e)
			p.mu.Unlock()
			p.changed <- struct{}{}
			synctest.Wait()
		}
		journal(chat.EndOf(alice, 1))
		equal(t, "told", []chat.Identity{alice}, told)
		equal(t, "alice", []Reason{Revoked}, a.reasons())
		equal(t, "bob", []Reason(nil), b.reasons())
		equal(t, "heard", []string(nil), a.texts())
		equal(t, "position", chat.Position(1), h.Position())
		journal(delivery.Changed(bob, "e", 7, 1))
		equal(t, "told", []chat.Identity{alice, bob, "e"}, told)
		equal(t, "bob", []Reason(nil), b.reasons())
		equal(t, "heard", []string(nil), b.texts())
		equal(t, "position", chat.Position(2), h.Position())
		cancel()
		running.Wait()
	})
}
