package notify

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// replayLimiter bounds what replays cost. A client asks for one with a few bytes, and it may search a million events. So replays
// read a batch at a time, in turn. A user reads one batch at a time, over all of their clients, and then pauses for as long as
// that took. All users together read as many as half of the cores, and at least two, so that one that waits for the database
// does not hold up all others. The one that waited longest is next: a client that missed little waits for a batch of each
// user, not for all that they missed. These turns are a matter of load, so they use the real time.
type replayLimiter struct {
	slots chan struct{} // holds a token for each batch that is being read

	mu    sync.Mutex
	users map[chat.Identity]*userReplays
}

// userReplays are the replays of one user.
type userReplays struct {
	slot chan struct{} // holds a token while a batch is read, and for as long again
	refs int           // replays that hold or want the slot
}

func newReplayLimiter() *replayLimiter {
	return &replayLimiter{slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)/2)), users: map[chat.Identity]*userReplays{}}
}

// acquire waits for the user's turn, which ends with release. The context bounds the wait.
func (t *replayLimiter) acquire(ctx context.Context, user chat.Identity) (release func(), err error) {
	u := t.user(user)
	select {
	case u.slot <- struct{}{}:
	case <-ctx.Done():
		t.unref(user, u)
		return nil, ctx.Err()
	}
	releaseUser := func() {
		<-u.slot
		t.unref(user, u)
	}
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		releaseUser()
		return nil, ctx.Err()
	}
	start := time.Now()
	return func() {
		<-t.slots
		time.AfterFunc(time.Since(start), releaseUser)
	}, nil
}

func (t *replayLimiter) user(user chat.Identity) *userReplays {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.users[user]
	if u == nil {
		u = &userReplays{slot: make(chan struct{}, 1)}
		t.users[user] = u
	}
	u.refs++
	return u
}

func (t *replayLimiter) unref(user chat.Identity, u *userReplays) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u.refs--; u.refs == 0 {
		delete(t.users, user)
	}
}
