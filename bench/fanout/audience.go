// Package fanout measures how fast one message reaches many listeners. They are all in this process and read without
// decoding, so that what differs is the server.
package fanout

import (
	"bytes"
	"context"
	"errors"
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
	size     = 256 // bytes of text of a message
	patience = 10 * time.Second
)

// Hall is a place where listeners gather.
type Hall interface {
	// Dial connects a listener; it returns when the server knows of it.
	Dial(ctx context.Context, i int) (*websocket.Conn, error)
	// Speaker connects somebody to whom all listen.
	Speaker() (*load.Conn, error)
	// Say is the request that says a text.
	Say(text string) load.Request
	// Reply is what a listener answers to a frame; nil: nothing.
	Reply(frame []byte) []byte
}

// Audience is a number of listeners and those to whom they listen.
type Audience struct {
	hall     Hall
	conns    []*websocket.Conn
	speakers []*load.Conn
	heard    sync.WaitGroup
	frame    atomic.Int64

	mu   sync.Mutex
	next int
	sent map[int]*sending // by number, until all have heard it
}

// sending is a message on its way.
type sending struct {
	at   time.Time
	left atomic.Int64
	all  chan struct{}

	mu   sync.Mutex
	took []time.Duration
}

// Gather connects n listeners.
func Gather(ctx context.Context, hall Hall, n int) (*Audience, error) {
	a := &Audience{hall: hall, sent: map[int]*sending{}}
	for i := range n {
		c, err := hall.Dial(ctx, i)
		if err != nil {
			a.Leave()
			return nil, fmt.Errorf("listener %d: %w", i, err)
		}
		a.conns = append(a.conns, c)
		a.heard.Go(func() { a.listen(ctx, c) })
	}
	for range Window {
		c, err := hall.Speaker()
		if err != nil {
			a.Leave()
			return nil, err
		}
		a.speakers = append(a.speakers, c)
	}
	return a, nil
}

// Leave disconnects all.
func (a *Audience) Leave() {
	for _, c := range a.conns {
		_ = c.CloseNow()
	}
	for _, c := range a.speakers {
		_ = c.Close()
	}
	a.heard.Wait()
}

// FrameBytes is how long the frame was that was heard last.
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
		if reply := a.hall.Reply(frame); reply != nil && c.Write(ctx, websocket.MessageText, reply) != nil {
			return
		}
	}
}

// number finds the number of a message in what a listener hears of it.
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
	if s == nil { // all have heard it: somebody was told twice
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

// Load has so many messages at a time on their way, for a while. The result counts deliveries.
func (a *Audience) Load(ctx context.Context, atATime int, during time.Duration) (*load.Result, error) {
	var mu sync.Mutex
	var heard load.Histogram
	ops := make([]load.Op, atATime)
	for i := range ops {
		ops[i] = func(ctx context.Context) error {
			took, err := a.tell(ctx, a.speakers[i])
			mu.Lock()
			defer mu.Unlock()
			for _, d := range took {
				heard.Add(d)
			}
			return err
		}
	}
	r, err := load.Run(ctx, ops, during)
	r.Histogram = heard
	return r, err
}

// tell sends a message, waits until all have heard it, and returns how long it took to reach each.
func (a *Audience) tell(ctx context.Context, speaker *load.Conn) ([]time.Duration, error) {
	s := &sending{all: make(chan struct{}), took: make([]time.Duration, 0, len(a.conns))}
	s.left.Store(int64(len(a.conns)))
	a.mu.Lock()
	a.next++
	n := a.next
	a.sent[n] = s
	a.mu.Unlock()
	text := fmt.Sprintf("#%d ", n)
	request := a.hall.Say(text + strings.Repeat("x", size-len(text)))
	s.at = time.Now()
	if _, err := speaker.Expect(201, request); err != nil {
		return nil, err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.all:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, errors.New("not everybody heard a message within 10 s")
	}
	a.mu.Lock()
	delete(a.sent, n)
	a.mu.Unlock()
	return s.took, nil
}
