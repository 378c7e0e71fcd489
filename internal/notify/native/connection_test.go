package native

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/notify"
)

// inBubble runs a test in a bubble of synctest, in a world without a network.
func inBubble(t *testing.T, test func(w *world)) {
	t.Helper()
	inEmptyBubble(t, func(w *world) {
		w.serveInMemory()
		test(w)
	})
}

// inEmptyBubble is inBubble for a test that starts the server by itself.
func inEmptyBubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newStore(t)) })
}

// Who connects and says nothing is told off after ten seconds.
func TestNoStartMessage(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		begun := time.Now()
		w.raw(nil).closed(CloseSlow, "no start message")
		if took := time.Since(begun); took != startTimeout {
			t.Errorf("closed after %s, want %s", took, startTimeout)
		}
	})
}

// A token ends, and with it the connection.
func TestExpiry(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.tokens.expires[string(alice)] = now() + 180_000
		l, begun := w.listen(alice, client.Options{}), time.Now()
		if reason := l.closed(client.CodeUnauthorized); reason != "token expired" {
			t.Errorf("reason is %q", reason)
		}
		if took := time.Since(begun); took != 3*time.Minute {
			t.Errorf("closed after %s, want 3m", took)
		}
	})
}

// A client that neither reads nor closes does not outlive the server: Run cuts it.
func TestStopCutsClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newStore(t, func(c *Config) { c.WriteTimeout = time.Hour })
		w.serveInMemory()
		id := w.thread(alice)
		r := w.raw(nil)
		r.write(fmt.Sprintf(`{"type":"start","version":1,"token":%q}`, alice))
		r.read()
		w.send(alice, id, "hello")
		synctest.Wait() // the event is being written
		begun := time.Now()
		w.stop()
		if took := time.Since(begun); took < goodbyeSpread+closeTimeout+time.Second || took > goodbyeSpread+closeTimeout+2*time.Second {
			t.Errorf("stopping took %s", took)
		}
		if n := w.server.connections(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
}

// The clock alone ends a connection whose token expires: no real time passes.
func TestExpiryGoesByTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		moved := clock.NewManual()
		moved.Freeze()
		w := newStore(t, func(c *Config) { c.Clock = moved })
		w.serveInMemory()
		w.tokens.expires[string(alice)] = now() + 3_600_000
		l, begun := w.listen(alice, client.Options{}), time.Now()
		moved.Advance(time.Hour)
		if reason := l.closed(client.CodeUnauthorized); reason != "token expired" {
			t.Errorf("reason is %q", reason)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("closed after %s of real time", took)
		}
	})
}

// Nothing is kept of a connection that has ended, though its token may last for a day.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.must(w.listen(alice, client.Options{}).Close())
		w.pipes.mu.Lock()
		kept := w.pipes.kept
		w.pipes.mu.Unlock()
		for end := time.Now().Add(time.Minute); kept.Value() != nil; time.Sleep(time.Second) {
			runtime.GC()
			if time.Now().After(end) {
				t.Fatal("the connection is still in memory")
			}
		}
	})
}

// When the server stops, all are told so within two seconds, and not all at once.
func TestStop(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		const n = 20
		begun, ended := time.Now(), make(chan time.Duration, n)
		for range n {
			l := w.listen(alice, client.Options{})
			go func() {
				l.closed(client.CodeGoingAway)
				ended <- time.Since(begun)
			}()
		}
		w.stop()
		var times []time.Duration
		for range n {
			times = append(times, <-ended)
		}
		slices.Sort(times)
		if times[n-1] > goodbyeSpread || times[n-1]-times[0] < goodbyeSpread/4 {
			t.Errorf("closed after %s to %s, want them spread over %s", times[0], times[n-1], goodbyeSpread)
		}
		var late *client.StatusError
		if _, err := w.dial(alice, client.Options{}); !errors.As(err, &late) || late.Status != http.StatusServiceUnavailable {
			t.Errorf("who comes too late is answered %v", err)
		}
	})
}

