package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// slowJournal is a long journal of which each batch takes time to read. It knows how many are read at once.
type slowJournal struct {
	*memoryJournal
	batchTime time.Duration

	mu            sync.Mutex
	reading, most int
	reads         int
}

func (j *slowJournal) After(_ context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	j.mu.Lock()
	j.reads++
	j.reading++
	j.most = max(j.most, j.reading)
	j.mu.Unlock()
	time.Sleep(j.batchTime)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.reading--
	return []chat.Event{{Position: position + chat.Position(limit), Kind: chat.TypingReceived, ThreadID: "19:a@thread.v2", Key: 1, Roster: 1}}, nil
}

// withTwoSlots runs a test with a hub on such a journal, of which two batches may be read at once.
func withTwoSlots(t *testing.T, test func(t *testing.T, h *Hub, j *slowJournal)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &slowJournal{memoryJournal: newMemoryJournal(), batchTime: 10 * time.Millisecond}
		h, stop := run(t, j.memoryJournal)
		stop()
		h.journal, h.replays = j, &replayLimiter{slots: make(chan struct{}, 2), users: map[chat.Identity]*userReplays{}}
		test(t, h, j)
		time.Sleep(time.Second)
		synctest.Wait()
		h.replays.mu.Lock()
		defer h.replays.mu.Unlock()
		if len(h.replays.users) != 0 || len(h.replays.slots) != 0 {
			t.Errorf("%d users and %d turns are left", len(h.replays.users), len(h.replays.slots))
		}
	})
}

// replayAll runs one of so many batches for each of the users, at once.
func (h *Hub) replayAll(t *testing.T, batches chat.Position, users ...chat.Identity) (took time.Duration) {
	t.Helper()
	begun := time.Now()
	var all sync.WaitGroup
	for _, who := range users {
		all.Go(func() {
			if _, err := h.Replay(t.Context(), who, 0, batches*batchSize, func(Delivery) {}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return time.Since(begun)
}

// However many clients a user has: one batch is read at a time, for half of the time.
func TestReplaysOfOneUser(t *testing.T) {
	withTwoSlots(t, func(t *testing.T, h *Hub, j *slowJournal) {
		took := h.replayAll(t, 8, alice, alice, alice, alice, alice)
		if want := (2*40 - 1) * j.batchTime; j.most != 1 || j.reads != 40 || took != want {
			t.Errorf("%d batches, %d at once, took %s; want 40, 1 and %s", j.reads, j.most, took, want)
		}
	})
}

// However many users replay: no more batches are read at once than the server has turns.
func TestReplaysOfManyUsers(t *testing.T) {
	withTwoSlots(t, func(t *testing.T, h *Hub, j *slowJournal) {
		var users []chat.Identity
		for i := range 20 {
			users = append(users, user(i+10))
		}
		took := h.replayAll(t, 4, users...)
		if want := 40 * j.batchTime; j.most != 2 || j.reads != 80 || took != want {
			t.Errorf("%d batches, %d at once, took %s; want 80, 2 and %s", j.reads, j.most, took, want)
		}
	})
}

// A client that missed little does not wait until others have read all.
func TestShortReplayDoesNotWaitForLongOnes(t *testing.T) {
	withTwoSlots(t, func(t *testing.T, h *Hub, j *slowJournal) {
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() { h.replayAll(t, 1000, user(i+10)) })
		}
		time.Sleep(time.Second)
		if took, want := h.replayAll(t, 1, alice), 6*j.batchTime; took > want { // at most a batch of each of the ten, two at once
			t.Errorf("took %s, want %s", took, want)
		}
		all.Wait()
	})
}

// Who does not wait any longer leaves nothing behind, whatever they wait for.
func TestReplayIsCancelled(t *testing.T) {
	withTwoSlots(t, func(t *testing.T, h *Hub, _ *slowJournal) {
		ctx, cancel := context.WithCancel(t.Context())
		var all, given sync.WaitGroup
		for _, who := range []chat.Identity{alice, bob} { // both turns
			all.Go(func() { h.replayAll(t, 1, who) })
		}
		synctest.Wait()
		for _, who := range []chat.Identity{alice, carol} {
			given.Go(func() {
				if _, err := h.Replay(ctx, who, 0, batchSize, func(Delivery) { t.Error("heard") }); !errors.Is(err, context.Canceled) {
					t.Errorf("replay of %s: %v", who, err)
				}
			})
		}
		synctest.Wait()
		cancel()
		given.Wait()
		all.Wait()
	})
}

// A short stretch is not read beyond its end.
func TestReplayReadsNoFurther(t *testing.T) {
	t.Parallel()
	p := newMemoryJournal()
	p.rosters[rosterKey{1, 1}] = participants(alice)
	h, stop := run(t, p)
	stop()
	for i := range 300 {
		p.write(1, fmt.Sprint(i))
	}
	var limits []int
	h.journal = limited{p, &limits}
	if _, err := h.Replay(t.Context(), alice, 10, 280, func(Delivery) {}); err != nil {
		t.Fatal(err)
	}
	equal(t, "limits", []int{256, 14}, limits)
}

// limited notes the limits of what is read.
type limited struct {
	*memoryJournal
	limits *[]int
}

func (j limited) After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	*j.limits = append(*j.limits, limit)
	return j.memoryJournal.After(ctx, position, limit)
}
