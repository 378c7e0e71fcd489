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
	"unicode/utf16"

	"github.com/chatd/chatd/internal/chat"
)

// get is one long poll.
func (p *testClient) get(sid string) answer {
	p.w.Helper()
	return p.do(http.MethodGet, p.pollURL(sid), "", p.pollHeaders()...)
}

func (p *testClient) post(sid string, packets ...string) answer {
	p.w.Helper()
	return p.do(http.MethodPost, p.pollURL(sid), framed(packets), append(p.pollHeaders(), "Content-Type: text/plain;charset=UTF-8")...)
}

func (p *testClient) pollURL(sid string) string {
	return p.socketio + "socket.io/1/xhr-polling/" + sid + "?" + p.query() + "&t=1"
}

func (p *testClient) pollHeaders() []string {
	if p.old {
		return nil
	}
	return []string{p.tokenHeader()}
}

// framed is a body as socket.io 0.9 makes it, which counts as JavaScript does.
func framed(packets []string) string {
	if len(packets) == 1 {
		return packets[0]
	}
	var b strings.Builder
	for _, p := range packets {
		fmt.Fprintf(&b, "\ufffd%d\ufffd%s", len(utf16.Encode([]rune(p))), p)
	}
	return b.String()
}

// unframed takes a body apart as the client does.
func unframed(body string) []string {
	units := utf16.Encode([]rune(body))
	if len(units) == 0 || units[0] != 0xfffd {
		return []string{body}
	}
	var out []string
	for i := 0; i < len(units); {
		i++
		n := 0
		for ; units[i] != 0xfffd; i++ {
			n = 10*n + int(units[i]-'0')
		}
		out = append(out, string(utf16.Decode(units[i+1:i+1+n])))
		i += 1 + n
	}
	return out
}

// poll gets packets and checks how.
func (p *testClient) poll(sid string) []string {
	p.w.Helper()
	a := p.get(sid)
	if a.status != http.StatusOK || a.body == "" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") || a.header.Get("Access-Control-Allow-Origin") == "" {
		p.w.Errorf("poll answers %d %q %q", a.status, a.header, a.body)
	}
	return unframed(a.body)
}

// begin polls until it is connected, and returns what came beside.
func (p *testClient) begin(sid string) []string {
	p.w.Helper()
	packets := p.poll(sid)
	if len(packets) == 1 {
		packets = append(packets, p.poll(sid)...)
	}
	checkGreeting(p.w, packets)
	return packets[2:]
}

func (p *testClient) postPackets(sid string, packets ...string) {
	p.w.Helper()
	if a := p.post(sid, packets...); a.status != http.StatusOK {
		p.w.Errorf("%q answers %d", packets, a.status)
	}
}

func TestPolling(t *testing.T) {
	bubble(t, func(w *world) {
		for _, old := range []bool{false, true} {
			p := w.newClient(alice, fmt.Sprint("e", old))
			p.old = old
			p.allocate()
			sid := p.handshake()
			p.begin(sid)
			first, second := "a 😀 b \ufffd 3 \ufffd", "second — ünï 🎉🎉"
			w.sendMessage(first)
			w.sendMessage(second)
			synctest.Wait()
			frames := p.parse(p.poll(sid))
			if got := texts(frames); !slices.Equal(got, []string{first, second}) {
				t.Fatalf("it hears %q", got)
			}
			p.postPackets(sid, response(frames[0], 200), response(frames[1], 200), `5:1+::{"name":"ping"}`)
			if got := p.poll(sid); !slices.Equal(got, []string{`6:::1+["pong"]`}) {
				t.Errorf("it hears %q", got)
			}
			w.sendMessage("third") // one packet goes without a frame around it
			if got := texts(p.parse(p.poll(sid))); !slices.Equal(got, []string{"third"}) {
				t.Errorf("it hears %q", got)
			}
		}
		if n := w.metric("acks_total", "status=200"); n != 4 {
			t.Errorf("%v acknowledgements", n)
		}
	})
}

