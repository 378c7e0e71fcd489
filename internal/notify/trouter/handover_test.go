package trouter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/delivery"
	"github.com/chatd/chatd/internal/web"
)

// twoServers runs a test with two servers on one store.
func twoServers(t *testing.T, test func(a, b *world)) {
	t.Helper()
	bubble(t, func(a *world) { test(a, a.addServer()) })
}

// moveTo lets a client reach a server from now on.
func (p *testClient) moveTo(w *world) *testClient {
	p.w = w
	return p
}

// Each step of a connection may come to another server, whichever kind of SDK it is.
func TestConnectingAcrossServers(t *testing.T) {
	twoServers(t, func(a, b *world) {
		for _, old := range []bool{false, true} {
			p := a.newClient(bob, "e")
			if p.old = old; old {
				p.epid = ""
			}
			p.allocate()
			sid := p.moveTo(b).handshake()
			c := p.moveTo(a).attach(sid)
			a.sendMessage("hello")
			a.equal("it hears", c.receive(), []string{"hello"})
			p.moveTo(b).allocate()
			if status := p.refusedUpgrade(sid); status != http.StatusNotFound {
				t.Errorf("a used session at the other server: %d", status)
			}
			if a := p.get(sid); a.status != http.StatusNotFound {
				t.Errorf("a used session at the other server, polled: %d", a.status)
			}
			a.sendMessage("again")
			a.equal("it hears", c.receive(), []string{"again"})
		}
	})
}

// skewedClock is ahead of another clock.
type skewedClock struct {
	clock.Clock
	by time.Duration
}

func (c skewedClock) Now() time.Time { return c.Clock.Now().Add(c.by) }

// The same where the clock of the other server is an hour ahead, or behind.
func TestConnectingAcrossServersWithOtherClocks(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprint(skew, " old ", old), func(t *testing.T) {
				bubble(t, func(a *world) {
					b := a.addServer(func(c *Config) {
						c.Clock = skewedClock{c.Clock, skew}
					})
					p := a.newClient(bob, "e")
					if p.old = old; old {
						p.epid = ""
					}
					for range 2 { // allocated here and there
						p.allocate()
						sid := p.moveTo(b).handshake()
						c := p.moveTo(a).attach(sid)
						a.sendMessage("hello")
						a.equal("it hears", c.receive(), []string{"hello"})
						c.cut()
						p.allocate()
						a, b = b, a
					}
					a.addEvent(chat.Event{Kind: chat.TypingReceived, Actor: alice, At: a.Now()})
					a.addEvent(chat.Event{Kind: chat.TypingReceived, Actor: alice, At: b.Now()})
					time.Sleep(typingLife + time.Second)
					a.sendMessage("bye")
					c := p.connect()
					if frames := c.frames(); len(frames) != 1 || frames[0].text() != "bye" {
						t.Errorf("it hears %+v, want no old typing", frames)
					}
				})
			})
		}
	}
}

// A session whose token was revoked meanwhile is good for nothing, at the other server too.
func TestRevokedSessionAtAnotherServer(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		p.allocate()
		sid := p.handshake()
		a.tokens.refuse(p.token, revoked())
		if status := p.moveTo(b).refusedUpgrade(sid); status != http.StatusUnauthorized {
			t.Errorf("after a revocation: %d", status)
		}
		p.token = string(bob) + ".2"
		b.tokens.expire(p.token, 10*time.Second)
		p.allocate()
		sid = p.handshake()
		time.Sleep(10 * time.Second)
		if status := p.moveTo(a).refusedUpgrade(sid); status != http.StatusUnauthorized {
			t.Errorf("after the end of the token: %d", status)
		}
	})
}

// Who can read session ids finds no token there, and cannot make one up.
func TestSessionID(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.token += ".secret"
		p.allocate()
		sid := p.handshake()
		text, signature, _ := strings.Cut(sid, ".")
		se, ok := w.server.unseal(sid)
		if !ok || strings.Contains(string(web.EncodeJSON(se)), "secret") || len(sid) > 600 {
			t.Errorf("session is %+v, its id has %d characters", se, len(sid))
		}
		other := *se
		other.User = alice
		forged, _, _ := strings.Cut(w.server.seal(other), ".")
		for _, sid := range []string{text, text + ".", forged + "." + signature, text + "." + w.server.sign("params", text), "." + signature} {
			if status := p.refusedUpgrade(sid); status != http.StatusNotFound {
				t.Errorf("%q: %d", sid, status)
			}
		}
		p.attach(sid)
	})
}

