package sqldb_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// What is added while a batch is applied is the next batch, in its order and up to MaxBatch. Close applies what is queued.
func TestCommitterBatches(t *testing.T) {
	t.Parallel()
	started, release := make(chan struct{}), make(chan struct{})
	var sizes, jobs []int
	c := sqldb.NewCommitter(func(batch []int) {
		if len(sizes) == 0 {
			close(started)
			<-release
		}
		sizes, jobs = append(sizes, len(batch)), append(jobs, batch...)
	})
	const queued = sqldb.MaxBatch + 3
	var want []int
	for i := range 1 + queued {
		if err := c.Add(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		want = append(want, i)
		if i == 0 {
			<-started
		}
	}
	close(release)
	if !c.Close() || c.Close() {
		t.Error("Close reports another call as the first")
	}
	if !slices.Equal(sizes, []int{1, sqldb.MaxBatch, 3}) || !slices.Equal(jobs, want) {
		t.Errorf("batches are of %v jobs, %v", sizes, jobs)
	}
	if err := c.Add(t.Context(), 0); !errors.Is(err, sqldb.ErrClosed) {
		t.Errorf("a job after Close: %v", err)
	}
	if err := c.Enter(); !errors.Is(err, sqldb.ErrClosed) {
		t.Errorf("Enter after Close: %v", err)
	}
}

// Add waits for a place in the queue no longer than its context lasts.
func TestCommitterIsFull(t *testing.T) {
	t.Parallel()
	started, release := make(chan struct{}, 100), make(chan struct{})
	c := sqldb.NewCommitter(func([]int) { started <- struct{}{}; <-release })
	const places = 4 * sqldb.MaxBatch
	for n := range 1 + places {
		if err := c.Add(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			<-started // it has left the queue
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Add(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want that of the context", err)
	}
	close(release)
	c.Close()
}