// An idle poll is answered with a noop, since nothing at all would not count as a sign of life; and well before the client
// gives up.
func TestIdlePoll(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		for range 10 {
			start := time.Now()
			if got := p.poll(sid); !slices.Equal(got, []string{"8::"}) {
				t.Errorf("it hears %q", got)
			}
			if took := time.Since(start); took < 10*time.Second || took > 40*time.Second {
				t.Errorf("answered after %v", took)
			}
		}
		start := time.Now()
		go func() {
			time.Sleep(time.Second)
			w.sendMessage("hello")
		}()
		if got := texts(p.parse(p.poll(sid))); !slices.Equal(got, []string{"hello"}) || time.Since(start) > 2*time.Second {
			t.Errorf("it hears %q after %v", got, time.Since(start))
		}
	})
}

// A client that polls no more is gone, also one that goes on to bring; what it was not told waits for it.
func TestPollingEnds(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		w.sendMessage("one")
		for range 7 {
			p.post(sid, "2::")
			time.Sleep(10 * time.Second)
		}
		if a := p.get(sid); a.status != http.StatusNotFound || w.metric("connections") != 0 {
			t.Errorf("poll answers %d, %v connections", a.status, w.metric("connections"))
		}
		p.allocate()
		sid = p.handshake()
		packets := p.begin(sid)
		if len(packets) == 0 {
			packets = p.poll(sid)
		}
		if got := texts(p.parse(packets)); !slices.Equal(got, []string{"one"}) {
			t.Errorf("afterwards it hears %q", got)
		}
		p.postPackets(sid, "0::")
		if a := p.get(sid); a.status != http.StatusNotFound {
			t.Errorf("after its goodbye it is answered %d", a.status)
		}
	})
}

func TestPollWithInvalidToken(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		if a := p.do(http.MethodGet, p.pollURL(sid), "", "X-Skypetoken: rubbish"); a.status != http.StatusUnauthorized {
			t.Errorf("bad token: %d", a.status)
		}
		if a := p.post(sid, "2::"); a.status != http.StatusNotFound {
			t.Errorf("bringing before the first poll: %d", a.status)
		}
		if a := p.do(http.MethodPut, p.pollURL(sid), "", p.tokenHeader()); a.status != http.StatusMethodNotAllowed {
			t.Errorf("another method: %d", a.status)
		}
		p.begin(sid) // none of that used it up
		for name, header := range map[string]string{"bad token": "rubbish", "somebody else's token": string(bob)} {
			want := map[string]int{"bad token": 401, "somebody else's token": 404}[name]
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				if a := p.do(method, p.pollURL(sid), "2::", "X-Skypetoken: "+header); a.status != want {
					t.Errorf("%s, %s: %d", name, method, a.status)
				}
			}
		}
		w.sendMessage("hello")
		if got := texts(p.parse(p.poll(sid))); len(got) != 1 {
			t.Errorf("it hears %q", got)
		}
	})
}

func TestMalformedPacketsInPost(t *testing.T) {
	bubble(t, func(w *world) {
		for name, body := range map[string]string{
			"no packet": "x", "no length": "\ufffdx\ufffd2::", "short": "\ufffd9\ufffd2::", "negative": "\ufffd-1\ufffd2::", "no end": "\ufffd3",
			"rest": "\ufffd3\ufffd2::rest", "half an emoji": "\ufffd7\ufffd5:1::a😀", "too large": "5:1::" + strings.Repeat("x", maxBody),
		} {
			p := w.newClient(alice, "e")
			p.allocate()
			sid := p.handshake()
			p.begin(sid)
			if a := p.do(http.MethodPost, p.pollURL(sid), body, p.tokenHeader()); a.status != http.StatusBadRequest {
				t.Errorf("%s: %d", name, a.status)
			}
			synctest.Wait()
			if a := p.get(sid); a.status != http.StatusNotFound {
				t.Errorf("%s: the connection goes on with %d", name, a.status)
			}
			time.Sleep(time.Second)
		}
	})
}

