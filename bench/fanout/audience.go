// Package fanout measures how fast one message reaches many listeners. They are all in this process and read without
// decoding, so that what differs is the server.
package fanout

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/bench/load"
)

// Window is how many messages are on their way at the same time when the rate is measured.
const Window = 32

const (
	size           = 256              // bytes of text of a message
	receiveTimeout = 10 * time.Second // for a message to reach all listeners
)

// Target is a server, and the protocol by which listeners connect to it.
type Target interface {
	// Dial connects a listener; it returns when the server knows of it.
	Dial(ctx context.Context, i int) (*websocket.Conn, error)
	// Sender connects a client whose messages all listeners receive.
	Sender() (*load.Conn, error)
	// Request is the request that sends a text.
	Request(text string) load.Request
	// Reply is what a listener answers to a frame; nil: nothing.
	Reply(frame []byte) []byte
}

// Audience is listeners, and the senders whose messages they receive.
type Audience struct {
	target  Target
	conns   []*websocket.Conn
	senders []*load.Conn
	readers sync.WaitGroup
	frame   atomic.Int64

	mu   sync.Mutex
	next int
	sent map[int]*sending // by number, until all have received it
}

// sending is a message on its way.
type sending struct {
	at   time.Time
	left atomic.Int64
	all  chan struct{}

	mu   sync.Mutex
	took []time.Duration
}

// Connect connects n listeners, and Window senders.
func Connect(ctx context.Context, target Target, n int) (*Audience, error) {
	a := &Audience{target: target, sent: map[int]*sending{}}
	for i := range n {
		c, err := target.Dial(ctx, i)
		if err != nil {
			a.Close()
			return nil, fmt.Errorf("listener %d: %w", i, err)
		}
		a.conns = append(a.conns, c)
		a.readers.Go(func() { a.listen(ctx, c) })
	}
	for range Window {
		c, err := target.Sender()
		if err != nil {
			a.Close()
			return nil, err
		}
		a.senders = append(a.senders, c)
	}
	return a, nil
}

// Close disconnects all.
func (a *Audience) Close() {
	for _, c := range a.conns {
		_ = c.CloseNow()
	}
	for _, c := range a.senders {
		_ = c.Close()
	}
	a.readers.Wait()
}

// FrameBytes is the length of the frame that was received last.
func (a *Audience) FrameBytes() int { return int(a.frame.Load()) }

func (a *Audience) listen(ctx context.Context, c *websocket.Conn) {
	for {
		_, frame, err := c.Read(ctx)
		if err != nil {
			return
		}
		n, ok := number(frame)
		if !ok {
			continue
		}
		a.frame.Store(int64(len(frame)))
		a.mark(n)
		if reply := a.target.Reply(frame); reply != nil && c.Write(ctx, websocket.MessageText, reply) != nil {
			return
		}
	}
}

// number finds the number of a message in the frame of its event.
func number(frame []byte) (int, bool) {
	_, rest, ok := bytes.Cut(frame, []byte("#"))
	digits, _, _ := bytes.Cut(rest, []byte(" "))
	n, err := strconv.Atoi(string(digits))
	return n, ok && err == nil
}

func (a *Audience) mark(n int) {
	a.mu.Lock()
	s := a.sent[n]
	a.mu.Unlock()
	if s == nil { // all have received it: this listener got it a second time
		return
	}
	took := time.Since(s.at)
	s.mu.Lock()
	s.took = append(s.took, took)
	s.mu.Unlock()
	if s.left.Add(-1) == 0 {
		close(s.all)
	}
}

// Load keeps so many messages on their way at the same time, for the given time. The result counts deliveries.
func (a *Audience) Load(ctx context.Context, atATime int, during time.Duration) (*load.Result, error) {
	var mu sync.Mutex
	var delivered load.Histogram
	ops := make([]load.Op, atATime)
	for i := range ops {
		ops[i] = func(ctx context.Context) error {
			took, err := a.send(ctx, a.senders[i])
			mu.Lock()
			defer mu.Unlock()
			for _, d := range took {
				delivered.Add(d)
			}
			return err
		}
	}
	r, err := load.Run(ctx, ops, during)
	r.Histogram = delivered
	return r, err
}

// send sends a message, waits until all listeners have received it, and returns how long each delivery took.
func (a *Audience) send(ctx context.Context, sender *load.Conn) ([]time.Duration, error) {
	s := &sending{all: make(chan struct{}), took: make([]time.Duration, 0, len(a.conns))}
	s.left.Store(int64(len(a.conns)))
	a.mu.Lock()
	a.next++
	n := a.next
	a.sent[n] = s
	a.mu.Unlock()
	text := fmt.Sprintf("#%d ", n)
	request := a.target.Request(text + strings.Repeat("x", size-len(text)))
	s.at = time.Now()
	if _, err := sender.Expect(201, request); err != nil {
		return nil, err
	}
	timer := time.NewTimer(receiveTimeout)
	defer timer.Stop()
	select {
	case <-s.all:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, fmt.Errorf("not all listeners received a message within %v", receiveTimeout)
	}
	a.mu.Lock()
	delete(a.sent, n)
	a.mu.Unlock()
	return s.took, nil
}
