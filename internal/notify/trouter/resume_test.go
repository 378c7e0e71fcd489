package trouter

import (
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
)

// A second connection of an endpoint takes over: from then on the first is told nothing, and no event is told twice.
func TestTakeover(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		first := p.connect()
		w.sendMessages(1, 3)
		w.equal("the first hears", first.receive(), []string{"1", "2", "3"})
		second := p.connect()
		w.sendMessages(4, 3)
		w.equal("the second hears", second.receive(), []string{"4", "5", "6"})
		w.equal("the first hears", first.receive(), nil)
		if got := first.emit(`{"name":"ping"}`); got != `["pong"]` { // the client keeps it for a minute
			t.Errorf("the first is acknowledged with %q", got)
		}
		first.leave()
		w.sendMessages(7, 1)
		w.equal("the second hears", second.receive(), []string{"7"})
		if n := w.metric("connections"); n != 1 {
			t.Errorf("%v connections", n)
		}
	})
}

// What the first connection was told it may still acknowledge, for a moment; the client is connected meanwhile.
func TestTakeoverWaitsForAcknowledgements(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		first := p.connect()
		w.sendMessages(1, 3)
		frames := first.frames()
		second := p.connect() // checks the greeting
		w.sendMessages(4, 1)
		w.equal("the second hears", second.receive(), nil)
		first.answer(http.StatusOK, frames...)
		w.equal("then it hears", second.receive(), []string{"4"})
		if first.err() != nil {
			t.Errorf("the first ended with %v", first.err())
		}
	})
}

// What waited on the first connection waits on the second, and on that one only.
func TestTakeoverOfPendingEvents(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		first := p.connect()
		want := w.sendMessages(1, maxUnacked+100)
		frames := first.frames()
		second := p.connect()
		first.answer(http.StatusOK, frames...)
		w.equal("the second hears", second.receive(), want[maxUnacked:])
		if held := w.metric("queue_bytes"); held != 0 || first.err() != nil {
			t.Errorf("%v bytes are held, the first ended with %v", held, first.err())
		}
	})
}

// A first connection that answers nothing is dead: the network took it.
func TestTakeoverFromDeadConnection(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		first := p.connect()
		w.sendMessages(1, 3)
		first.answer(http.StatusOK, first.frames()[0])
		second := p.connect()
		w.sendMessages(4, 1)
		time.Sleep(switchTimeout + time.Millisecond)
		w.equal("the second hears", second.receive(), []string{"2", "3", "4"})
		if first.err() == nil {
			t.Error("the first goes on")
		}
	})
}

// One that was not ready for an event on its first connection gets it on the second.
func TestTakeoverOfEventsThatCameTooEarly(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		first := p.connect()
		w.sendMessages(1, 2)
		frames := first.frames()
		second := p.connect()
		first.answer(http.StatusGatewayTimeout, frames[0])
		first.answer(http.StatusOK, frames[1])
		w.equal("the second hears", second.receive(), []string{"1"})
		w.equal("the first hears", first.receive(), nil)
	})
}

// A client on a bad network connects again and again before anything could be acknowledged. Each time it is greeted at once,
// and the last connection is told all, after the patience that one dead connection is given.
func TestManyTakeovers(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		var last *clientConn
		var want []string
		for i := range 15 {
			if last != nil {
				last.dropping.Store(true) // the network took it
			}
			last = p.connect() // checks the greeting
			want = append(want, w.sendMessages(i+1, 1)...)
			if i%5 == 4 {
				time.Sleep(switchTimeout / 2)
			}
		}
		time.Sleep(switchTimeout)
		want = append(want, w.sendMessages(16, 1)...)
		w.equal("the last hears", last.receive(), want)
		time.Sleep(readTimeout) // those that had nothing to acknowledge are found dead by now
		if n := w.metric("connections"); n != 1 {
			t.Errorf("%v connections", n)
		}
	})
}

// chat 1.0.0 has no endpoint id, but brings its allocation back.
func TestResumeByAllocation(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "")
		p.old = true
		c := p.connect()
		w.sendMessages(1, 2)
		c.answer(http.StatusOK, c.frames()[0])
		c.cut()
		w.sendMessages(3, 1)
		w.equal("it hears", p.connect().receive(), []string{"2", "3"})
		p.params = nil // another page, or one that erased its params
		w.equal("a new one hears", p.connect().receive(), nil)
	})
}

