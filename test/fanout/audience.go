package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	window = 32 // messages that are on their way at the same time
	warmUp = 500 * time.Millisecond
	long   = 2 * time.Second
	settle = 2 * time.Second // until the server is idle

	size = 256 // bytes of text of a message; its event has some 600
)

// audience is a number of listeners in this process, and the one whom they hear.
type audience struct {
	t     *target
	http  *http.Client
	conns []*websocket.Conn
	heard sync.WaitGroup
	frame atomic.Int64 // bytes of what was heard last

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

// gather connects n listeners.
func gather(ctx context.Context, t *target, n int) (*audience, error) {
	a := &audience{t: t, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: window}}, sent: map[int]*sending{}}
	for i := range n {
		c, err := t.dial(ctx, i)
		if err != nil {
			a.leave()
			return nil, err
		}
		a.conns = append(a.conns, c)
		a.heard.Go(func() { a.listen(c) })
	}
	return a, nil
}

// dial returns when the server knows of the listener.
func (t *target) dial(ctx context.Context, i int) (*websocket.Conn, error) {
	c, _, err := websocket.Dial(ctx, t.Listen, nil)
	if err != nil {
		return nil, err
	}
	if len(t.Tokens) > 0 {
		start := fmt.Sprintf(`{"type":"start","version":1,"token":%q}`, t.Tokens[i%len(t.Tokens)])
		err = c.Write(ctx, websocket.MessageText, []byte(start))
	}
	if err == nil {
		_, _, err = c.Read(ctx)
	}
	return c, err
}

func (a *audience) leave() {
	for _, c := range a.conns {
		_ = c.CloseNow() // the server is about to end
	}
	a.heard.Wait()
	a.http.CloseIdleConnections()
}

func (a *audience) listen(c *websocket.Conn) {
	for {
		_, frame, err := c.Read(context.Background())
		if err != nil {
			return
		}
		if n, ok := number(frame); ok {
			a.frame.Store(int64(len(frame)))
			a.mark(n)
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

func (a *audience) mark(n int) {
	a.mu.Lock()
	s := a.sent[n]
	a.mu.Unlock()
	took := time.Since(s.at)
	s.mu.Lock()
	s.took = append(s.took, took)
	s.mu.Unlock()
	if s.left.Add(-1) == 0 {
		close(s.all)
	}
}

// load sends messages for a while, so many at a time, and returns how long each delivery took.
func (a *audience) load(ctx context.Context, during time.Duration, atATime int) ([]time.Duration, error) {
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var senders sync.WaitGroup
	end := time.Now().Add(during)
	for range atATime {
		senders.Go(func() {
			for time.Now().Before(end) {
				s, err := a.tell(ctx)
				mu.Lock()
				if err != nil {
					failed = err
				} else {
					took = append(took, s.took...)
				}
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	return took, failed
}

// tell sends a message and waits until all have heard it.
func (a *audience) tell(ctx context.Context) (*sending, error) {
	s := &sending{all: make(chan struct{}), took: make([]time.Duration, 0, len(a.conns))}
	s.left.Store(int64(len(a.conns)))
	a.mu.Lock()
	a.next++
	n := a.next
	a.sent[n] = s
	a.mu.Unlock()
	s.at = time.Now()
	if err := a.post(ctx, n); err != nil {
		return nil, err
	}
	select {
	case <-s.all:
	case <-time.After(10 * time.Second):
		return nil, errors.New("not everybody heard a message within 10 s")
	}
	a.mu.Lock()
	delete(a.sent, n)
	a.mu.Unlock()
	return s, nil
}

func (a *audience) post(ctx context.Context, n int) error {
	text := fmt.Sprintf("#%d ", n)
	text += string(bytes.Repeat([]byte("x"), size-len(text)))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.t.Send, bytes.NewReader([]byte(`{"content":"`+text+`","type":"text"}`)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+a.t.Token)
	answer, err := a.http.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != http.StatusCreated {
		err = errors.New(answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}
