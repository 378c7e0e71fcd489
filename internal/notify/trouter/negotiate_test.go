package trouter

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
)

func bearer(token string) string { return "Authorization: Bearer " + token }

func TestConfig(t *testing.T) {
	bubble(t, func(w *world) {
		want := map[string]string{"trouterServiceUrl": origin, "registrarServiceUrl": origin, "cloudType": "public"}
		// An endpoint that ends in a slash makes two of them.
		for _, path := range []string{"/chat/config/realTimeNotifications", "//chat/config/realTimeNotifications"} {
			if !Serves(path) {
				t.Errorf("%s is not served", path)
			}
			a := w.do(http.MethodGet, origin+path+"?api-version=2024-09-01", "", "", bearer(string(alice)), "User-Agent: "+phoneSDK)
			var got map[string]string
			w.must(json.Unmarshal([]byte(a.body), &got))
			if diff := cmp.Diff(want, got); diff != "" || a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d %q (-want +got):\n%s", path, a.status, a.header, diff)
			}
		}
	})
}

// 401 makes a client ask for a token again, three times in all, and then give up; so it is for bad tokens only.
func TestTokenIsChecked(t *testing.T) {
	bubble(t, func(w *world) {
		w.tokens.refuse("revoked", revoked())
		w.tokens.refuse("scope", &chat.Error{Kind: chat.Forbidden, Reason: "no chat"})
		w.tokens.refuse("broken", &chat.Error{Kind: chat.Internal, Cause: errors.New("store")})
		w.tokens.refuse("away", &chat.Error{Kind: chat.Unavailable})
		p := w.newClient(alice, "e")
		p.allocate()
		steps := map[string]func(token string) answer{
			"config": func(token string) answer {
				return p.do(http.MethodGet, origin+"/chat/config/realTimeNotifications", "", bearer(token))
			},
			"allocation": func(token string) answer { p.token = token; return p.postAllocation() },
			"handshake":  func(token string) answer { p.token = token; return p.getHandshake() },
			"registrar":  func(token string) answer { p.token = token; return p.postRegistration(origin, "{}") },
			"unregister": func(token string) answer {
				return p.do(http.MethodDelete, origin+"/v3/registrations/e", "", "X-Skypetoken: "+token)
			},
		}
		for name, step := range steps {
			for token, want := range map[string]int{"rubbish": 401, "revoked": 401, "scope": 401, "broken": 503, "away": 503} {
				a := step(token)
				if a.status != want || a.body != "" || (want == 503) != (a.header.Get("Retry-After") == "3") {
					t.Errorf("%s with token %q: %d %q", name, token, a.status, a.body)
				}
				if a.header.Get("Access-Control-Allow-Origin") != p.origin {
					t.Errorf("%s with token %q: a page cannot read the answer", name, token)
				}
			}
		}
		for _, header := range []string{"Authorization: ", "Authorization: Bearer", "Authorization: " + string(alice), "Authorization: Basic " + string(alice)} {
			if a := p.do(http.MethodGet, origin+"/chat/config/realTimeNotifications", "", header); a.status != 401 {
				t.Errorf("%q answers %d", header, a.status)
			}
		}
		for _, path := range []string{"/v4/a", "/v3/registrations"} {
			if a := p.do(http.MethodPost, origin+path, "{}"); a.status != 401 {
				t.Errorf("%s without a token answers %d", path, a.status)
			}
		}
	})
}

func TestAllocation(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		first := p.allocate()
		if first.TTL != "604800" || first.Curlb != origin {
			t.Errorf("allocation is %+v", first)
		}
		end, err := time.ParseDuration(p.params.Get("se") + "ms")
		w.must(err)
		// The client drops params that end within an hour.
		if left := time.Until(time.Unix(0, 0).Add(end)); left < 24*time.Hour || left > 8*24*time.Hour {
			t.Errorf("connectparams end in %v", left)
		}
		w.clock.Advance(24 * time.Hour)
		if again := p.allocate(); again.ID != first.ID || again.Surl != first.Surl {
			t.Errorf("allocated again it is %s, before %s", again.ID, first.ID)
		}
		if other := w.newClient(bob, "e").allocate(); other.ID == first.ID {
			t.Error("two clients have one allocation")
		}
	})
}

