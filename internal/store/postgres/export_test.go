package postgres

import (
	"context"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// Tests are in package postgres_test, since they use package store, which imports this one. This file gives them access.

const AnnouncePosition = announcePosition

// Outcome is what became of a post in a batch.
type Outcome struct {
	Locked  bool
	Seq, ID int64
	Err     error
}

// PostBatch stores posts as one batch of the committer. If wait, it waits for locks, and the posts must have one thread.
func PostBatch(ctx context.Context, e sqldb.Engine, wait bool, batch ...sqldb.Post) []Outcome {
	p := e.(*engine).posts
	var jobs []*postJob
	for _, post := range batch {
		jobs = append(jobs, &postJob{ctx: ctx, post: post, done: make(chan struct{})})
	}
	store := p.postUnlocked
	if wait {
		store = p.postWaiting
	}
	p.run(jobs, store)
	var out []Outcome
	for _, j := range jobs {
		out = append(out, Outcome{j.locked, j.seq, j.id, j.err})
	}
	return out
}

// Waiting returns how many threads have posts that wait for a lock.
func Waiting(e sqldb.Engine) int {
	p := e.(*engine).posts
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// WaitForPosts returns when no post waits for a lock.
func WaitForPosts(e sqldb.Engine) { e.(*engine).posts.waiters.Wait() }
