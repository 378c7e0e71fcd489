package trouter

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

const saveStep = 256 // positions in one transaction: messages have to wait for it

// In the store 0 means that nothing is known of an endpoint. That one has been told nothing of a journal that was empty when
// it came is kept as beginning.
const beginning = int64(-1)

// keep is a position as the store has it, kept what that says.
func keep(at int64) int64 { return cmp.Or(at, beginning) }

func kept(at int64) (int64, knowledge) {
	if at == 0 {
		return 0, unknown
	}
	return max(at, 0), known
}

// saver keeps the positions of endpoints in the store: all that changed while the last time was under way, at once.
type saver struct {
	store Positions
	now   func() chat.Time
	log   *slog.Logger
	wake  chan struct{}

	mu    sync.Mutex
	dirty map[*endpoint]struct{}
}

func newSaver(store Positions, now func() chat.Time, log *slog.Logger) *saver {
	return &saver{store: store, now: now, log: log, wake: make(chan struct{}, 1), dirty: map[*endpoint]struct{}{}}
}

// note asks for the position of an endpoint to be kept.
func (v *saver) note(e *endpoint) {
	v.mu.Lock()
	v.dirty[e] = struct{}{}
	v.mu.Unlock()
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
	positions := make([]Position, 0, len(dirty))
	for e := range dirty {
		if at, knows := e.told(); knows == known {
			positions = append(positions, Position{User: e.key.user, Endpoint: e.key.id, Position: keep(at)})
		}
	}
	for part := range slices.Chunk(positions, saveStep) {
		if err := v.store.SaveEndpoints(ctx, part, v.now()); err != nil {
			v.log.Error("positions of endpoints cannot be kept", "error", err)
			v.again(dirty)
			return
		}
	}
}

// again notes what could not be saved: it is tried with what changes next.
func (v *saver) again(dirty map[*endpoint]struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.Copy(v.dirty, dirty)
}