// A client that comes back to another server goes on there, and has nothing to wait for when its connection had ended.
func TestReconnectToAnotherServer(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		c := p.connect()
		last := 0
		say := func(n int) []string {
			last += n
			return a.sendMessages(last-n+1, n)
		}
		var want []string
		for i, w := range []*world{b, b, a, b, a, a} {
			want = append(want, say(5)...)
			frames := c.frames()
			a.equal("it hears", texts(frames), want)
			c.answer(http.StatusOK, frames[:3+i%3]...)
			want = want[3+i%3:]
			c.cut()
			want = append(want, say(2)...)
			c = p.moveTo(w).connect()
			time.Sleep(firstPoll)
			a.equal("back again it hears", texts(c.frames()), want)
			c.cut() // before it could acknowledge
			c = p.connect()
		}
		if got := a.metric("reconnects_total") + b.metric("reconnects_total"); got != 12 {
			t.Errorf("%v reconnects", got)
		}
	})
}

// What an earlier visit left in the memory of a server is out of date when the client comes back.
func TestServerWithOutdatedEndpoint(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		c := p.connect()
		a.sendMessages(1, 3)
		c.answer(http.StatusOK, c.frames()[0]) // 2 and 3 are not acknowledged there
		c.cut()
		c = p.moveTo(b).connect()
		a.equal("it hears", c.receive(), []string{"2", "3"})
		a.sendMessages(4, 1)
		a.equal("it hears", c.receive(), []string{"4"})
		c.cut()
		c = p.moveTo(a).connect()
		a.equal("back again it hears", c.receive(), nil)
		a.sendMessages(5, 1)
		a.equal("it hears", c.receive(), []string{"5"})
	})
}

// While the connection at the other server is open: that one tells nothing more, has a moment for what is not acknowledged,
// and ends. Nothing is told twice.
func TestTakeoverFromAnotherServer(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		first := p.connect()
		a.sendMessages(1, 3)
		frames := first.frames()
		first.answer(http.StatusOK, frames[0])
		second := p.moveTo(b).connect() // checks the greeting
		a.sendMessages(4, 2)
		a.equal("the first hears", texts(first.frames()), nil)
		a.equal("the second hears", texts(second.frames()), nil)
		first.answer(http.StatusOK, frames[1:]...)
		if first.err() == nil {
			t.Error("the first goes on")
		}
		time.Sleep(firstPoll)
		a.equal("then the second hears", second.receive(), []string{"4", "5"})
		if got := a.metric("queue_bytes") + b.metric("queue_bytes"); got != 0 || a.metric("connections") != 0 {
			t.Errorf("%v bytes are held", got)
		}
		second.cut()
		a.sendMessages(6, 1)
		a.equal("and at the first server", p.moveTo(a).connect().receive(), []string{"6"})
	})
}

// A first connection that answers nothing is dead: the network took it.
func TestTakeoverFromDeadConnectionAtAnotherServer(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		first := p.connect()
		a.sendMessages(1, 3)
		first.answer(http.StatusOK, first.frames()[0])
		second := p.moveTo(b).connect()
		a.sendMessages(4, 1)
		time.Sleep(handoverTimeout - time.Millisecond)
		a.equal("the second hears", second.receive(), []string{"2", "3", "4"})
		if first.err() == nil {
			t.Error("the first goes on")
		}
	})
}

// A server that was killed is waited for, not for long; that one which only stopped is not at all.
func TestServerIsKilled(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		c := p.connect()
		a.sendMessages(1, 3)
		c.answer(http.StatusOK, c.frames()[0])
		a.crash()
		c = p.moveTo(b).connect()
		a.sendMessages(4, 1)
		time.Sleep(handoverTimeout - time.Millisecond)
		a.equal("before its time it hears", texts(c.frames()), nil)
		time.Sleep(time.Millisecond)
		a.equal("it hears", c.receive(), []string{"2", "3", "4"})
		b.restart()
		a.equal("back at the first", p.moveTo(a).connect().receive(), nil)
	})
}