// Those who have not started yet are told at once, and nobody is waited for without end.
func TestStopWithClientsThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		silent := w.raw(nil)
		dead := w.raw(nil)
		dead.write(fmt.Sprintf(`{"type":"start","version":1,"token":%q}`, alice))
		dead.read()
		begun := time.Now()
		told := make(chan time.Duration)
		go func() {
			silent.closed(CloseGoingAway, "stopping")
			told <- time.Since(begun)
		}()
		synctest.Wait()
		go w.stop()
		if took := <-told; took != 0 {
			t.Errorf("told after %s", took)
		}
		w.stop() // the other one does not close
		if took := time.Since(begun); took > goodbyeSpread+closeTimeout+time.Second {
			t.Errorf("stopped after %s", took)
		}
	})
}

// The server ends connections of a user at once, and of nobody else.
func TestEnd(t *testing.T) {
	t.Parallel()
	for reason, want := range map[notify.Reason]int{
		notify.Revoked: client.CodeUnauthorized,
		notify.Expired: client.CodeUnauthorized,
		notify.Slow:    client.CodeSlow,
	} {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				id := w.thread(alice, bob)
				a, b := w.listen(alice, client.Options{}), w.listen(bob, client.Options{})
				w.Hub.End(alice, reason)
				w.send(alice, id, "nobody at home")
				_, err := a.Next(w.Context())
				refused(w, err, want, string(reason))
				if got := b.texts(1)[0]; got != "nobody at home" {
					w.Errorf("the other one heard %q", got)
				}
			})
		})
	}
}

// A client that reads too little loses its connection, and nobody else notices.
func TestSlow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		id := w.thread(alice, bob)
		fast, slow := w.listen(bob, client.Options{}), w.raw(nil)
		slow.write(fmt.Sprintf(`{"type":"start","version":1,"token":%q}`, alice))
		slow.read()
		heard := make(chan []string)
		const n = 40
		go func() { heard <- fast.texts(n) }()
		large := strings.Repeat("x", chat.MaxMessageBytes)
		for range n {
			w.send(bob, id, large)
			synctest.Wait()
		}
		for _, text := range <-heard {
			if text != large {
				w.Error("the fast one did not hear what was said")
			}
		}
		slow.closed(CloseSlow, "listener is too slow")
		if got := metric(w.Metrics.Dropped.WithLabelValues(protocol, "slow")); got == 0 || got >= n {
			w.Errorf("%v frames counted as given up", got)
		}
		synctest.Wait()
		if got := metric(w.Metrics.QueueBytes.WithLabelValues(protocol)); got != 0 {
			w.Errorf("%v bytes are still counted as queued", got)
		}
	})
}

// A client that reads nothing at all is cut off when a write has taken too long.
func TestClientThatNeverReads(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		id := w.thread(alice)
		r := w.raw(nil)
		r.write(fmt.Sprintf(`{"type":"start","version":1,"token":%q}`, alice))
		r.read()
		begun := time.Now()
		w.send(alice, id, "hello")
		w.server.waitForConnections(time.Minute)
		if took := time.Since(begun); took < w.server.WriteTimeout || took > 2*w.server.WriteTimeout {
			w.Errorf("cut off after %s, want %s or little more", took, w.server.WriteTimeout)
		}
	})
}

// Who does not answer pings is gone after two of them; who does stays.
func TestPing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		id := w.thread(alice, bob)
		w.settle()
		mute, _, err := websocket.Dial(w.Context(), w.url, &websocket.DialOptions{
			HTTPClient: w.client, HTTPHeader: http.Header{"Authorization": {"bearer " + string(alice)}},
			OnPingReceived: func(context.Context, []byte) bool { return false },
		})
		w.must(err)
		r := &rawClient{mute, w}
		r.write(`{"type":"start","version":1}`)
		r.read()
		begun := time.Now()
		if _, _, err := mute.Read(w.Context()); err == nil {
			w.Error("a client that answers no ping heard something")
		}
		if took := time.Since(begun); took != 2*w.server.Ping {
			w.Errorf("gone after %s, want %s", took, 2*w.server.Ping)
		}

		l := w.listen(bob, client.Options{})
		heard := make(chan string)
		go func() { heard <- l.texts(1)[0] }()
		time.Sleep(5 * w.server.Ping)
		w.send(alice, id, "still there?")
		if got := <-heard; got != "still there?" {
			w.Errorf("heard %q", got)
		}
	})
}

