package limit

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// broadcaster is what the examples of the websocket library have: a queue and a goroutine for each listener.
type broadcaster struct {
	mu     sync.Mutex
	queues map[chan []byte]struct{}
}

const (
	queued    = 256 // frames: more than is ever on its way
	writeTime = 10 * time.Second
)

func (b *broadcaster) listen(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow() //nolint:errcheck // it is closed or broken already
	queue := make(chan []byte, queued)
	b.mu.Lock()
	b.queues[queue] = struct{}{}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.queues, queue)
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // listeners may answer, as the SDKs do
		defer cancel()
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	}()
	if write(ctx, c, []byte("ready")) != nil {
		return
	}
	for {
		select {
		case text := <-queue:
			if write(ctx, c, text) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func write(ctx context.Context, c *websocket.Conn, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return c.Write(ctx, websocket.MessageText, text)
}

// broadcast sends text to all listeners, padded to size bytes.
func (b *broadcaster) broadcast(text []byte, size int) {
	text = append(text, bytes.Repeat([]byte("x"), max(0, size-len(text)))...)
	b.mu.Lock()
	defer b.mu.Unlock()
	for queue := range b.queues {
		select {
		case queue <- text:
		default: // too slow; the generator will miss it
		}
	}
}