// A server that was frozen tells nothing more and saves nothing more when it goes on.
func TestServerIsFrozen(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		first := p.connect()
		a.sendMessages(1, 3)
		frames := first.frames()
		a.view.hidden.Store(true)
		second := p.moveTo(b).connect()
		time.Sleep(handoverTimeout)
		a.equal("the second hears", second.receive(), []string{"1", "2", "3"})
		a.sendMessages(4, 2)
		a.equal("the second hears", texts(second.frames()), []string{"4", "5"})
		first.answer(http.StatusOK, frames...)
		a.view.hidden.Store(false)
		time.Sleep(5 * time.Second)
		a.equal("the first hears", texts(first.frames()), nil)
		if first.err() == nil {
			t.Error("the first goes on")
		}
		if got := a.position(bob, "e"); got != 4 { // the word of the second stands in the journal too
			t.Errorf("position is %d", got)
		}
	})
}

// Of several connections that wait the newest counts, wherever they are.
func TestManyTakeoversAcrossServers(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		servers := []*world{a, b}
		var last *clientConn
		var want []string
		for i := range 15 {
			last = p.moveTo(servers[(i*i+i/3)%2]).connect() // checks the greeting
			want = append(want, a.sendMessages(i+1, 1)...)
			if i%5 == 4 {
				time.Sleep(switchTimeout / 2)
			}
		}
		time.Sleep(handoverTimeout)
		a.equal("the last hears", last.receive(), want)
		if n := a.metric("connections") + b.metric("connections"); n != 1 {
			t.Errorf("%v connections", n)
		}
	})
}

// A server may be behind with the journal when a client comes that heard of more elsewhere.
func TestServerIsBehind(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		c := p.connect()
		b.view.hidden.Store(true)
		a.sendMessages(1, 3)
		c.receive()
		c.cut()
		c = p.moveTo(b).connect()
		b.view.hidden.Store(false)
		a.sendMessages(4, 1)
		time.Sleep(time.Second)
		a.equal("it hears", c.receive(), []string{"4"})
	})
}

// Also when it is new there, or had stopped: it begins at the present.
func TestStartAtServerThatIsBehind(t *testing.T) {
	twoServers(t, func(a, b *world) {
		b.view.hidden.Store(true)
		a.sendMessages(1, 2)
		p := b.newClient(bob, "e")
		c := p.connect()
		a.sendMessages(3, 1)
		c.leave()
		p.unregister()
		a.sendMessages(4, 1)
		c = p.connect()
		a.sendMessages(5, 1)
		b.view.hidden.Store(false)
		time.Sleep(time.Second)
		a.equal("it hears", c.receive(), []string{"5"})
	})
}

// A client of a server that cannot read the store while it waits for another one has to try again.
func TestStoreFailsDuringTakeover(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		first := p.connect()
		a.sendMessages(1, 1)
		first.frames()
		second := p.moveTo(b).connect()
		a.journal.failEndpoints(errors.New("disk"))
		time.Sleep(handoverTimeout)
		if second.err() == nil {
			t.Error("the second goes on")
		}
		a.journal.failEndpoints(nil)
		time.Sleep(handoverTimeout)
		a.equal("it hears", p.connect().receive(), []string{"1"})
	})
}

// A server that could not save that a connection ended tries again by itself: the next one, at another server, waits no
// longer than that takes.
func TestEndCouldNotBeSaved(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		c := p.connect()
		a.sendMessages(1, 2)
		c.receive()
		a.journal.failEndpoints(errors.New("disk"))
		c.cut()
		a.journal.failEndpoints(nil)
		a.sendMessages(3, 1)
		begun := time.Now()
		second := p.moveTo(b).connect()
		time.Sleep(2 * saveRetry)
		a.equal("it hears", second.receive(), []string{"3"})
		if took := time.Since(begun); took >= handoverTimeout {
			t.Errorf("after %s", took)
		}
	})
}

// The format is known wherever the client registered and connects.
func TestFormatAtAnotherServer(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		c := p.connect()
		e := kinds()["topic"]
		e.Properties.Topic = "100%25"
		check := func(what string, plain bool) {
			t.Helper()
			synctest.Wait()
			a.addEvent(e)
			frames := c.frames()
			c.answer(http.StatusOK, frames...)
			if len(frames) != 1 || strings.Contains(frames[0].payload["properties"].(string), `"100%25"`) != plain {
				t.Errorf("%s it hears %+v", what, frames)
			}
		}
		check("before it registered", false)
		p.moveTo(b).register("AcsAndroid_Chat_1.7")
		check("registered at the other server", true)
		c.cut()
		c = p.moveTo(b).connect()
		check("connected to the other server", true)
		b.restart()
		c = p.connect()
		check("after a restart", true)
		c.cut()
		c = p.moveTo(a).connect()
		p.register("AcsWeb_Chat_2.1")
		check("registered anew", false)
	})
}