// Connectparams that are altered, somebody else's or too old count as absent: the client would send refused ones again.
func TestForgedConnectparams(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		first := p.allocate()
		params := p.params
		theirs := w.newClient(bob, "e")
		theirs.allocate()
		altered := func(name, value string) url.Values {
			v := url.Values{}
			for k := range params {
				v.Set(k, params.Get(k))
			}
			v.Set(name, value)
			return v
		}
		other := w.newClient(alice, "f")
		other.allocate()
		for name, strange := range map[string]url.Values{
			"id":              altered("sr", other.params.Get("sr")),
			"end":             altered("se", params.Get("se")+"0"),
			"end of no sense": altered("se", "soon"),
			"user":            altered("u", theirs.params.Get("u")),
			"user undecoded":  altered("u", "!"),
			"signature":       altered("sig", theirs.params.Get("sig")),
			"no signature":    altered("sig", ""),
			"of another":      theirs.params,
			"of Microsoft":    {"sr": {"x"}, "issuer": {"prod-2"}, "sp": {"connect"}, "se": {"1795251947407"}, "st": {"1"}, "sig": {"ab%2B"}},
		} {
			p.params = strange
			if got := p.allocate(); got.ID == first.ID || got.ID == theirs.ccid {
				t.Errorf("%s: the old allocation goes on", name)
			}
			p.params = strange
			if a := p.getHandshake(); a.status != http.StatusUnauthorized || a.header.Get("Access-Control-Allow-Origin") != p.origin {
				t.Errorf("%s: handshake answers %d", name, a.status)
			}
		}
		p.params = params
		if got := p.allocate(); got.ID != first.ID {
			t.Error("one's own allocation does not go on")
		}
		w.clock.Advance(8 * 24 * time.Hour)
		if a := p.getHandshake(); a.status != http.StatusUnauthorized {
			t.Errorf("connectparams that have ended: handshake answers %d", a.status)
		}
		if got := p.allocate(); got.ID == first.ID {
			t.Error("an allocation outlives its connectparams")
		}
		p.handshake() // with those of the new one
	})
}

// The params are good for every server on the same store: they carry what they mean.
func TestConnectparamsAfterRestart(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		first := p.allocate()
		w.restart()
		if again := p.allocate(); again.ID != first.ID {
			t.Error("the allocation was forgotten")
		}
		w.Secret = []byte("another")
		w.restart()
		if again := p.allocate(); again.ID == first.ID {
			t.Error("the signature is not looked at")
		}
	})
}

func TestHandshake(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		p.handshake() // checks the answer
		theirs := w.newClient(bob, "e")
		theirs.allocate()
		theirs.params = p.params
		if a := theirs.getHandshake(); a.status != http.StatusUnauthorized {
			t.Errorf("with the connectparams of somebody else it answers %d", a.status)
		}
		w.tokens.expire(p.token, time.Minute)
		time.Sleep(time.Minute)
		if a := p.getHandshake(); a.status != http.StatusUnauthorized {
			t.Errorf("with an expired token it answers %d", a.status)
		}
	})
}

// SDKs before chat 1.5.2 send no token with the handshake: that of the allocation just before counts, as long as it is good.
func TestHandshakeWithoutToken(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.old = true
		connect := func() int { p.allocate(); return p.getHandshake().status }
		if got := connect(); got != http.StatusOK {
			t.Errorf("handshake answers %d", got)
		}
		c := p.connect()
		w.sendMessage("hello")
		if got := c.receive(); len(got) != 1 {
			t.Errorf("it hears %q", got)
		}

		p.allocate()
		w.tokens.refuse(p.token, revoked())
		if a := p.getHandshake(); a.status != http.StatusUnauthorized {
			t.Errorf("after a revocation it answers %d", a.status)
		}
		w.tokens.refuse(p.token, nil)
		p.allocate()
		time.Sleep(stepLife + clockSkew)
		if a := p.getHandshake(); a.status != http.StatusUnauthorized {
			t.Errorf("long after the allocation it answers %d", a.status)
		}
		w.tokens.expire(p.token, 10*time.Second)
		p.allocate()
		time.Sleep(10 * time.Second)
		if a := p.getHandshake(); a.status != http.StatusUnauthorized {
			t.Errorf("with an expired token it answers %d", a.status)
		}
		w.tokens.expire(p.token, time.Hour)
		p.allocate()
		w.restart()
		if a := p.getHandshake(); a.status != http.StatusOK {
			t.Errorf("with an allocation of before a restart it answers %d", a.status)
		}
	})
}

// chat 1.0.0 tries again without a pause, about 60 times a second, when its handshake fails.
func TestRateOfAllocationsAndHandshakes(t *testing.T) {
	bubble(t, func(w *world) {
		p, neighbour := w.newClient(alice, ""), w.newClient(alice, "e")
		granted := 0
		for range 900 {
			time.Sleep(time.Second / 60)
			p.params = nil
			switch a := p.postAllocation(); a.status {
			case http.StatusOK:
				granted++
			case http.StatusTooManyRequests:
				if a.header.Get("Retry-After") != "1" || a.header.Get("Access-Control-Allow-Origin") != p.origin {
					t.Fatalf("refused with %q", a.header)
				}
			default:
				t.Fatalf("answer %d", a.status)
			}
		}
		if granted < 30 || granted > 40 { // 20 and one a second
			t.Errorf("%d allocations in 15 s", granted)
		}
		neighbour.connect() // is not kept from it
		time.Sleep(30 * time.Second)
		p.connect()
	})
}

func TestRateOfHandshakes(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		for range 20 {
			p.handshake()
		}
		a := p.getHandshake()
		if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "1" {
			t.Errorf("answer %d", a.status)
		}
		time.Sleep(time.Second)
		p.handshake()
	})
}