// After a restart in good order everything goes on where it was.
func TestRestart(t *testing.T) {
	bubble(t, func(w *world) {
		p, quiet := w.newClient(bob, "e"), w.newClient(bob, "quiet")
		c, q := p.connect(), quiet.connect()
		w.sendMessages(1, 3)
		c.answer(http.StatusOK, c.frames()[:2]...)
		q.receive()
		w.restart()
		if c.code() != websocket.StatusGoingAway || q.code() != websocket.StatusGoingAway {
			t.Errorf("closed with %d and %d", c.code(), q.code())
		}
		w.sendMessages(4, 2)
		w.equal("it hears", p.connect().receive(), []string{"3", "4", "5"})
		w.equal("the other hears", quiet.connect().receive(), []string{"4", "5"})
	})
}

// Whoever was connected and heard nothing goes on all the same; what others hear is not searched for them.
func TestRestartWithoutEvents(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(carol, "e")
		p.connect()
		w.sendMessages(1, 50) // for others
		synctest.Wait()
		w.restart()
		if got := w.position(carol, "e"); got != 50 {
			t.Errorf("position is %d", got)
		}
		e := message("hello")
		e.ThreadID, e.Key = otherThread, 2
		w.addEvent(e)
		w.equal("it hears", p.connect().receive(), []string{"hello"})
	})
}

// The same where the server had no time to say goodbye.
func TestCrash(t *testing.T) {
	bubble(t, func(w *world) {
		p, quiet := w.newClient(bob, "e"), w.newClient(carol, "e")
		c := p.connect()
		quiet.connect()
		w.sendMessages(1, 3)
		c.answer(http.StatusOK, c.frames()[:2]...)
		time.Sleep(2 * time.Minute)
		w.crash()
		w.sendMessages(4, 2)
		w.equal("it hears", p.connect().receive(), []string{"3", "4", "5"})
		if got := w.position(carol, "e"); got != 3 {
			t.Errorf("position of who heard nothing is %d", got)
		}
	})
}

// Nobody who is on a list of connections is written down again and again.
func TestPositionsAreSavedOnChange(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(bob, "e").connect()
		time.Sleep(time.Hour)
		w.sendMessages(1, 10)
		c.receive()
		time.Sleep(time.Hour)
		w.journal.mu.Lock()
		defer w.journal.mu.Unlock()
		if n := w.journal.saves; n < 2 || n > 14 {
			t.Errorf("%d positions were saved", n)
		}
	})
}

// A position never goes back, whatever connections end in whatever order.
func TestPositionOnlyGrows(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		last := chat.Position(0)
		check := func() {
			t.Helper()
			synctest.Wait()
			if now := w.position(bob, "e"); now < last {
				t.Errorf("position went from %d to %d", last, now)
			} else {
				last = now
			}
		}
		first := p.connect()
		w.sendMessages(1, 4)
		frames := first.frames()
		check()
		second := p.connect()
		first.answer(http.StatusOK, frames[3])
		check()
		first.answer(http.StatusOK, frames[:3]...)
		check()
		w.sendMessages(5, 2)
		second.receive()
		first.cut()
		check()
		second.cut()
		check()
		if last != 6 {
			t.Errorf("position is %d", last)
		}
	})
}

// stop() means that the client wants no more: when it starts again it begins anew.
func TestForgottenEndpoint(t *testing.T) {
	for name, restart := range map[string]bool{"": false, "over a restart after starting again": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.newClient(bob, "e")
				c := p.connect()
				p.register("AcsWeb_Chat_2.1")
				w.sendMessages(1, 2)
				c.frames() // not acknowledged
				c.leave()
				p.unregister()
				w.sendMessages(3, 2)
				synctest.Wait()
				c = p.connect()
				p.register("AcsWeb_Chat_2.1")
				w.sendMessages(5, 1)
				w.equal("it hears", c.receive(), []string{"5"})
				if restart {
					w.restart()
				} else {
					c.cut()
				}
				w.sendMessages(6, 1)
				w.equal("then it hears", p.connect().receive(), []string{"6"})
			})
		})
	}
}