// stop() and what follows may reach whichever server.
func TestForgottenEndpointAtAnotherServer(t *testing.T) {
	for name, order := range map[string]func(c *clientConn, p *testClient){
		"goodbye first":      func(c *clientConn, p *testClient) { c.leave(); p.unregister() },
		"registration first": func(c *clientConn, p *testClient) { p.unregister(); c.leave() },
	} {
		t.Run(name, func(t *testing.T) {
			twoServers(t, func(a, b *world) {
				p := a.newClient(bob, "e")
				c := p.connect()
				a.sendMessages(1, 2)
				c.frames() // not acknowledged
				order(c, p.moveTo(b))
				a.sendMessages(3, 2)
				synctest.Wait()
				c = p.moveTo(a).connect()
				p.moveTo(b).register("AcsWeb_Chat_2.1")
				a.sendMessages(5, 1)
				a.equal("it hears", c.receive(), []string{"5"})
				p.moveTo(b).unregister() // late
				p.register("AcsWeb_Chat_2.1")
				c.cut()
				a.sendMessages(6, 1)
				a.equal("then it hears", p.connect().receive(), []string{"6"})
			})
		})
	}
}

// A client that stopped is forgotten for longer than the memory of a server lasts.
func TestForgottenEndpointAfterARestart(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		c.leave()
		p.unregister()
		w.sendMessages(1, 2)
		w.restart()
		w.equal("it hears", p.connect().receive(), nil)
	})
}

// When the word of a connection elsewhere comes while one here is just arriving, the newer one counts.
func TestConnectionsAtTheSameTime(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		p.allocate()
		sid := p.handshake()
		a.view.onConnected = func() { // the connection here is in the store and nobody knows of it yet
			a.view.onConnected = nil
			c := p.moveTo(b).connect()
			time.Sleep(time.Second) // and for the word to arrive
			if slices.Contains(c.packets(), "0::") {
				t.Error("the second is let go")
			}
			p.moveTo(a)
		}
		if status := p.refusedUpgrade(sid); status != http.StatusNotFound {
			t.Errorf("the first: %d", status)
		}
		time.Sleep(time.Second)
		if e := a.journal.saved()[endpointKey{bob, "e"}]; e.Owner != 2 || e.Newest != 2 {
			t.Errorf("the endpoint is %+v", e)
		}
	})
}

// The word of a newer connection elsewhere may come at any moment of a takeover: also when the older one has stopped waiting
// and does not tell yet.
func TestSupersededWhileTakingOver(t *testing.T) {
	bubble(t, func(w *world) {
		e := w.server.endpoint(endpointKey{bob, "e"})
		e.supersededBy(2)
		for number, want := range map[int64]bool{1: false, 2: true} {
			if _, _, ok := e.makeCurrent(&connection{number: number}); ok != want {
				t.Errorf("connection %d begins: %t", number, ok)
			}
		}
	})
}

// A store that does not answer holds no goroutine for ever that wants to know the format of an endpoint.
func TestFormatThatCannotBeRead(t *testing.T) {
	bubble(t, func(w *world) {
		w.newClient(bob, "e").connect()
		w.server.Endpoints = silentEndpoints{w.server.Endpoints}
		w.server.endpointChanged(bob, "e", 0)
		time.Sleep(handoverTimeout + time.Second)
		if len(w.logs.find("ERROR", "endpoint cannot be read", context.DeadlineExceeded.Error())) != 1 {
			t.Errorf("logged are %q", w.logs.find("ERROR"))
		}
	})
}

// silentEndpoints is a store that is asked for endpoints in vain.
type silentEndpoints struct{ Endpoints }

func (silentEndpoints) Endpoint(ctx context.Context, _ chat.Identity, _ string) (delivery.Endpoint, error) {
	<-ctx.Done()
	return delivery.Endpoint{}, ctx.Err()
}
