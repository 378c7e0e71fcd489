package postgres

import (
	"context"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// The tests are outside this package, since package store, which they use, imports it. These are the insides that they see.

const AnnouncePosition = announcePositions

// Outcome is what became of one post of a batch.
type Outcome struct {
	Held    bool
	Seq, ID int64
	Err     error
}

// PostBatch posts as the committer does with one batch. Where it waits, the posts have one thread.
func PostBatch(ctx context.Context, e sqldb.Engine, wait bool, batch ...sqldb.Post) []Outcome {
	p := e.(*engine).posts
	var jobs []*postJob
	for _, post := range batch {
		jobs = append(jobs, &postJob{ctx: ctx, post: post, done: make(chan struct{})})
	}
	way := p.quickly
	if wait {
		way = p.patiently
	}
	p.settle(jobs, way)
	var out []Outcome
	for _, j := range jobs {
		out = append(out, Outcome{j.held, j.seq, j.id, j.err})
	}
	return out
}

// Lanes returns how many threads have posts that wait for a lock.
func Lanes(e sqldb.Engine) int {
	p := e.(*engine).posts
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lanes)
}

// WaitForLanes returns when no post waits for a lock.
func WaitForLanes(e sqldb.Engine) { e.(*engine).posts.walkers.Wait() }
