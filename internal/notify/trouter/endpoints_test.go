package trouter

import (
	"context"
	"maps"
	"sync/atomic"

	"github.com/chatd/chatd/internal/chat"
)

// view is what one server sees of the journal. It does with endpoints what storetest demands of a store.
type view struct {
	*journal
	changed chan struct{}
	dead    atomic.Bool   // nothing is written any more
	hidden  atomic.Bool   // nothing new is seen
	arrived func()        // called when a connection has arrived, if not nil
	slow    chan struct{} // what is not the newest cannot be read until it closes, if not nil
}

// After is that of the journal, of which a view may be hidden.
func (v *view) After(ctx context.Context, position int64, limit int) ([]chat.Event, error) {
	if v.hidden.Load() {
		return nil, nil
	}
	events, err := v.journal.After(ctx, position, limit)
	if head, _ := v.Head(ctx); v.slow != nil && position+int64(len(events)) < head {
		select {
		case <-v.slow:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return events, err
}

// look makes a view for a server that begins.
func (j *journal) look() *view {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := &view{journal: j, changed: make(chan struct{}, 1)}
	j.views = append(j.views, v)
	return v
}

func (v *view) Changed() <-chan struct{} { return v.changed }

func (v *view) Endpoint(_ context.Context, user chat.Identity, id string) (chat.Endpoint, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.endpoints[endpointKey{user, id}]
	e.User, e.ID = user, id
	return e, v.away
}

// change writes an endpoint.
func (v *view) change(user chat.Identity, id string, do func(e *chat.Endpoint) bool) (chat.Endpoint, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := endpointKey{user, id}
	e, ok := v.endpoints[key]
	if v.away != nil || v.dead.Load() {
		return e, v.away
	}
	if e.User, e.ID = user, id; !do(&e) {
		return e, &chat.Error{Kind: chat.NotFound}
	}
	if ok || e.Arrivals > 0 {
		v.endpoints[key] = e
	}
	return e, nil
}

func (v *view) Arrive(_ context.Context, a chat.Arrival) (chat.Endpoint, error) {
	if v.arrived != nil {
		defer v.arrived()
	}
	return v.change(a.User, a.Endpoint, func(e *chat.Endpoint) bool {
		if e.Arrivals == 0 {
			e.Arrivals, e.Position, e.Dialect = a.Number-1, a.Position, "web"
		}
		if e.Arrivals != a.Number-1 {
			return false
		}
		if e.Arrivals > 0 && e.Ended == e.Arrivals {
			e.Position = max(e.Position, a.Position)
		}
		e.Arrivals++
		if e.Teller == 0 || e.Teller == a.Before {
			e.Teller = e.Arrivals
		} else {
			v.append(chat.ChangeOf(a.User, a.Endpoint, a.Number, a.At))
		}
		return true
	})
}

func (v *view) TakeEndpoint(_ context.Context, user chat.Identity, id string, number int64) (chat.Endpoint, error) {
	return v.change(user, id, func(e *chat.Endpoint) bool {
		e.Teller = e.Arrivals
		return e.Arrivals == number
	})
}

func (v *view) SaveEndpoints(_ context.Context, positions []chat.EndpointPosition, _ chat.Time) error {
	for _, p := range positions {
		_, err := v.change(p.User, p.Endpoint, func(e *chat.Endpoint) bool {
			if e.Teller == p.Teller && e.Arrivals > 0 {
				e.Position = max(e.Position, p.Position)
				if p.Left {
					e.Teller = 0
				}
			}
			v.saves++
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *view) RegisterEndpoint(_ context.Context, user chat.Identity, id, dialect string, at chat.Time) error {
	_, err := v.change(user, id, func(e *chat.Endpoint) bool {
		if e.Arrivals > 0 && (e.Dialect != dialect || e.Ended != 0) {
			v.append(chat.ChangeOf(user, id, 0, at))
			e.Dialect = dialect
			if e.Teller != 0 {
				e.Ended = 0
			}
		}
		return true
	})
	return err
}

func (v *view) EndEndpoint(_ context.Context, user chat.Identity, id string) error {
	_, err := v.change(user, id, func(e *chat.Endpoint) bool {
		e.Ended = e.Arrivals
		return true
	})
	return err
}

// release says that there is no server.
func (j *journal) release() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, e := range j.endpoints {
		e.Teller = 0
		j.endpoints[key] = e
	}
}

// position returns how far an endpoint would go on after a crash.
func (w *world) position(who chat.Identity, epid string) int64 {
	return w.journal.saved()[endpointKey{who, epid}].Position
}

func (j *journal) saved() map[endpointKey]chat.Endpoint {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.endpoints)
}

func (j *journal) restore(endpoints map[endpointKey]chat.Endpoint) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.endpoints = endpoints
}
