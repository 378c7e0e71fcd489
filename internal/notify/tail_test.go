package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// purge has the journal begin at a position.
func (p *memoryJournal) purge(oldest chat.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.oldest = max(p.oldest, oldest)
}

// failOnce has the next read of events fail.
func (p *memoryJournal) failOnce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failEvents = 1
}

// wake tells the reader of the journal that there is more.
func (p *memoryJournal) wake() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// tailReader is a program that reads the journal and keeps how far it is, over restarts of the server.
type tailReader struct {
	pace     time.Duration // for each batch
	position chat.Position
	got      []chat.Position
	skipped  chat.Position // events purged before they were read
}

// read reads until the hub stops.
func (r *tailReader) read(t *testing.T, h *Hub) {
	tail := h.Tail("test", r.position)
	for {
		events, missed, err := tail.Next(t.Context())
		if errors.Is(err, errBroken) {
			time.Sleep(time.Second)
			continue
		}
		if err != nil {
			if !errors.Is(err, ErrStopped) {
				t.Errorf("Next: %v", err)
			}
			return
		}
		if acked := tail.Position(); acked != r.position {
			t.Errorf("acknowledged is %d while the reader deals with what is behind %d", acked, r.position)
		}
		if gap := events[0].Position - r.position - 1; missed {
			r.skipped += gap
		} else if gap != 0 {
			t.Errorf("behind %d comes %d, and nothing is reported as missed", r.position, events[0].Position)
		}
		for i := range events {
			r.got = append(r.got, events[i].Position)
		}
		r.position = events[len(events)-1].Position
		time.Sleep(r.pace)
	}
}

// Fast and slow tails and subscribers, while the server is restarted, the journal cannot be read at times and its old part is
// purged: a tail gets every event that was there, once and in order, and it reports what was purged. No reader delays another.
func TestTails(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runTails(t, rand.New(rand.NewPCG(seed, 0)), seed%2 == 1) })
		})
	}
}

func runTails(t *testing.T, random *rand.Rand, purging bool) {
	p := newMemoryJournal()
	p.rosters[rosterKey{1, 1}] = participants(alice)
	readers := []*tailReader{{}, {pace: time.Millisecond}, {pace: 3 * time.Second}, {pace: time.Minute}}
	written := 0
	for range 3 {
		h, stop := run(t, p)
		var live recorder
		h.Subscribe(alice, &live)
		before := written
		for _, r := range readers {
			go r.read(t, h)
		}
		for range 20 {
			for range random.IntN(2 * batchSize) {
				p.write(1, strconv.Itoa(written))
				written++
			}
			if random.IntN(4) == 0 {
				p.failOnce()
			}
			if purging && random.IntN(4) == 0 {
				p.purge(chat.Position(random.Int64N(int64(h.Position()) + 1)))
			}
			if random.IntN(4) > 0 {
				p.wake()
			}
			time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
		}
		time.Sleep(2 * pollInterval)
		synctest.Wait()
		if got := len(live.texts()); got != written-before {
			t.Errorf("a subscriber got %d of %d events", got, written-before)
		}
		if got := readers[1].position; got != chat.Position(written) {
			t.Errorf("a fast tail is at %d of %d", got, written)
		}
		stop()
		time.Sleep(time.Hour) // slow readers read on to the end
		synctest.Wait()
	}
	for i, r := range readers {
		if !slices.IsSorted(r.got) || len(slices.Compact(slices.Clone(r.got))) != len(r.got) {
			t.Errorf("tail %d got events twice or out of order", i)
		}
		if len(r.got)+int(r.skipped) != written || !purging && r.skipped > 0 {
			t.Errorf("tail %d got %d events and missed %d, of %d", i, len(r.got), r.skipped, written)
		}
	}
}

// A tail waits no longer than its context, and a batch that could not be read is read by the next call.
func TestTailErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryJournal()
		h, _ := run(t, p)
		tail := h.Tail("test", 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, _, err := tail.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without events: %v", err)
		}
		p.write(1, "a")
		p.failOnce()
		if _, _, err := tail.Next(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("with a journal that cannot be read: %v", err)
		}
		if events, missed, err := tail.Next(t.Context()); err != nil || missed || len(events) != 1 || tail.Position() != 0 {
			t.Errorf("%d events, missed %t, position %d, error %v", len(events), missed, tail.Position(), err)
		}
	})
}
