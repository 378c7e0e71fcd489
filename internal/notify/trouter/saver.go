package trouter

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

const (
	saveBatch = 256 // positions in one transaction: messages have to wait for it
	saveRetry = time.Second
)

// saver saves the positions of endpoints to the store. All that changed while the last save was under way goes into the next, so that
// acknowledgements, which are as many as deliveries, cost few transactions.
type saver struct {
	store Endpoints
	now   func() chat.Time
	log   *slog.Logger
	wake  chan struct{}

	mu    sync.Mutex
	dirty map[*endpoint]struct{}
}

func newSaver(store Endpoints, now func() chat.Time, log *slog.Logger) *saver {
	return &saver{store: store, now: now, log: log, wake: make(chan struct{}, 1), dirty: map[*endpoint]struct{}{}}
}

// add has the position of an endpoint saved soon.
func (v *saver) add(e *endpoint) {
	v.mu.Lock()
	v.dirty[e] = struct{}{}
	v.mu.Unlock()
	v.signal()
}

func (v *saver) signal() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// run saves until the context ends, and once more then.
func (v *saver) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-v.wake:
		}
		v.save(context.WithoutCancel(ctx))
	}
}

func (v *saver) save(ctx context.Context) {
	v.mu.Lock()
	dirty := v.dirty
	v.dirty = make(map[*endpoint]struct{}, len(dirty))
	v.mu.Unlock()
	positions := make([]delivery.Acknowledged, 0, len(dirty))
	for e := range dirty {
		positions = append(positions, e.acknowledged())
	}
	for part := range slices.Chunk(positions, saveBatch) {
		if err := v.store.SaveEndpoints(ctx, part, v.now()); err != nil {
			v.log.Error("positions of endpoints cannot be kept", "error", err)
			v.retry(dirty)
			return
		}
	}
}

// retry saves later what could not be saved: with the next change, or after saveRetry.
func (v *saver) retry(dirty map[*endpoint]struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.Copy(v.dirty, dirty)
	time.AfterFunc(saveRetry, v.signal)
}