// Endpoints cannot be made up at will.
func TestRateOfUser(t *testing.T) {
	bubble(t, func(w *world) {
		refused := 0
		for i := range 250 {
			p := w.newClient(alice, "e"+number(chat.Time(i)))
			if a := p.postAllocation(); a.status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused != 50 {
			t.Errorf("%d of 250 refused", refused)
		}
		w.newClient(bob, "e").allocate()
	})
}

// What nobody came back for is not kept.
func TestSweep(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.connect().cut()
		p.handshake()
		state := func() [2]int {
			synctest.Wait()
			s := w.server
			s.mu.Lock()
			defer s.mu.Unlock()
			return [2]int{len(s.buckets), len(s.endpoints)}
		}
		if got := state(); got != [2]int{4, 1} {
			t.Errorf("kept are %v", got)
		}
		time.Sleep(5 * time.Minute)
		if got := state(); got != [2]int{0, 1} {
			t.Errorf("after five minutes kept are %v", got)
		}
		time.Sleep(endpointIdleLife)
		if got := state(); got != [2]int{} {
			t.Errorf("at last kept are %v", got)
		}
	})
}

func TestCORS(t *testing.T) {
	allowed := []string{"https://app.example.com", "http://localhost:9200"}
	bubble(t, func(w *world) {
		paths := []string{
			"/chat/config/realTimeNotifications", "/chat/config/realTimeNotifications/x/v4/a", "/v4/a", "/socket.io/1/", "/socket.io/1/xhr-polling/x", "/socket.io/1/websocket/x",
			"/v3/registrations", "/v3/registrations/x", "/registrar/prod/v3/registrations", "/socket.io/1/nothing",
		}
		for _, path := range paths {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
				a := w.do(method, origin+path+"?q=1", allowed[1], "")
				h := a.header
				if h.Get("Access-Control-Allow-Origin") != allowed[1] || h.Get("Access-Control-Allow-Credentials") != "true" || !strings.Contains(h.Get("Vary"), "Origin") {
					t.Errorf("%s %s: %d %q", method, path, a.status, h)
				}
			}
			a := w.do(http.MethodOptions, origin+path+"?q=1", allowed[0], "", "Access-Control-Request-Method: DELETE", "Access-Control-Request-Headers: x-skypetoken")
			h := a.header
			if a.status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != allowed[0] || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Access-Control-Max-Age") == "" {
				t.Errorf("preflight of %s: %d %q", path, a.status, h)
			}
			for _, method := range []string{"GET", "POST", "DELETE"} {
				if !strings.Contains(h.Get("Access-Control-Allow-Methods"), method) {
					t.Errorf("preflight of %s does not allow %s", path, method)
				}
			}
			for _, header := range []string{"authorization", "content-type", "x-skypetoken", "x-ms-client-request-id", "x-ms-useragent"} {
				if !strings.Contains(h.Get("Access-Control-Allow-Headers"), header) {
					t.Errorf("preflight of %s does not allow %s", path, header)
				}
			}
			for _, method := range []string{http.MethodOptions, http.MethodGet, http.MethodPost} {
				a := w.do(method, origin+path, "https://evil.example.com", "")
				if a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Vary") != "Origin" {
					t.Errorf("%s %s from a strange page: %d %q", method, path, a.status, a.header)
				}
			}
		}
	}, func(c *Config) { c.CORS = pagesOf(allowed...) })
}

func TestServes(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/v4/a": true, "//v4/a": true, "/chat/config/realTimeNotifications/x/v4/a": true, "/chat/config/realTimeNotifications/x/y/v4/a": false,
		"/chat/config/realTimeNotifications/x": false, "/x/v4/a": false, "/socket.io/1/": true, "/socket.io/1/websocket/x": true, "/v3/registrations": true, "/V3/registrations/x": true,
		"/registrar/prod/v3/registrations": true, "/registrar/prod/V3/registrations/x": true, "/registrar/prod//v3/registrations": true,
		"/": false, "/v4/ab": false, "/socket.io/2/": false, "/v3/registrationsx": false, "/v2/registrations": false, "/chat/threads": false, "/realtime": false, "": false,
	} {
		if got := Serves(path); got != want {
			t.Errorf("%q: %t", path, got)
		}
	}
}

// Only ids that every store keeps as they are become those of endpoints.
func TestEndpointIDs(t *testing.T) {
	t.Parallel()
	for epid, good := range map[string]bool{
		"2f1d4a0e-8c5b-4b0e-9d5a-0f6f2c3b1a77": true, "!~": true, strings.Repeat("x", maxEndpointID): true,
		"": false, "\xff": false, "a\x00": false, "\x00": false, "caf\xe9": false, "café": false, "a b": false, "a\n": false, strings.Repeat("x", maxEndpointID+1): false,
	} {
		want := "allocation"
		if good {
			want = epid
		}
		if got := endpointID(epid, "allocation"); got != want {
			t.Errorf("%q gives %q, want %q", epid, got, want)
		}
	}
}