// The end of the connection and the end of the registration may arrive in either order, the latter even after the next
// start.
func TestForgottenEndpointOutOfOrder(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		p.unregister()
		w.sendMessages(1, 1)
		c.frames()
		c.leave()
		w.sendMessages(2, 1)
		synctest.Wait()
		c = p.connect()
		w.equal("it hears", c.receive(), nil)
		p.unregister() // late
		p.register("AcsWeb_Chat_2.1")
		c.cut()
		w.sendMessages(3, 1)
		w.equal("then it hears", p.connect().receive(), []string{"3"})
	})
}

// One client cannot make the server forget that of another user, nor change how it is spoken to.
func TestRegistrationOfAnotherUser(t *testing.T) {
	bubble(t, func(w *world) {
		hers, his := w.newClient(alice, "e"), w.newClient(bob, "e")
		c := his.connect()
		hers.register("AcsiOS_Chat_1.4")
		c.cut()
		hers.unregister()
		e := kinds()["topic"]
		e.Properties.Topic = "100%25"
		w.addEvent(e)
		frames := his.connect().frames()
		if len(frames) != 1 || !strings.Contains(frames[0].payload["properties"].(string), "100%2525") {
			t.Errorf("he hears %+v", frames)
		}
	})
}

func TestRegistrationChangesFormat(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		e := kinds()["topic"]
		e.Properties.Topic = "100%25"
		topic := func() string {
			w.addEvent(e)
			frames := c.frames()
			c.answer(http.StatusOK, frames...)
			return frames[0].payload["properties"].(string)
		}
		if got := topic(); !strings.Contains(got, "100%2525") {
			t.Errorf("before the registration it hears %s", got)
		}
		for template, want := range map[string]string{"AcsAndroid_Chat_1.7": `"100%25"`, "AcsWeb_Chat_2.1": `"100%2525"`, "AcsiOS_Chat_1.4": `"100%25"`} {
			p.register(template)
			if got := topic(); !strings.Contains(got, want) {
				t.Errorf("as %s it hears %s", template, got)
			}
			c.cut()
			c = p.connect()
			if got := topic(); !strings.Contains(got, want) {
				t.Errorf("as %s it hears after a reconnect %s", template, got)
			}
		}
	})
}

func TestRegistrar(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		good := registrationOf("e", "AcsWeb_Chat_2.1", "/v4/f/x/")
		for _, base := range []string{"", "/registrar/prod", "/registrar/prod/"} {
			for _, version := range []string{"v3", "V3"} {
				path := origin + base + "/" + version + "/registrations"
				if a := p.do(http.MethodPost, path, good, p.tokenHeader(), "Content-Type: application/json"); a.status != http.StatusAccepted || a.body != "" {
					t.Errorf("POST %s: %d %q", path, a.status, a.body)
				}
				if a := p.do(http.MethodDelete, path+"/e", "", p.tokenHeader()); a.status != http.StatusAccepted || a.body != "" {
					t.Errorf("DELETE %s: %d %q", path, a.status, a.body)
				}
			}
		}
		if a := p.postRegistration(origin, "\ufeff"+good); a.status != http.StatusAccepted {
			t.Errorf("with a byte order mark: %d %q", a.status, a.body)
		}
		for name, body := range map[string]string{
			"empty": "", "no JSON": "{", "a list": "[]", "no id": `{}`, "empty id": registrationOf("", "x", "y"), "id of no text": `{"registrationId":7}`,
			"long id": registrationOf(strings.Repeat("x", maxEndpointID+1), "x", "y"), "template of no text": `{"registrationId":"e","clientDescription":{"templateKey":[]}}`,
			"too large": `{"registrationId":"e","nodeId":"` + strings.Repeat("x", maxBody) + `"}`,
		} {
			if a := p.postRegistration(origin, body); a.status != http.StatusBadRequest || a.body != "" {
				t.Errorf("%s: %d %q", name, a.status, a.body)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			if a := p.do(method, origin+"/v3/registrations", good, p.tokenHeader()); a.status != http.StatusMethodNotAllowed {
				t.Errorf("%s: %d", method, a.status)
			}
		}
		if a := p.do(http.MethodDelete, origin+"/v3/registrations/nobody", "", p.tokenHeader()); a.status != http.StatusAccepted {
			t.Errorf("of an unknown endpoint: %d", a.status)
		}
		if n := len(w.server.endpoints); n != 0 {
			t.Errorf("%d endpoints were made up", n)
		}
	})
}

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
