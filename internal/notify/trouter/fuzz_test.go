package trouter

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/web"
)

// fixedClock always tells the same time.
type fixedClock struct{ now chat.Time }

func (c fixedClock) Now() time.Time                       { return c.now.Std() }
func (fixedClock) NewTimer(d time.Duration) clock.Timer   { return clock.System.NewTimer(d) }
func (fixedClock) NewTicker(d time.Duration) clock.Ticker { return clock.System.NewTicker(d) }
func (fixedClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	return clock.System.AfterFunc(d, f)
}

// still is a server for one test function, on a journal in which nothing happens.
func still(tb testing.TB) *Server {
	tb.Helper()
	metrics, err := notify.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		tb.Fatal(err)
	}
	j := newJournal()
	hub, err := notify.NewHub(context.Background(), j.newView(), metrics, nil)
	if err != nil {
		tb.Fatal(err)
	}
	k := &tokens{}
	return New(Config{
		Hub: hub, Metrics: metrics, Authenticate: k.authenticate, Revalidate: k.revalidate, Endpoints: j.newView(), Secret: []byte("secret"),
		Base: func(*http.Request) string { return origin }, CORS: pagesOf("*"), Clock: clock.System,
	})
}

// Packets are read as they were written, and nothing else is taken for one.
func FuzzPacket(f *testing.F) {
	for _, seed := range []string{
		"0::", "1::", "2::", `3:::{"id":1,"status":200}`, `5:1+::{"name":"ping"}`, "5:::", "6:::1+[]", "7:::2", "8::", "9::", "", ":::", "5:+::", "5:01+:x:{}", "\xff::",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePacket(text)
		if err != nil {
			return
		}
		id := p.id
		if p.ack {
			id += "+"
		}
		rest, ok := strings.CutPrefix(text, string(p.kind)+":"+id+":")
		if !ok || p.kind < '0' || p.kind > '8' || strings.Trim(p.id, "0123456789") != "" || !strings.HasSuffix(rest, p.data) {
			t.Errorf("%q is read as %+v", text, p)
		}
	})
}

// What polls bring is taken apart as it was put together, and what nobody put together is refused.
func FuzzPackets(f *testing.F) {
	for _, seed := range []string{
		"2::", "\ufffd3\ufffd2::", "\ufffd3\ufffd2::\ufffd3\ufffd8::", "\ufffd2\ufffd😀", "\ufffd1\ufffd😀", "\ufffd-1\ufffd", "\ufffd+3\ufffd2::", "\ufffd03\ufffd2::", "\ufffd9999999999\ufffdx",
		"\ufffd\ufffd", "\ufffd0\ufffd", "\ufffd", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		packets, err := splitPackets(body)
		if err != nil {
			return
		}
		held := 0
		for _, p := range packets {
			held += len(p)
		}
		if held > len(body) {
			t.Errorf("%q is taken apart into %q", body, packets)
		}
		if len(packets) == 1 && strings.HasPrefix(packets[0], frameMark) { // without a frame around it this would be read as one
			return
		}
		if !utf8.ValidString(body) {
			return // what is not text is counted, but not as JavaScript would
		}
		again, err := splitPackets(joinPackets(packets))
		if err != nil || !slices.Equal(again, packets) {
			t.Errorf("%q is put together and taken apart into %q, %v", packets, again, err)
		}
	})
}

