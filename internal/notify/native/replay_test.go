package native

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

// longJournal has more events than are searched, of which only the newest are looked at.
type longJournal struct {
	*store.DB
	head chat.Position
}

func (j *longJournal) Head(context.Context) (chat.Position, error)   { return j.head, nil }
func (j *longJournal) Oldest(context.Context) (chat.Position, error) { return 1, nil }

func (j *longJournal) Audience(context.Context, chat.ThreadKey, chat.RosterVersion) ([]chat.Participant, error) {
	return []chat.Participant{{Identity: bob}}, nil
}

func (j *longJournal) After(_ context.Context, position chat.Position, _ int) ([]chat.Event, error) {
	if position >= j.head {
		return nil, nil
	}
	return []chat.Event{{Position: max(position+1, j.head-1), Kind: chat.TypingReceived, ThreadID: "19:a@thread.v2"}}, nil
}

// Who was away for more than the server is willing to search is told so.
func TestLongReplay(t *testing.T) {
	t.Parallel()
	inEmptyBubble(t, func(w *world) {
		w.journal = &longJournal{w.db, 3 * maxReplay}
		w.serveInMemory()
		c, err := w.dial(bob, client.Options{After: "5"})
		w.must(err)
		defer c.Close()
		l := &listener{c, w}
		if got := l.next(); got.Missed == nil || *got.Missed != (client.Missed{After: "5", Oldest: decimal(2*maxReplay + 1)}) {
			w.Errorf("began with %+v", got)
		}
		for i := range 2 {
			if got := l.next(); got.Position != decimal(3*maxReplay-1+int64(i)) {
				w.Errorf("event at %s", got.Position)
			}
		}
	})
}

// pausedJournal can be read up to a position only until it is let go.
type pausedJournal struct {
	*store.DB
	until atomic.Int64
	free  chan struct{}
}

func (j *pausedJournal) After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	if until := chat.Position(j.until.Load()); until > 0 && position < until {
		select {
		case <-j.free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return j.DB.After(ctx, position, limit)
}

// What happens during a long replay does not fill the queue: the client is told all of it behind what it missed, once.
func TestManyEventsDuringReplay(t *testing.T) {
	t.Parallel()
	inEmptyBubble(t, func(w *world) {
		j := &pausedJournal{DB: w.db, free: make(chan struct{})}
		w.journal = j
		w.serveInMemory()
		id := w.thread(alice, bob)
		start := w.listen(bob, client.Options{}).Position()
		w.sendNumbers(id, 1, 3)
		w.settle()
		j.until.Store(int64(w.Hub.Position()))
		l := w.listen(bob, client.Options{After: start})
		w.sendNumbers(id, 4, 3+maxQueued)
		w.settle()
		close(j.free)
		if diff := cmp.Diff(numbers(1, 3+maxQueued), l.texts(3+maxQueued)); diff != "" {
			w.Error(diff)
		}
		w.sendNumbers(id, 9999, 9999)
		if diff := cmp.Diff(numbers(9999, 9999), l.texts(1)); diff != "" {
			w.Error(diff)
		}
	})
}

// During a long replay a client is told how far it is, and what it asks is answered: else it would be taken for dead, and
// would begin again where it began.
func TestPingsDuringReplay(t *testing.T) {
	t.Parallel()
	inEmptyBubble(t, func(w *world) {
		j := &slowJournal{&longJournal{w.db, 10 * replayStep}}
		w.journal = j
		w.serveInMemory()
		r := w.raw(nil)
		r.write(fmt.Sprintf(`{"type":"start","version":1,"token":%q,"after":"0"}`, bob))
		begun := time.Now()
		r.read() // ready
		r.write(`{"type":"ping"}`)
		for _, want := range []string{decimal(replayStep), "pong", decimal(2 * replayStep), decimal(3 * replayStep)} {
			if got := r.read(); !strings.Contains(got, `"`+want+`"`) {
				t.Errorf("told %s, want %s", got, want)
			}
		}
		for told := ""; !strings.Contains(told, `"event"`); {
			told = r.read()
		}
		if took := time.Since(begun); took < 3*w.server.Ping {
			t.Errorf("the test took %s only", took)
		}
	})
}

// slowJournal takes its time, and is empty up to its last events.
type slowJournal struct{ *longJournal }

func (j *slowJournal) After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	if position >= j.head {
		return nil, nil
	}
	time.Sleep(time.Second)
	if next := position + chat.Position(limit); next < j.head-1 {
		return []chat.Event{{Position: next, Kind: chat.TypingReceived}}, nil // servers tell each other
	}
	return j.longJournal.After(ctx, position, limit)
}

// brokenJournal fails when it is asked to.
type brokenJournal struct {
	*store.DB
	oldest, after atomic.Bool
}

var errBroken = errors.New("broken")

func (j *brokenJournal) Oldest(ctx context.Context) (chat.Position, error) {
	if j.oldest.Load() {
		return 0, errBroken
	}
	return j.DB.Oldest(ctx)
}

func (j *brokenJournal) After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	if j.after.Load() {
		return nil, errBroken
	}
	return j.DB.After(ctx, position, limit)
}

// A replay that cannot be completed ends the connection, so that nothing is taken for heard.
func TestReplayFails(t *testing.T) {
	t.Parallel()
	inEmptyBubble(t, func(w *world) {
		j := &brokenJournal{DB: w.db}
		w.journal = j
		w.serveInMemory()
		id := w.thread(alice, bob)
		start := w.listen(bob, client.Options{}).Position()
		w.sendNumbers(id, 1, 3)
		w.settle()
		for _, fail := range []*atomic.Bool{&j.oldest, &j.after} {
			fail.Store(true)
			c, err := w.dial(bob, client.Options{After: start})
			w.must(err)
			l := &listener{c, w}
			l.closed(client.CodeInternal)
			if l.Position() != start {
				w.Errorf("position is %s, want %s", l.Position(), start)
			}
			fail.Store(false)
		}
		if diff := cmp.Diff(numbers(1, 3), w.listen(bob, client.Options{After: start}).texts(3)); diff != "" {
			w.Error(diff)
		}
	})
}
