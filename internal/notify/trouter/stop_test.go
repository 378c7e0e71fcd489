package trouter

import (
	"net/http"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/internal/notify"
)

func (c *clientConn) endedUnauthorized() bool {
	return slices.Equal(c.packets(), []string{`0:::{"reason":"unauthorized"}`}) && c.err() != nil
}

// Nothing is kept of a connection that has ended, though its token may last for a day.
func TestNothingIsLeftBehind(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(bob, "e").connect()
		e := w.server.knownEndpoint(endpointKey{bob, "e"})
		kept := weak.Make(e.currentConnection())
		c.cut()
		time.Sleep(closeTimeout) // net/http and the websocket library let go
		for end := time.Now().Add(time.Minute); kept.Value() != nil; time.Sleep(time.Second) {
			runtime.GC()
			if time.Now().After(end) {
				t.Fatal("the connection is still in memory")
			}
		}
	})
}

// When the token ends the client is told so, comes back with a new one, and has missed nothing.
func TestTokenExpires(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		w.tokens.expire(p.token, 20*time.Second)
		c := p.connect()
		time.Sleep(20*time.Second - time.Millisecond)
		w.sendMessages(1, 1)
		w.equal("it hears", texts(c.frames()), []string{"1"})
		time.Sleep(time.Millisecond)
		if !c.endedUnauthorized() {
			t.Error("the connection outlives the token")
		}
		w.sendMessages(2, 1)
		if a := p.postAllocation(); a.status != http.StatusUnauthorized {
			t.Errorf("the old token: %d", a.status)
		}
		p.token = string(bob) + ".2"
		w.equal("with another it hears", p.connect().receive(), []string{"1", "2"})
	})
}

func TestRevocation(t *testing.T) {
	bubble(t, func(w *world) {
		his, hers := w.newClient(bob, "e").connect(), w.newClient(alice, "e").connect()
		other := w.newClient(bob, "f").connect()
		start := time.Now()
		w.Hub.End(bob, notify.Revoked)
		w.sendMessages(1, 5) // must not be told any more
		if !his.endedUnauthorized() || !other.endedUnauthorized() || time.Since(start) > 0 {
			t.Errorf("his connections ended with %v and %v, after %v", his.err(), other.err(), time.Since(start))
		}
		w.equal("she hears", hers.receive(), []string{"1", "2", "3", "4", "5"})
	})
}

// A client that does not close is closed.
func TestRevocationOfOneThatDoesNotRead(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.allocate()
		_, _, err := p.upgrade(p.handshake())
		w.must(err)
		synctest.Wait()
		w.Hub.End(bob, notify.Revoked)
		time.Sleep(closeTimeout)
		synctest.Wait()
		if n := w.metric("connections"); n != 0 {
			t.Errorf("%v connections", n)
		}
	})
}

// When the server stops, it lets its clients go one after the other within two seconds; each with what it was told
// acknowledged, if it can.
func TestStop(t *testing.T) {
	bubble(t, func(w *world) {
		var conns []*clientConn
		for i := range 40 {
			conns = append(conns, w.newClient(user(i+10), "e").connect())
		}
		busy := w.newClient(bob, "busy")
		c := busy.connect()
		w.sendMessages(1, 2)
		frames := c.frames()
		stopped := make(chan struct{})
		start := time.Now()
		go func() {
			w.stop()
			close(stopped)
		}()
		ends := map[time.Duration]int{}
		for step := range 35 {
			if step == 10 {
				c.answer(http.StatusOK, frames...)
			}
			n := 0
			for _, c := range conns {
				if code := c.code(); code == websocket.StatusGoingAway {
					n++
				} else if code != 0 {
					t.Fatalf("closed with %d", code)
				}
			}
			ends[time.Since(start)] = n
			time.Sleep(100 * time.Millisecond)
		}
		<-stopped
		if n := ends[time.Second]; n < 5 || n > 35 || ends[0] != 0 || ends[2*time.Second] != 40 {
			t.Errorf("closed over time: %v", ends)
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("stopped after %v", took)
		}
		if got := w.position(bob, "busy"); got != 2 {
			t.Errorf("position is %d", got)
		}
		w.start()
		w.equal("it hears", busy.connect().receive(), nil)
	})
}

// A client that does not answer does not keep the server from stopping.
func TestStopWithDeadClients(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.allocate()
		_, _, err := p.upgrade(p.handshake())
		w.must(err)
		poll := w.newClient(bob, "poll")
		poll.allocate()
		sid := poll.handshake()
		poll.begin(sid)
		synctest.Wait()
		w.sendMessages(1, 1)
		start := time.Now()
		w.stop()
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("stopped after %v", took)
		}
		w.start()
		w.equal("it hears", p.connect().receive(), []string{"1"})
	})
}
