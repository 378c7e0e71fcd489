package trouter

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/internal/chat"
)

// What the client asks for is acknowledged, whatever it is: without that it reconnects after 5 s, or 10.
func TestAcknowledgements(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(alice, "e").connect() // connect checks the greeting
		for _, ask := range []struct{ event, want string }{
			{`{"name":"user.activity","args":[{"state":"active","cv":"a+b/c.1"}]}`, `[]`},
			{`{"name":"ping"}`, `["pong"]`},
			{`{"name":"trouter.processed_message_loss","args":[{"droppedIndicators":[]}]}`, `[]`},
			{`{"name":"something.new"}`, `[]`},
			{`rubbish`, `[]`},
			{``, `[]`},
		} {
			if got := c.emit(ask.event); got != ask.want {
				t.Errorf("%s is acknowledged with %s, want %s", ask.event, got, ask.want)
			}
		}
		c.write(`5:::{"name":"user.activity"}`) // asks for nothing
		c.write(`8::`)
		c.write(`2::`)
		if got := c.packets(); len(got) != 0 || c.err() != nil {
			t.Errorf("the server says %q, ended with %v", got, c.err())
		}
	})
}

// An acknowledgement comes within the 5 s of the client's patience while as much as possible is being told, also on a line
// that carries 64 KiB a second.
func TestAcknowledgementUnderLoad(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		ws, _, err := p.upgrade(p.handshake())
		w.must(err)
		synctest.Wait()
		for range 500 {
			w.sendMessage(strings.Repeat("x", 20<<10))
		}
		var asked time.Time
		for heard := 0; ; {
			_, data, err := ws.Read(w.Context())
			w.must(err)
			if strings.HasPrefix(string(data), "6:::7+") {
				break
			}
			time.Sleep(time.Duration(len(data)) * time.Second / (64 << 10))
			if heard++; heard == 5 { // in the midst of it
				asked = time.Now()
				go func() { _ = ws.Write(w.Context(), websocket.MessageText, []byte(`5:7+::{"name":"ping"}`)) }()
			}
		}
		if took := time.Since(asked); took > 5*time.Second {
			t.Errorf("acknowledged after %v", took)
		}
	})
}

// Heartbeats find out who is gone, and keep the client's own timer going.
func TestHeartbeat(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(alice, "e").connect()
		time.Sleep(10 * time.Minute)
		got := c.packets()
		if len(got) < 20 || slices.ContainsFunc(got, func(p string) bool { return p != "2::" }) || c.err() != nil {
			t.Errorf("in ten minutes the server says %q, ended with %v", got, c.err())
		}
	})
}

// Chromium lets the timers of a hidden page run once a minute; what comes less often is gone.
func TestSilentClient(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		ws, _, err := p.upgrade(p.handshake())
		w.must(err)
		start := time.Now()
		for {
			if _, _, err = ws.Read(w.Context()); err != nil {
				break
			}
		}
		if took := time.Since(start); took < 130*time.Second || took > 4*time.Minute {
			t.Errorf("closed after %v with %v", took, err)
		}
		synctest.Wait()
		if n := w.metric("connections"); n != 0 {
			t.Errorf("%v connections", n)
		}
	})
}

func TestMalformedPackets(t *testing.T) {
	bubble(t, func(w *world) {
		for _, garbage := range []string{
			"", "x", "9::", "3", "3::", "3:::", "3:::{", `3:::"text"`, `3:::{"id":"x","status":200}`, "3:::[]", "5:x+::{}", "5:-1+::{}", "::", "30:::",
			"5:99999999999999999999+::{}", "\xff\xfe", "\x00", "GET / HTTP/1.1", strings.Repeat(":", 100),
		} {
			c := w.newClient(alice, "e").connect()
			c.write(garbage)
			if code := c.code(); code != websocket.StatusPolicyViolation && (garbage != "\xff\xfe" || code == 0) {
				t.Errorf("%q: closed with %d", garbage, code)
			}
			time.Sleep(time.Second) // no faster than may be connected
		}
	})
}

