package sqldb

import (
	"context"
	"sync"
)

// MaxBatch bounds the jobs of one batch, so that the first of them does not wait long for the last.
const MaxBatch = 128

// Committer hands jobs in batches to one goroutine: all that were added while it worked on the batch before. There is no
// timer, so a job that comes alone waits for nothing.
type Committer[J any] struct {
	jobs   chan J
	done   chan struct{} // closed when the goroutine has ended
	gate   sync.RWMutex  // held for reading by Enter and Add, so that Close waits for them
	closed bool
}

// NewCommitter starts a committer, which calls apply for one batch at a time.
func NewCommitter[J any](apply func(batch []J)) *Committer[J] {
	c := &Committer[J]{jobs: make(chan J, 4*MaxBatch), done: make(chan struct{})}
	go c.run(apply)
	return c
}

func (c *Committer[J]) run(apply func([]J)) {
	defer close(c.done)
	for first := range c.jobs {
		batch := []J{first}
	gather:
		for len(batch) < MaxBatch {
			select {
			case j, open := <-c.jobs:
				if !open {
					break gather
				}
				batch = append(batch, j)
			default:
				break gather
			}
		}
		apply(batch)
	}
}

// Enter keeps the committer open until Leave is called, or returns ErrClosed. Reads use it, which need the same database.
func (c *Committer[J]) Enter() error {
	c.gate.RLock()
	if c.closed {
		c.gate.RUnlock()
		return ErrClosed
	}
	return nil
}

// Leave ends what a successful Enter began.
func (c *Committer[J]) Leave() { c.gate.RUnlock() }

// Add queues a job. When the queue is full it waits until the context ends.
func (c *Committer[J]) Add(ctx context.Context, j J) error {
	if err := c.Enter(); err != nil {
		return err
	}
	defer c.Leave()
	select {
	case c.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close applies what is queued and ends the goroutine. It reports whether this was the first call; later ones wait too.
func (c *Committer[J]) Close() bool {
	c.gate.Lock()
	first := !c.closed
	c.closed = true
	if first {
		close(c.jobs)
	}
	c.gate.Unlock()
	<-c.done
	return first
}
