package notify

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// turns bounds what replays cost. A client asks for one with a few bytes, and it may search a million events. So replays read
// a batch at a time, in turn: a user one batch at once, whatever number of clients they have, and none for as long again; all
// users together as many as half of the cores, and at least two so that one that waits for the database does not keep all
// others. Who waits longest is next: a client that missed little waits for a batch of each user, not for what they missed.
type turns struct {
	all chan struct{} // holds a token for each batch that is being read

	mu    sync.Mutex
	users map[chat.Identity]*lane
}

// lane is that of a user who has a replay.
type lane struct {
	turn chan struct{} // holds a token while a batch is read, and for as long again
	uses int
}

func newTurns() *turns {
	return &turns{all: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)/2)), users: map[chat.Identity]*lane{}}
}

// take waits until it is the user's turn, which ends with done.
func (t *turns) take(ctx context.Context, user chat.Identity) (done func(), err error) {
	l := t.enter(user)
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		t.leave(user, l)
		return nil, ctx.Err()
	}
	pass := func() {
		<-l.turn
		t.leave(user, l)
	}
	select {
	case t.all <- struct{}{}:
	case <-ctx.Done():
		pass()
		return nil, ctx.Err()
	}
	begun := time.Now()
	return func() {
		<-t.all
		time.AfterFunc(time.Since(begun), pass)
	}, nil
}

func (t *turns) enter(user chat.Identity) *lane {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.users[user]
	if l == nil {
		l = &lane{turn: make(chan struct{}, 1)}
		t.users[user] = l
	}
	l.uses++
	return l
}

func (t *turns) leave(user chat.Identity, l *lane) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.uses--; l.uses == 0 {
		delete(t.users, user)
	}
}
