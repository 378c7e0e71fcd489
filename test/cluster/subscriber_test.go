//go:build unix

package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/chatd/chatd/client"
)

// subscriber hears the events of a person over a websocket, at whichever node; when its connection ends it goes on at
// another.
type subscriber struct {
	w     *world
	who   *person
	name  string
	after int64

	mu    sync.Mutex
	conn  net.Conn
	heard []mark
}

// mark is an event as far as it is compared: its position, and a sum of all that it tells.
type mark struct {
	position int64
	sum      uint64
}

func markOf(e *client.Event) mark {
	position, _ := strconv.ParseInt(e.Position, 10, 64) // 0 is out of order
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(e) // neither of them fails
	return mark{position, h.Sum64()}
}

// subscribe lets somebody hear what is behind a position.
func (w *world) subscribe(who *person, name string, after int64) {
	s := &subscriber{w: w, who: who, name: name, after: after}
	w.listeners.Go(func() {
		if err := w.follow(w.listening, who, after, s.dial, s.hear); w.listening.Err() == nil {
			w.t.Errorf("%s hears no more: %v", name, err)
		}
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hearing = append(w.hearing, s)
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// follow hears events until the context ends or hear returns an error.
func (w *world) follow(ctx context.Context, who *person, after int64, dial dialer, hear func(client.Event) error) error {
	token := func(context.Context) (string, error) { return who.token, nil }
	return client.Follow(ctx, "http://cluster", token, client.Options{
		After:      strconv.FormatInt(after, 10),
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
	}, func(e client.Event) error {
		if e.Kind == client.Gap {
			return fmt.Errorf("there is a gap from %s to %s", e.Missed.After, e.Missed.Oldest)
		}
		return hear(e)
	})
}

// dial connects to some node that is there.
func (s *subscriber) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	conn, err := s.w.dial(ctx, network, "")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	return conn, err
}

func (w *world) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var d net.Dialer
	return w.cluster.Dial(w.chance(len(w.cluster.Nodes)), func(address string) (net.Conn, error) {
		return d.DialContext(ctx, network, address)
	})
}

// cut ends the connection, as networks do.
func (s *subscriber) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

func (s *subscriber) hear(e client.Event) error {
	m := markOf(&e)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, m)
	if m.position > s.w.newest.Load() {
		s.w.newest.Store(m.position) // whichever of two is later: it is only where new listeners begin
	}
	return nil
}

// told is what was heard until now.
func (s *subscriber) told() []mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// unrest cuts some connection now and then, until the world is over.
func (w *world) unrest() {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-w.over:
			return
		case <-tick.C:
		}
		w.mu.Lock()
		s := w.hearing[w.random.IntN(len(w.hearing))]
		w.mu.Unlock()
		s.cut()
	}
}