// One post may bring the answers to all frames that can be outstanding.
func TestManyAnswersInOnePost(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		w.sendMessages(1, maxUnacked)
		synctest.Wait()
		var answers []string
		for _, f := range p.parse(p.poll(sid)) {
			f.Headers["MS-CV"] += strings.Repeat("x", 300)
			answers = append(answers, response(f, 200))
		}
		p.postPackets(sid, answers...)
		if n := w.metric("acks_total"); n != maxUnacked {
			t.Errorf("%v answers", n)
		}
	})
}

func TestPollingIsEnded(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		go func() {
			time.Sleep(time.Second)
			w.Hub.End(alice, "revoked")
		}()
		if got := p.poll(sid); !slices.Equal(got, []string{`0:::{"reason":"unauthorized"}`}) {
			t.Errorf("it hears %q", got)
		}
		if a := p.get(sid); a.status != http.StatusNotFound {
			t.Errorf("afterwards it is answered %d", a.status)
		}
	})
}

// When the server stops, a poll is answered then, and tells the client to connect again: to another server, as this one takes
// nobody any more.
func TestPollingWhenTheServerStops(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		begun := time.Now()
		stopped := make(chan time.Duration)
		go func() {
			w.stop()
			stopped <- time.Since(begun)
		}()
		if got := p.poll(sid); !slices.Equal(got, []string{"0::"}) {
			t.Errorf("it hears %q", got)
		}
		if took := time.Since(begun); took > goodbyeSpread+ackTimeout {
			t.Errorf("answered after %s", took)
		}
		if took := <-stopped; took > goodbyeSpread+ackTimeout {
			t.Errorf("stopped after %s", took)
		}
	})
}

// A client that was let go and comes back to a server that stops is refused for a while, at every step.
func TestReconnectToServerThatStops(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		w.stop()
		for step, a := range map[string]answer{"allocation": p.postAllocation(), "handshake": p.getHandshake(), "poll": p.get(sid)} {
			if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
				t.Errorf("%s is answered %d", step, a.status)
			}
		}
		if status := p.refusedUpgrade(sid); status != http.StatusServiceUnavailable {
			t.Errorf("the upgrade is answered %d", status)
		}
	})
}

// A client that asks by post and fetches nothing is not served without end.
func TestFloodByPost(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		var pings []string
		for i := range maxControl + 1 {
			pings = append(pings, "5:"+number(chat.Time(i))+"+::{}")
		}
		if a := p.post(sid, pings...); a.status != http.StatusBadRequest {
			t.Errorf("answered %d", a.status)
		}
	})
}

// Of two polls at once, as a proxy that tries again makes them, one waits for the other; and goes when nobody waits for it.
func TestTwoPolls(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		heard := make(chan []string, 2)
		for range 2 {
			go func() { heard <- p.poll(sid) }()
		}
		synctest.Wait()
		w.sendMessage("hello")
		if got := texts(p.parse(<-heard)); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("one hears %q", got)
		}
		if got := <-heard; !slices.Equal(got, []string{"8::"}) {
			t.Errorf("the other hears %q", got)
		}
	})
}

func TestAbandonedPoll(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		go p.poll(sid)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.pollURL(sid), nil)
		w.must(err)
		r.Header.Set("X-Skypetoken", p.token)
		if _, err := w.client.Do(r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("answered with %v", err)
		}
		w.sendMessage("hello")
		synctest.Wait()
		w.sendMessage("again")
		if got := texts(p.parse(p.poll(sid))); !slices.Equal(got, []string{"again"}) { // the one that was left goes on
			t.Errorf("it hears %q", got)
		}
	})
}

// A client that does not read the answer to its poll is let go after the time of one write, and told again when it comes back.
func TestPollThatIsNotRead(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		c, err := w.listener.dial(w.Context(), "", "")
		w.must(err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: chat.example.com\r\nX-Skypetoken: %s\r\n\r\n", strings.TrimPrefix(p.pollURL(sid), origin), p.token)
		w.must(err)
		w.sendMessage("hello")
		time.Sleep(writeTimeout + time.Second)
		synctest.Wait()
		if n := w.metric("connections"); n != 0 {
			t.Errorf("%v connections", n)
		}
		if got := p.connect().receive(); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("afterwards it hears %q", got)
		}
	})
}