// A listener that hears nothing learns all the same how far the journal is.
func TestPosition(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		id := w.thread(alice)
		l := w.listen(bob, client.Options{})
		start := l.Position()
		heard := make(chan client.Event)
		go func() {
			e, _ := l.Next(w.Context())
			heard <- e
		}()
		w.send(alice, id, "not for bob")
		time.Sleep(w.server.Ping + time.Second)
		if l.Position() == start {
			w.Error("the position did not move")
		}
		both := w.thread(alice, bob)
		if e := <-heard; e.ThreadID != string(both) {
			w.Errorf("heard %+v", e)
		}
	})
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.MaxPerUser, c.MaxTotal = 2, 3 })
	first := w.listen(alice, client.Options{})
	w.listen(alice, client.Options{})
	_, err := w.dial(alice, client.Options{})
	refused(w, err, client.CodeTooMany, "too many connections of this user")
	w.connections(2)
	w.listen(bob, client.Options{})
	_, err = w.dial(carol, client.Options{})
	refused(w, err, client.CodeTooMany, "too many connections")
	w.must(first.Close())
	w.connections(2)
	w.listen(alice, client.Options{})
}

// connections waits until there are so many.
func (w *world) connections(n float64) {
	for metric(w.Metrics.Connections.WithLabelValues(protocol)) != n {
		runtime.Gosched()
	}
}

// What does not fit is given up in this order: typing, then the client.
func TestQueue(t *testing.T) {
	t.Parallel()
	w := newStore(t)
	w.start()
	defer w.stop()
	c := &connection{server: w.server, writing: true, cancel: func() {}} // nobody empties the queue
	position := chat.Position(0)
	offer := func(kind chat.EventKind) {
		position++
		c.Offer(notify.Delivery{Event: &chat.Event{Position: position, Kind: kind}, Shared: &notify.Shared{}})
	}
	for range maxQueued - 1 {
		offer(chat.MessageReceived)
	}
	offer(chat.TypingReceived)
	offer(chat.MessageReceived) // in the place of typing
	offer(chat.TypingReceived)  // has none
	if len(c.queue) != maxQueued || slices.ContainsFunc(c.queue, func(i item) bool { return i.typing() }) || c.closing.code != 0 {
		t.Errorf("%d frames queued, closing %v", len(c.queue), c.closing)
	}
	if got := metric(w.Metrics.Dropped.WithLabelValues(protocol, "typing")); got != 2 {
		t.Errorf("%v typing frames counted as given up, want 2", got)
	}
	if got := metric(w.Metrics.QueueBytes.WithLabelValues(protocol)); got != float64(c.bytes) {
		t.Errorf("%v bytes counted, %d queued", got, c.bytes)
	}
	offer(chat.MessageReceived)
	if len(c.queue) != 0 || c.closing.code != CloseSlow {
		t.Errorf("%d frames queued, closing %v, want none and %d", len(c.queue), c.closing, CloseSlow)
	}
}

// A client need not wait for the answer to its request.
func TestEarlyStart(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 3000} { // of the start message: less and more than the read buffer
		inBubble(t, func(w *world) {
			c, err := w.pipes.dial(w.Context(), "", "")
			w.must(err)
			defer c.Close()
			start := fmt.Sprintf(`{"type":"start","version":1,"token":%q,"padding":%q}`, alice, strings.Repeat("x", size))
			go func() { _, _ = c.Write(slices.Concat(upgradeRequest, clientFrame(start))) }()
			want := string(positionFrame("ready", w.Hub.Position()))
			got := make([]byte, 4096)
			n := 0
			for !strings.HasSuffix(string(got[:n]), want) {
				more, err := c.Read(got[n:])
				w.must(err)
				n += more
			}
		})
	}
}

var upgradeRequest = []byte("GET /realtime HTTP/1.1\r\nHost: memory\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

// clientFrame makes a text frame masked with zeros.
func clientFrame(text string) []byte {
	head := []byte{0x81, 0x80 | 126, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}
	return append(head, text...)
}
