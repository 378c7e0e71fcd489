package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/devca"
	"github.com/chatd/chatd/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const accessKey = "b3duIGtleSBvZiBhIHRlc3QsIDMyIGJ5dGVzIGxvbmchIQ=="

// testKeys keeps signing keys in memory.
type testKeys struct {
	mu   sync.Mutex
	keys []auth.SigningKey
	err  error // of reading them
}

func (k *testKeys) SigningKeys(context.Context) ([]auth.SigningKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.keys), k.err
}

func (k *testKeys) AddSigningKey(_ context.Context, key auth.SigningKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = append(k.keys, key)
	return nil
}

func (k *testKeys) RemoveSigningKey(context.Context, string) error { return errors.ErrUnsupported }

func (k *testKeys) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// newServer makes a server on a store in memory, which is stopped when the test ends.
func newServer(t *testing.T, change func(*Config)) *Server {
	t.Helper()
	db, err := store.Open(t.Context(), "memory:", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.LoadKeySet(t.Context(), &testKeys{}, chat.TimeOf(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Store: db, Keys: keys, Registry: NewRegistry(Build{}),
		ResourceID: "11111111-2222-4333-8444-555555555555", AccessKeys: []string{accessKey},
	}
	if change != nil {
		change(&c)
	}
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func get(t *testing.T, url string) (int, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	return answer.StatusCode, nil
}

// Load balancers keep connections to back ends for up to 600 s. If the server closes one first, a request may be on its way,
// which the client then sees as a 502.
func TestConnectionsOutliveThoseOfLoadBalancers(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	if got := s.http.IdleTimeout; got <= 600*time.Second {
		t.Errorf("idle connections are closed after %s", got)
	}
	// Small answers have no deadline of their own. A connection of HTTP/2 that reads nothing at all holds back even resets.
	if s.http.WriteTimeout <= 30*time.Second || s.http.HTTP2.WriteByteTimeout == 0 || s.http.HTTP2.MaxConcurrentStreams != 100 {
		t.Errorf("answers have %s, and over HTTP/2 %+v", s.http.WriteTimeout, s.http.HTTP2)
	}
}

// Serving plain http first must not take HTTP/2 away from those who were offered it by TLS.
func TestHTTP2BesidePlainHTTP(t *testing.T) {
	t.Parallel()
	ca, err := devca.New(devca.ConstraintsFor(nil), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := devca.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Sign(ca.Template(nil, time.Now()), key)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(c *Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{"h2", "http/1.1"}}
	})
	closed, open := listen(t), listen(t)
	_ = closed.Close()
	if err := s.http.Serve(closed); err == nil {
		t.Fatal("a closed listener served")
	}
	go s.Run(t.Context(), Listeners{TLS: []net.Listener{open}}, nil) //nolint:errcheck // it is stopped by newServer
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.RootPEM)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("https://" + open.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.ProtoMajor != 2 || response.StatusCode != http.StatusOK {
		t.Errorf("%s %s", response.Proto, response.Status)
	}
}

// Without a list of names any will do; with one the others are refused, whatever they ask for.
func TestNamesOfTheServer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		hosts []string
		want  int
	}{
		{nil, http.StatusOK},
		{[]string{"chat.example.com"}, http.StatusOK},
		{[]string{"other.example.com"}, http.StatusMisdirectedRequest},
		{[]string{}, http.StatusMisdirectedRequest},
	} {
		s := newServer(t, func(c *Config) { c.Hosts = test.hosts })
		w := httptest.NewRecorder()
		s.http.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://chat.example.com/healthz", nil))
		if w.Code != test.want {
			t.Errorf("names %q: %d %s, want %d", test.hosts, w.Code, w.Body, test.want)
		}
	}
}

func TestIncompleteConfig(t *testing.T) {
	t.Parallel()
	if _, err := New(t.Context(), Config{}); err == nil {
		t.Error("a server of nothing")
	}
}

