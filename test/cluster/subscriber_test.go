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

// subscriber receives the events of a user over a websocket of any node. When its connection ends it continues at another.
type subscriber struct {
	w     *world
	who   *user
	name  string
	after int64

	mu     sync.Mutex
	conn   net.Conn
	events []digest
}

// digest is an event as far as it is compared: its position, and a checksum of all its fields.
type digest struct {
	position int64
	sum      uint64
}

func digestOf(e *client.Event) digest {
	position, _ := strconv.ParseInt(e.Position, 10, 64) // 0 is out of order
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(e) // neither of them fails
	return digest{position, h.Sum64()}
}

// subscribe starts a subscriber that receives what is after a position.
func (w *world) subscribe(who *user, name string, after int64) {
	s := &subscriber{w: w, who: who, name: name, after: after}
	w.listeners.Go(func() {
		if err := w.follow(w.listening, who, after, s.dial, s.receive); w.listening.Err() == nil {
			w.t.Errorf("%s receives no more events: %v", name, err)
		}
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subscribers = append(w.subscribers, s)
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// follow passes events to receive until the context ends or receive returns an error.
func (w *world) follow(ctx context.Context, who *user, after int64, dial dialer, receive func(client.Event) error) error {
	token := func(context.Context) (string, error) { return who.token, nil }
	return client.Follow(ctx, "http://cluster", token, client.Options{
		After:      strconv.FormatInt(after, 10),
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
	}, func(e client.Event) error {
		if e.Kind == client.Gap {
			return fmt.Errorf("there is a gap from %s to %s", e.Missed.After, e.Missed.Oldest)
		}
		return receive(e)
	})
}

// dial connects to a random node, or another one when that is down.
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

func (s *subscriber) receive(e client.Event) error {
	m := digestOf(&e)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, m)
	if m.position > s.w.newest.Load() {
		s.w.newest.Store(m.position) // a race between two subscribers is harmless: this is only where new ones begin
	}
	return nil
}

// receivedEvents are those until now, in order.
func (s *subscriber) receivedEvents() []digest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// cutConnections cuts a random connection every 300 ms, until the workers stop.
func (w *world) cutConnections() {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-w.over:
			return
		case <-tick.C:
		}
		w.mu.Lock()
		s := w.subscribers[w.random.IntN(len(w.subscribers))]
		w.mu.Unlock()
		s.cut()
	}
}
