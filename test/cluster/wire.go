//go:build unix

package cluster

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Wire is a TCP way to the socket of a Postgres, which may be cut without a word.
type Wire struct {
	listener net.Listener
	socket   string

	mu    sync.Mutex
	lines []*line
}

// line is one connection through the wire.
type line struct {
	near, far net.Conn
	mu        sync.Mutex
	dead      bool
}

func openWire(t testing.TB, socket string) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{listener: l, socket: socket}
	t.Cleanup(func() {
		_ = l.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.lines {
			c.close()
		}
	})
	go w.accept()
	return w
}

// URL is that of a database of the Postgres.
func (w *Wire) URL(database string) string {
	return "postgres://postgres@" + w.listener.Addr().String() + "/" + database + "?sslmode=disable"
}

func (w *Wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("unix", w.socket)
		if err != nil {
			_ = near.Close()
			continue
		}
		c := &line{near: near, far: far}
		w.mu.Lock()
		w.lines = append(w.lines, c)
		w.mu.Unlock()
		go c.pump(near, far)
		go c.pump(far, near)
	}
}

// Cut lets nothing more through the connections that there are, and closes none of them. New ones work.
func (w *Wire) Cut() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.lines {
		c.mu.Lock()
		if !c.dead {
			c.dead = true
			n++
		}
		c.mu.Unlock()
	}
	return n
}

// pump forwards until an end is closed. What comes to a dead line is lost, its end too.
func (c *line) pump(to, from net.Conn) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		c.mu.Lock()
		dead := c.dead
		c.mu.Unlock()
		switch {
		case dead && err != nil:
			return
		case dead:
			continue
		case n > 0:
			if _, werr := to.Write(buffer[:n]); werr != nil {
				err = io.ErrClosedPipe
			}
		}
		if err != nil {
			c.mu.Lock()
			c.dead = true
			c.mu.Unlock()
			c.close()
			return
		}
	}
}

func (c *line) close() {
	_ = c.near.Close()
	_ = c.far.Close()
}
