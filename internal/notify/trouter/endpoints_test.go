package trouter

import (
	"context"
	"maps"
	"sync/atomic"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

// view is what one server sees of the journal. It does with endpoints what storetest demands of a store.
type view struct {
	*journal
	changed     chan struct{}
	dead        atomic.Bool   // nothing is written any more
	hidden      atomic.Bool   // nothing new is seen
	onConnected func()        // called when a connection has arrived, if not nil
	slow        chan struct{} // what is not the newest cannot be read until it closes, if not nil
}

// After is that of the journal, of which a view may be hidden.
func (v *view) After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	if v.hidden.Load() {
		return nil, nil
	}
	events, err := v.journal.After(ctx, position, limit)
	if head, _ := v.Head(ctx); v.slow != nil && position+chat.Position(len(events)) < head {
		select {
		case <-v.slow:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return events, err
}

// newView makes a view for a server that begins.
func (j *journal) newView() *view {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := &view{journal: j, changed: make(chan struct{}, 1)}
	j.views = append(j.views, v)
	return v
}

func (v *view) Watch() (<-chan struct{}, func()) { return v.changed, func() {} }

func (v *view) Endpoint(_ context.Context, user chat.Identity, id string) (delivery.Endpoint, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.endpoints[endpointKey{user, id}]
	e.User, e.ID = user, id
	return e, v.endpointsErr
}

// change writes an endpoint.
func (v *view) change(user chat.Identity, id string, do func(e *delivery.Endpoint) bool) (delivery.Endpoint, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := endpointKey{user, id}
	e, ok := v.endpoints[key]
	if v.endpointsErr != nil || v.dead.Load() {
		return e, v.endpointsErr
	}
	if e.User, e.ID = user, id; !do(&e) {
		return e, &chat.Error{Kind: chat.NotFound}
	}
	if ok || e.Newest > 0 {
		v.endpoints[key] = e
	}
	return e, nil
}

func (v *view) ConnectEndpoint(_ context.Context, a delivery.Connection) (delivery.Endpoint, error) {
	if v.onConnected != nil {
		defer v.onConnected()
	}
	return v.change(a.User, a.Endpoint, func(e *delivery.Endpoint) bool {
		if e.Newest == 0 {
			e.Newest, e.Position, e.Format = a.Number-1, a.Position, "web"
		}
		if e.Newest != a.Number-1 {
			return false
		}
		if e.Newest > 0 && e.Ended == e.Newest {
			e.Position = max(e.Position, a.Position)
		}
		e.Newest++
		if e.Owner == 0 || e.Owner == a.Previous {
			e.Owner = e.Newest
		} else {
			v.append(delivery.Changed(a.User, a.Endpoint, a.Number, a.At))
		}
		return true
	})
}

func (v *view) TakeEndpoint(_ context.Context, user chat.Identity, id string, number int64) (delivery.Endpoint, error) {
	return v.change(user, id, func(e *delivery.Endpoint) bool {
		e.Owner = e.Newest
		return e.Newest == number
	})
}

func (v *view) SaveEndpoints(_ context.Context, positions []delivery.Acknowledged, _ chat.Time) error {
	for _, p := range positions {
		_, err := v.change(p.User, p.Endpoint, func(e *delivery.Endpoint) bool {
			if e.Owner == p.Owner && e.Newest > 0 {
				e.Position = max(e.Position, p.Position)
				if p.Released {
					e.Owner = 0
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

func (v *view) RegisterEndpoint(_ context.Context, user chat.Identity, id, format string, at chat.Time) error {
	_, err := v.change(user, id, func(e *delivery.Endpoint) bool {
		if e.Newest > 0 && (e.Format != format || e.Ended != 0) {
			v.append(delivery.Changed(user, id, 0, at))
			e.Format = format
			if e.Owner != 0 {
				e.Ended = 0
			}
		}
		return true
	})
	return err
}

func (v *view) EndEndpoint(_ context.Context, user chat.Identity, id string) error {
	_, err := v.change(user, id, func(e *delivery.Endpoint) bool {
		e.Ended = e.Newest
		return true
	})
	return err
}

// release says that there is no server.
func (j *journal) release() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, e := range j.endpoints {
		e.Owner = 0
		j.endpoints[key] = e
	}
}

// position returns how far an endpoint would go on after a crash.
func (w *world) position(who chat.Identity, epid string) chat.Position {
	return w.journal.saved()[endpointKey{who, epid}].Position
}

func (j *journal) saved() map[endpointKey]delivery.Endpoint {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.endpoints)
}

func (j *journal) restore(endpoints map[endpointKey]delivery.Endpoint) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.endpoints = endpoints
}