func TestUnknownAnswers(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(alice, "e").connect()
		for _, id := range []string{"0", "1", "-1", "4711", "9223372036854775807", "9223372036854775808", "1e300", "1.5", `"12"`, "null"} {
			c.write(`3:::{"id":` + id + `,"status":200}`)
		}
		c.write(`3:::{"status":200}`)
		c.write(`3:::{}`)
		w.sendMessage("hello")
		if got := c.receive(); len(got) != 1 || c.err() != nil {
			t.Errorf("it hears %q, ended with %v", got, c.err())
		}
		if n := w.metric("acks_total"); n != 1 {
			t.Errorf("%v answers counted", n)
		}
	})
}

func TestOversizedFrame(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(alice, "e").connect()
		go func() {
			_ = c.Write(w.Context(), websocket.MessageText, []byte("5:1+::"+strings.Repeat("x", maxFrame)))
		}()
		if code := c.code(); code != websocket.StatusMessageTooBig {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestBinaryFrame(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(alice, "e").connect()
		w.must(c.Write(w.Context(), websocket.MessageBinary, []byte("2::")))
		if code := c.code(); code != websocket.StatusUnsupportedData {
			t.Errorf("closed with %d", code)
		}
	})
}

// A client that asks and does not read is not served without end.
func TestFlood(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		ws, _, err := p.upgrade(p.handshake())
		w.must(err)
		asked := 0
		for ; asked < 100_000 && err == nil; asked++ {
			err = ws.Write(w.Context(), websocket.MessageText, fmt.Appendf(nil, `5:%d+::{"name":"ping"}`, asked+1))
		}
		if err == nil || asked > 3*maxControl {
			t.Errorf("%d questions are taken", asked)
		}
	})
}

// A client that reads nothing is let go after the time of one write, and what it was to be told is kept for it.
func TestClientThatDoesNotRead(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		_, _, err := p.upgrade(p.handshake())
		w.must(err)
		synctest.Wait()
		w.sendMessage("hello")
		time.Sleep(writeTimeout + closeTimeout + time.Second)
		synctest.Wait()
		if n := w.metric("connections"); n != 0 {
			t.Errorf("%v connections", n)
		}
		if got := p.connect().receive(); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("afterwards it hears %q", got)
		}
	})
}

func TestSessionIsSingleUse(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.attach(sid)
		if status := p.refusedUpgrade(sid); status != http.StatusNotFound {
			t.Errorf("a used session: %d", status)
		}
		if a := p.get(sid); a.status != http.StatusNotFound {
			t.Errorf("a used session, polled: %d", a.status)
		}
		for _, sid := range []string{"", "x", strings.Repeat("A", 52), "../x", "%00"} {
			if status := p.refusedUpgrade(sid); status != http.StatusNotFound {
				t.Errorf("session %q: %d", sid, status)
			}
		}
		sid = p.handshake()
		time.Sleep(stepLife + clockSkew + time.Second)
		if status := p.refusedUpgrade(sid); status != http.StatusNotFound {
			t.Errorf("a session that nobody used for too long: %d", status)
		}
		sid = p.handshake()
		w.tokens.refuse(p.token, revoked())
		if status := p.refusedUpgrade(sid); status != http.StatusUnauthorized {
			t.Errorf("a session of a revoked token: %d", status)
		}
		w.tokens.refuse(p.token, nil)
		sid = p.handshake()
		w.tokens.refuse(p.token, &chat.Error{Kind: chat.Unavailable})
		if status := p.refusedUpgrade(sid); status != http.StatusServiceUnavailable {
			t.Errorf("when tokens cannot be checked: %d", status)
		}
	})
}