// Run answers as soon as it calls ready, and stops when its context ends; Stop may follow, and be called again.
func TestRun(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	l := listen(t)
	url := "http://" + l.Addr().String() + "/readyz"
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Run(ctx, Listeners{Plain: []net.Listener{l}}, func(context.Context) error {
		if status, err := get(t, url); status != http.StatusOK {
			t.Errorf("at start: %d %v", status, err)
		}
		cancel()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := get(t, url); err == nil {
		t.Error("it still answers")
	}
	if err := errors.Join(s.Stop(), s.Stop()); err != nil {
		t.Error(err)
	}
	if err := s.config.Store.Ready(t.Context()); err == nil {
		t.Error("the store is open")
	}
}

// A server that was stopped before it ran closes its listeners.
func TestStopBeforeRun(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	l := listen(t)
	if err := s.Run(t.Context(), Listeners{Plain: []net.Listener{l}}, nil); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener: %v", err)
	}
}

// What goes wrong at the start, or with a listener, ends Run without the delay.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	mistake := errors.New("mistake")
	s := newServer(t, func(c *Config) { c.StopDelay = time.Hour })
	if err := s.Run(t.Context(), Listeners{}, func(context.Context) error { return mistake }); !errors.Is(err, mistake) {
		t.Errorf("at start: %v", err)
	}
	s = newServer(t, func(c *Config) { c.StopDelay = time.Hour })
	l := listen(t)
	err := s.Run(t.Context(), Listeners{Plain: []net.Listener{l}}, func(context.Context) error { return l.Close() })
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("listener: %v", err)
	}
}

// While the delay passes, the server says that it stops and goes on answering. Stop cuts it short.
func TestStopDelay(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *Config) { c.StopDelay = time.Hour })
	l := listen(t)
	url := "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, Listeners{Plain: []net.Listener{l}}, nil) }()
	cancel()
	for status := 0; status != http.StatusServiceUnavailable; {
		var err error
		if status, err = get(t, url+"/readyz"); err != nil {
			t.Fatal(err)
		}
	}
	if status, err := get(t, url+"/healthz"); status != http.StatusOK {
		t.Errorf("GET /healthz: %d %v", status, err)
	}
	if err := errors.Join(s.Stop(), <-done); err != nil {
		t.Error(err)
	}
}

// Retention follows the clock of the server.
func TestSweepFollowsTheClock(t *testing.T) {
	t.Parallel()
	manual := clock.NewManual()
	manual.Freeze()
	s := newServer(t, func(c *Config) { c.Clock = manual })
	user, err := s.identities.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	created, err := s.chat.CreateThread(t.Context(), user, chat.NewThread{Topic: "x", Retention: chat.Retention{Kind: chat.RetentionCreationDate, Days: 30}})
	if err != nil {
		t.Fatal(err)
	}
	go s.Run(t.Context(), Listeners{}, nil) //nolint:errcheck // it is stopped by newServer
	there := func() bool {
		thread, err := s.chat.GetThread(t.Context(), user, created.Thread.ID)
		return err == nil && thread.DeletedOn == 0
	}
	manual.Advance(29 * 24 * time.Hour)
	if !there() {
		t.Fatal("the thread ends early")
	}
	for there() { // until the sweep, which runs concurrently
		manual.Advance(24 * time.Hour)
	}
}

// A server reads the signing keys again without a token that makes it.
func TestServerRefreshesKeys(t *testing.T) {
	t.Parallel()
	at := &testKeys{}
	now := func() chat.Time { return chat.TimeOf(time.Now()) }
	set, err := auth.LoadKeySet(t.Context(), at, now())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := &Server{config: Config{Clock: clock.System, Keys: set, Log: slog.New(slog.NewTextHandler(&log, nil))}}
		go s.refreshKeys(t.Context())
		if _, err := auth.RotateKey(t.Context(), at, now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(RefreshEvery + time.Second) // of the bubble's clock
		synctest.Wait()
		if jwks, err := set.JWKS(now()); err != nil || !strings.Contains(string(jwks), `"kid":"2"`) {
			t.Errorf("%s %v", jwks, err)
		}
		at.fail(errors.New("half a fi"))
		for range 2 {
			time.Sleep(RefreshEvery + time.Second) // of the bubble's clock
			synctest.Wait()
		}
		if n := strings.Count(log.String(), "signing keys could not be read again"); n != 1 {
			t.Errorf("logged %d times: %s", n, log.String())
		}
	})
}
