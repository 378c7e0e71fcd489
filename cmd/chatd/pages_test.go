package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/internal/auth"
)

// A web page of somewhere else can have a browser call chatd dev, whose key it knows, and even have its own name lead there.
// Neither gets an answer that it can read, and nothing is done for it.
func TestStrangePagesOfDev(t *testing.T) {
	t.Parallel()
	i := dev(t, t.TempDir())
	endpoint := i.labels["Endpoint"]
	users := func() string {
		_, metrics := i.get(endpoint+"/metrics", "")
		for line := range strings.Lines(metrics) {
			if strings.HasPrefix(line, `chatd_store_operation_seconds_count{operation="add_user"}`) {
				return line
			}
		}
		t.Fatal("no count of users")
		return ""
	}
	before := users()
	send := func(method, path, body string, headers ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, endpoint+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			if r.Header.Set(name, value); name == "Host" {
				r.Host = value
			}
		}
		if strings.HasPrefix(path, "/identities") { // as a page would, with the key that everybody knows
			signed := r.Clone(t.Context())
			signed.URL.Host = r.Host
			if err := auth.Sign(signed, []byte(body), wellKnownKey, time.Now()); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"Authorization", "x-ms-date", "x-ms-content-sha256"} {
				r.Header.Set(name, signed.Header.Get(name))
			}
		}
		answer, err := i.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer
	}
	const create = "/identities?api-version=2023-10-01"
	user := "/identities/" + strings.ReplaceAll(i.labels["User"], ":", "%3A")
	port := endpoint[strings.LastIndexByte(endpoint, ':'):]
	for _, from := range []struct {
		header string
		status int
	}{
		{"Origin: https://evil.example.com", http.StatusForbidden},
		{"Origin: null", http.StatusForbidden},
		{"Host: evil.example.com" + port, http.StatusMisdirectedRequest},
	} {
		for _, call := range [][3]string{
			{"POST", create, `{"createTokenWithScopes":["chat"]}`},
			{"POST", user + "/:issueAccessToken?api-version=2023-10-01", `{"scopes":["chat"]}`},
			{"OPTIONS", create, ""},
			{"GET", "/chat/threads?api-version=2024-03-07", ""},
			{"GET", "/chat/config/realTimeNotifications", ""},
			{"POST", "/v4/a", ""},
			{"GET", "/socket.io/1/xhr-polling/x", ""},
			{"POST", "/socket.io/1/xhr-polling/x", "3:::{}"},
			{"POST", "/v3/registrations", "{}"},
			{"GET", "/realtime", ""},
		} {
			a := send(call[0], call[1], call[2], from.header, "Access-Control-Request-Method: POST", "Content-Type: text/plain")
			if a.StatusCode != from.status || a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s with %s: %s %v, want %d", call[0], call[1], from.header, a.Status, a.Header, from.status)
			}
		}
		for _, path := range []string{"/realtime", "/socket.io/1/websocket/x"} {
			name, value, _ := strings.Cut(from.header, ": ")
			options := &websocket.DialOptions{HTTPClient: i.client, HTTPHeader: http.Header{name: {value}}}
			if name == "Host" {
				options.Host = value
			}
			_, answer, err := websocket.Dial(t.Context(), endpoint+path, options) //nolint:bodyclose // of a failed upgrade
			if err == nil || answer == nil || answer.StatusCode != from.status {
				t.Errorf("websocket %s with %s: %v %v", path, from.header, answer, err)
			}
		}
	}
	if got := users(); got != before {
		t.Errorf("users were made: %s, before %s", got, before)
	}
	for _, want := range []string{`\"https://evil.example.com\" may not call: name that origin in --cors-origins`, "--cert-names"} {
		if !strings.Contains(i.stderr.String(), want) {
			t.Errorf("the log does not say %s", want)
		}
	}

	// Pages of this machine and applications do get an answer, and * lets all in.
	for _, page := range []string{"http://localhost:3000", "capacitor://localhost", endpoint} {
		a := send("POST", create, "", "Origin: "+page)
		if a.StatusCode != http.StatusCreated || a.Header.Get("Access-Control-Allow-Origin") != page {
			t.Errorf("%s: %s %v", page, a.Status, a.Header)
		}
	}
	all := dev(t, t.TempDir(), "--cors-origins", "*")
	endpoint, i = all.labels["Endpoint"], all
	if a := send("POST", create, "", "Origin: https://evil.example.com"); a.StatusCode != http.StatusCreated || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("all pages: %s %v", a.Status, a.Header)
	}
}

// Any name is good for chatd serve, since its key is its own. For chatd dev those are that it was given.
func TestNames(t *testing.T) {
	t.Parallel()
	serve := configured(t, "serve", noEnv, "--store", "sqlite:"+t.TempDir()+"/chatd.db", "--access-key", ownKey, "--resource-id", resource)
	if got := hostsOf(serve); got != nil {
		t.Errorf("serve is called by %q", got)
	}
	dev := configured(t, "dev", noEnv, "--listen", "dev.example.net:8443", "--cert-names", "Chat.example.com,*.example.org,10.0.0.1", "--public-url", "https://public.example.com:8443")
	want := []string{"Chat.example.com", "*.example.org", "10.0.0.1", "public.example.com", "dev.example.net"}
	if got := hostsOf(dev); !slices.Equal(got, want) {
		t.Errorf("dev is called by %q, want %q", got, want)
	}
}