// Replaying a handshake gives a session of its own, for its own user only.
func TestSessionOfAnotherUser(t *testing.T) {
	bubble(t, func(w *world) {
		hers, his := w.newClient(alice, "e"), w.newClient(bob, "e")
		hers.allocate()
		his.allocate()
		sid := hers.handshake()
		if status := his.refusedUpgrade(sid); status != http.StatusNotFound {
			t.Errorf("upgrade: %d", status)
		}
		if a := his.get(sid); a.status != http.StatusNotFound {
			t.Errorf("poll: %d", a.status)
		}
		hers.attach(sid) // and was not used up by it
	})
}

// When a proxy does not let the upgrade through, the client polls with the same session.
func TestRefusedUpgrade(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		if a := p.do(http.MethodGet, origin+"/socket.io/1/websocket/"+sid+"?"+p.query(), ""); a.status != http.StatusUpgradeRequired {
			t.Errorf("without an upgrade: %d", a.status)
		}
		p.begin(sid)
	})
}

func TestOriginOfWebsocket(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		for origin, allowed := range map[string]bool{
			"https://app.example.com": true, "": true, "http://chat.example.com": true, // no page; a page of the server's own
			"https://evil.example.com": false, "http://app.example.com": false, "null": false, "https://app.example.com.evil.com": false,
		} {
			sid := p.handshake()
			if p.origin = origin; allowed {
				p.attach(sid).cut()
			} else if status := p.refusedUpgrade(sid); status != http.StatusForbidden {
				t.Errorf("%q: %d", origin, status)
			}
			p.origin = "https://app.example.com"
		}
	}, func(c *Config) { c.CORS = pagesOf("https://app.example.com") })
}

func TestLimitOfUser(t *testing.T) {
	bubble(t, func(w *world) {
		var all []*clientConn
		for i := range maxPerUser {
			all = append(all, w.newClient(alice, fmt.Sprint("e", i)).connect())
		}
		p := w.newClient(alice, "one more")
		p.epid = "one-more"
		p.allocate()
		if status := p.refusedUpgrade(p.handshake()); status != http.StatusServiceUnavailable {
			t.Errorf("one too many: %d", status)
		}
		if a := p.get(p.handshake()); a.status != http.StatusServiceUnavailable {
			t.Errorf("one too many, polled: %d", a.status)
		}
		w.newClient(bob, "e").connect()
		all[0].cut()
		p.connect()
	})
}

func TestLimitInTotal(t *testing.T) {
	bubble(t, func(w *world) {
		w.server.mu.Lock()
		w.server.total = maxConnections - 1 // as if of others
		w.server.mu.Unlock()
		c := w.newClient(alice, "e").connect()
		p := w.newClient(bob, "e")
		p.allocate()
		if a := p.get(p.handshake()); a.status != http.StatusServiceUnavailable || a.header.Get("Access-Control-Allow-Origin") != p.origin {
			t.Errorf("one too many: %d", a.status)
		}
		c.cut()
		p.connect().cut()
		w.server.mu.Lock()
		defer w.server.mu.Unlock()
		if w.server.total != maxConnections-1 || len(w.server.perUser) != 0 {
			t.Errorf("counted are %d, %v", w.server.total, w.server.perUser)
		}
		w.server.total = 0
	})
}

// A revocation that falls between the look at the token and the hub's knowing of the connection ends it all the same.
func TestRevokedWhileConnecting(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		looks := 0
		w.tokens.onCheck = func(token string) { // at the second look of the connection it is too late for the hub
			if looks++; looks == 2 {
				w.tokens.refused[token] = revoked()
			}
		}
		ws, _, err := p.upgrade(sid)
		w.must(err)
		c := &clientConn{Conn: ws, p: p}
		go c.read(context.Background())
		if got := c.packets(); !slices.Contains(got, `0:::{"reason":"unauthorized"}`) || c.err() == nil {
			t.Errorf("the server says %q, ended with %v", got, c.err())
		}
	})
}
