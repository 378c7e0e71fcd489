package store

import (
	"context"
	"errors"
	"sync"
)

// maxBatch bounds the writes of one transaction, so that the first of them does not wait long for the last.
const maxBatch = 128

var errClosed = errors.New("store is closed")

// queue hands jobs to a committer: one goroutine that takes all that queued while its last batch was under way. There is no
// timer, so a lone job waits for nobody.
type queue[J any] struct {
	jobs   chan J
	closed chan struct{} // the committer has ended
	gate   sync.RWMutex  // held by whoever adds a job or reads: neither meets a closed engine half-way
	shut   bool
}

// newQueue begins to apply what is added.
func newQueue[J any](apply func(batch []J)) *queue[J] {
	q := &queue[J]{jobs: make(chan J, 4*maxBatch), closed: make(chan struct{})}
	go q.run(apply)
	return q
}

func (q *queue[J]) run(apply func([]J)) {
	defer close(q.closed)
	for first := range q.jobs {
		batch := []J{first}
	gather:
		for len(batch) < maxBatch {
			select {
			case j, open := <-q.jobs:
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

// enter answers nil when leave has to be called, before which the queue is not closed.
func (q *queue[J]) enter() error {
	q.gate.RLock()
	if q.shut {
		q.gate.RUnlock()
		return errClosed
	}
	return nil
}

func (q *queue[J]) leave() { q.gate.RUnlock() }

// add waits for room as long as the context goes on.
func (q *queue[J]) add(ctx context.Context, j J) error {
	if err := q.enter(); err != nil {
		return err
	}
	defer q.leave()
	select {
	case q.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close lets what queues be done. It reports whether it was the first to be called.
func (q *queue[J]) close() bool {
	q.gate.Lock()
	first := !q.shut
	q.shut = true
	if first {
		close(q.jobs)
	}
	q.gate.Unlock()
	<-q.closed
	return first
}