// Whatever a client sends on its connection: it is told no more than before, and what it holds is counted rightly.
func FuzzReceive(f *testing.F) {
	s := still(f)
	for _, seed := range []string{
		`3:::{"id":1,"status":200}`, `3:::{"id":2,"status":504}`, `3:::{"id":"3","status":404}`, `3:::{"id":1e0,"status":-1}`, `3:::{"id":4711}`, `3:::[]`,
		`5:1+::{"name":"ping"}`, `5:1+::{"name":["ping"]}`, `5:18446744073709551615+::`, "0::", "2::",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clear(s.endpoints) // what was acknowledged before would not be told
		e := s.endpoint(endpointKey{bob, "e"})
		c := &connection{s: s, e: e, wake: make(chan struct{}, 1), close: func() {}, queue: queue{unacked: map[int64]pendingEvent{}}}
		c.start(0, 0)
		for i := range chat.Position(3) {
			h := message("x")
			h.Position = i + 1
			c.offer(notify.Delivery{Event: &h, To: bob, Shared: &notify.Shared{}})
		}
		_, told, _ := c.takePackets()
		err := c.receive(text)
		c.mu.Lock()
		defer c.mu.Unlock()
		held := 0
		for _, w := range c.pending {
			held += w.size
		}
		for _, w := range c.unacked {
			held += w.size
		}
		if left := len(c.pending) + len(c.unacked); len(told) != 3 || left < 2 || left > 3 || held != c.heldBytes || len(c.control) > 1 {
			t.Errorf("%d told, %d left, %d bytes are %d, answers %q, %v", len(told), left, held, c.heldBytes, c.control, err)
		}
	})
}

// A handshake succeeds with connectparams of the server, of the token's own user and not ended, and with none else.
func FuzzHandshake(f *testing.F) {
	s := still(f)
	const id = "AAAAAAAAAAAAAAAAAAAAAAAAAA"
	s.Clock = fixedClock{arrived} // in each of the fuzzer's processes
	params := map[string]map[string]string{string(alice): s.params(id, Caller{User: alice}, nextTags(nil)), string(bob): s.params(id, Caller{User: bob}, nextTags(nil))}
	s.Clock = fixedClock{arrived.Add(-2 * allocationLife)}
	ended := s.params(id, Caller{User: alice}, nextTags(nil))
	s.Clock = fixedClock{arrived}
	for _, seed := range []map[string]string{params[string(alice)], params[string(bob)], ended, {}, {"sr": "x", "u": "!", "se": "soon", "sig": "%"}} {
		q := url.Values{}
		for k, v := range seed {
			q.Set(k, v)
		}
		f.Add(q.Encode()+"&v=v4&timeout=40&auth=true&epid=e&ccid=x&dom=app.example.com&userActivity=%7B%22cv%22:%22a+b/c.1%22%7D&t=1", string(alice))
	}
	f.Add("epid=%zz&;&=&sr=&sr=", "")
	f.Fuzz(func(t *testing.T, query, token string) {
		r := httptest.NewRequest(http.MethodGet, handshakePath, nil)
		r.URL.RawQuery = query
		r.Header.Set("X-Skypetoken", token)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		s.mu.Lock()
		defer s.mu.Unlock()
		clear(s.buckets)
		owner, _, _ := strings.Cut(token, ".")
		got, own := r.URL.Query(), params[owner]
		same := func(name string) bool { return own != nil && got.Get(name) == own[name] }
		switch w.Code {
		case http.StatusOK:
			if !same("sr") || !same("sig") || w.Body.Len() == 0 { // the signature covers the others, which can be written in several ways
				t.Errorf("%q with token %q is accepted", query, token)
			}
		case http.StatusUnauthorized:
			if same("sr") && same("sig") && same("u") && same("se") && same("st") && same("ti") && same("te") && same("tk") || w.Body.Len() != 0 {
				t.Errorf("%q with token %q is refused", query, token)
			}
		default:
			t.Errorf("%q with token %q answers %d", query, token, w.Code)
		}
	})
}

// A registration is JSON with an id of bearable length, or refused.
func FuzzRegistration(f *testing.F) {
	for _, seed := range []string{
		registrationOf("e", "AcsWeb_Chat_2.1", "/v4/f/x/"), `{"registrationId":"e"}`, `{"registrationId":"","clientDescription":null}`, `{"REGISTRATIONID":"\ud800"}`, `[]`, `null`, ``,
		`{"registrationId":"` + strings.Repeat("x", maxEndpointID+1) + `"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reg, err := readRegistration(body)
		if err == nil && (!json.Valid(web.WithoutBOM(body)) || reg.ID == "" || len(reg.ID) > maxEndpointID) {
			t.Errorf("%q is read as %+v", body, reg)
		}
		if f := formatOf(reg.Client.Template); f != webFormat && f != phoneFormat {
			t.Errorf("%q speaks %q", reg.Client.Template, f)
		}
	})
}
