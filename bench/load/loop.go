// Package load is a closed-loop load generator: each client does one thing after the other, as fast as they are done.
package load

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Op is one operation. Each client has its own, so it need not be safe for concurrent use.
type Op func(ctx context.Context) error

// Result is what clients have done together.
type Result struct {
	Histogram
	Took time.Duration
}

// Rate is how many things were done in a second.
func (r *Result) Rate() float64 { return float64(r.Count()) / r.Took.Seconds() }

// Run lets all clients run for a while. The first error ends it.
func Run(ctx context.Context, ops []Op, during time.Duration) (*Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	each := make([]Histogram, len(ops))
	begun := time.Now()
	var clients sync.WaitGroup
	for i, op := range ops {
		clients.Go(func() {
			if err := repeat(ctx, op, begun.Add(during), &each[i]); err != nil {
				cancel(err)
			}
		})
	}
	clients.Wait()
	r := &Result{Took: time.Since(begun)}
	for i := range each {
		r.Merge(&each[i])
	}
	err := context.Cause(ctx)
	if err == nil && r.Count() == 0 {
		err = errors.New("nothing was done in time")
	}
	return r, err
}

func repeat(ctx context.Context, op Op, end time.Time, into *Histogram) error {
	for at := time.Now(); at.Before(end) && ctx.Err() == nil; {
		if err := op(ctx); err != nil {
			return err
		}
		now := time.Now()
		into.Add(now.Sub(at))
		at = now
	}
	return nil
}
