//go:build unix

package cluster

import (
	"net"
	"sync"
	"testing"
)

// Proxy forwards TCP connections to the socket of a Postgres, and can break them.
type Proxy struct {
	listener net.Listener
	socket   string

	mu    sync.Mutex
	lines []*line
}

// line is one connection through the proxy: from a client (near) to Postgres (far).
type line struct {
	near, far net.Conn
	mu        sync.Mutex
	mute      bool // answers are lost
	dead      bool // all is lost
}

func openProxy(t testing.TB, socket string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Proxy{listener: l, socket: socket}
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
func (w *Proxy) URL(database string) string {
	return "postgres://postgres@" + w.listener.Addr().String() + "/" + database + "?sslmode=disable"
}

func (w *Proxy) accept() {
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
		go c.pump(near, far, &c.mute)
		go c.pump(far, near, &c.dead)
	}
}

// Cut lets nothing more through the connections that there are, and closes none of them. New ones work.
func (w *Proxy) Cut() {
	w.each(func(c *line) { c.mute, c.dead = true, true })
}

// Mute loses all answers of Postgres on the connections that there are. What is asked still gets there. Close ends it.
func (w *Proxy) Mute() {
	w.each(func(c *line) { c.mute = true })
}

// Close closes all connections that there are.
func (w *Proxy) Close() {
	w.each((*line).close)
}

func (w *Proxy) each(do func(*line)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.lines {
		c.mu.Lock()
		do(c)
		c.mu.Unlock()
	}
}

// pump forwards in one direction until an end is closed. While lost is set nothing is
// forwarded, not even that the other end closed.
func (c *line) pump(to, from net.Conn, lost *bool) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		c.mu.Lock()
		lose := *lost
		c.mu.Unlock()
		if n > 0 && !lose {
			if _, e := to.Write(buffer[:n]); e != nil {
				err = e
			}
		}
		if err != nil {
			if !lose {
				c.close()
			}
			return
		}
	}
}

func (c *line) close() {
	_ = c.near.Close()
	_ = c.far.Close()
}
