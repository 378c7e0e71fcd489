package native

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var alice, bob, carol = user(1), user(2), user(3)

func user(n int) chat.Identity {
	return chat.Identity(fmt.Sprintf("8:acs:46849534-eb08-4ab7-bde7-c36928cd1547_00000020-0000-0000-0000-%012x", n))
}

func now() chat.Time { return chat.TimeOf(time.Now()) }

// tokens are the tokens that are accepted. A user's token is their id, until something else is said.
type tokens struct {
	mu      sync.Mutex
	refused map[string]error
	expires map[string]chat.Time
	asked   func(token string) // told of each look, if not nil
}

func (k *tokens) authenticate(_ context.Context, token string) (chat.Identity, chat.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked != nil {
		k.asked(token)
	}
	switch id := chat.Identity(token); {
	case token == "":
		return "", 0, &chat.Error{Kind: chat.Unauthorized, Reason: "no token"}
	case k.refused[token] != nil:
		return "", 0, k.refused[token]
	case !id.WellFormed():
		return "", 0, &chat.Error{Kind: chat.Unauthorized, Reason: "malformed token"}
	default:
		expires, ok := k.expires[token]
		if !ok {
			expires = now() + 24*60*60*1000
		}
		return id, expires, nil
	}
}

func (k *tokens) refuse(token string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refused[token] = err
}

func revoked() error { return &chat.Error{Kind: chat.Unauthorized, Reason: "token is revoked"} }

// world is a server on a store of its own.
type world struct {
	testing.TB
	Config

	db      *store.DB
	journal notify.Journal // db, unless a test puts something else before it
	chat    *chat.Service
	tokens  *tokens
	server  *Server
	handler atomic.Pointer[Server] // server, for a handler that outlives it
	url     string
	client  *http.Client
	pipes   *pipes // in memory
	stop    func() // hub and server, and waits for them
}

// newWorld starts a server on TCP, which ends with the test.
// pagesOf allows pages of these origins, as the program does.
func pagesOf(origins ...string) func(*http.Request) (string, error) {
	return func(r *http.Request) (string, error) {
		page := r.Header.Get("Origin")
		if page == "" || slices.Contains(origins, "*") || slices.Contains(origins, page) {
			return page, nil
		}
		return "", fmt.Errorf("pages of %s may not call", page)
	}
}

func newWorld(tb testing.TB, change ...func(*Config)) *world {
	tb.Helper()
	w := newStore(tb, change...)
	w.serve()
	return w
}

// newStore makes a world in which nothing runs yet.
func newStore(tb testing.TB, change ...func(*Config)) *world {
	tb.Helper()
	w := newEmpty(tb)
	for _, c := range change {
		c(&w.Config)
	}
	var err error
	w.db, err = store.Open(tb.Context(), "memory:", store.Options{})
	w.must(err)
	w.Cleanup(func() { w.must(w.db.Close()) })
	w.journal, w.chat = w.db, chat.NewService(w.db, now, rand.Reader)
	w.users(alice, bob, carol)
	return w
}

// newEmpty makes a world without a store.
func newEmpty(tb testing.TB) *world {
	tb.Helper()
	w := &world{TB: tb, client: http.DefaultClient, tokens: &tokens{refused: map[string]error{}, expires: map[string]chat.Time{}}}
	metrics, err := notify.NewMetrics(prometheus.NewRegistry())
	w.must(err)
	w.Config = Config{Metrics: metrics, Authenticate: w.tokens.authenticate, CORS: pagesOf("*"), Clock: clock.System}
	return w
}

// serve starts hub and server.
func (w *world) serve() {
	w.Helper()
	w.start()
	s := httptest.NewServer(w)
	w.url = s.URL
	w.Cleanup(func() {
		s.Close()
		w.stop()
	})
}

// ServeHTTP hands over to the server of the moment.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) { w.handler.Load().ServeHTTP(rw, r) }

// restart is what clients see when the program is started again on the same store.
func (w *world) restart() {
	w.Helper()
	w.stop()
	w.start()
}

// start starts the hub and a server that is not connected to anything.
func (w *world) start() {
	w.Helper()
	hub, err := notify.NewHub(context.Background(), w.journal, w.Metrics, slog.New(slog.DiscardHandler))
	w.must(err)
	w.Hub = hub
	w.server = New(w.Config)
	w.handler.Store(w.server)
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() { hub.Run(ctx) })
	server := w.server
	tasks.Go(func() { server.Run(ctx) })
	w.stop = func() {
		cancel()
		tasks.Wait()
	}
}

// serveInMemory is serve on connections that exist in this process only, so that a test in a bubble of synctest can do
// without time. A write on such a connection waits until the other side reads.
func (w *world) serveInMemory() {
	w.Helper()
	w.start()
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: w}
	go func() { _ = s.Serve(l) }()
	transport := &http.Transport{DialContext: l.dial}
	w.pipes, w.client, w.url = l, &http.Client{Transport: transport}, "http://memory"
	w.Cleanup(func() {
		w.stop()
		w.must(s.Shutdown(context.Background()))
		transport.CloseIdleConnections()
	})
}

// pipes is a listener on net.Pipe.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex
	last   atomic.Pointer[net.Conn] // the client's end of the last one
	kept   weak.Pointer[remembered] // the server's end of it, while that is in memory
}

// remembered is the server's end of a connection.
type remembered struct{ net.Conn }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		p.last.Store(&here)
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cut ends the last connection without a word.
func (p *pipes) cut() { _ = (*p.last.Load()).Close() }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		r := &remembered{c}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.kept = weak.Make(r)
		return r, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) users(ids ...chat.Identity) {
	w.Helper()
	for _, id := range ids {
		w.must(w.db.AddUser(w.Context(), auth.User{Identity: id, CreatedOn: now()}))
	}
}

// thread makes a thread of the first with the others.
func (w *world) thread(who ...chat.Identity) chat.ThreadID {
	w.Helper()
	in := chat.NewThread{Topic: "lunch"}
	for _, id := range who[1:] {
		in.Participants = append(in.Participants, chat.NewParticipant{Identity: id})
	}
	made, err := w.chat.CreateThread(w.Context(), who[0], in)
	w.must(err)
	return made.Thread.ID
}

func (w *world) send(who chat.Identity, id chat.ThreadID, text string) chat.Message {
	w.Helper()
	m, err := w.chat.SendMessage(w.Context(), who, id, chat.NewMessage{Type: chat.Text, Content: text})
	w.must(err)
	return m
}

// listener is a client.Conn in a test.
type listener struct {
	*client.Conn
	w *world
}

// settle waits until the hub has handed over all that was done.
func (w *world) settle() {
	w.Helper()
	for {
		head, err := w.db.Head(w.Context())
		w.must(err)
		if w.Hub.Position() == head {
			return
		}
		runtime.Gosched()
	}
}

// listen connects a user, who hears what is done from now on, and hangs up when the test ends.
func (w *world) listen(who chat.Identity, o client.Options) *listener {
	w.Helper()
	w.settle()
	c, err := w.dial(who, o)
	w.must(err)
	w.Cleanup(func() { _ = c.Close() })
	return &listener{c, w}
}

func (w *world) dial(who chat.Identity, o client.Options) (*client.Conn, error) {
	if o.HTTPClient == nil {
		o.HTTPClient = w.client
	}
	return client.Dial(w.Context(), w.url, string(who), o)
}

func (l *listener) next() client.Event {
	l.w.Helper()
	e, err := l.Next(l.w.Context())
	l.w.must(err)
	return e
}

// texts hears n events and returns the texts of their messages, "" where there is none.
func (l *listener) texts(n int) []string {
	l.w.Helper()
	var out []string
	for range n {
		e := l.next()
		text := ""
		if e.Message != nil {
			text = e.Message.Content.Message
		}
		out = append(out, text)
	}
	return out
}

// closed waits for the server to close and checks the code; what comes before it is skipped.
func (l *listener) closed(code int) string {
	l.w.Helper()
	for {
		_, err := l.Next(l.w.Context())
		var e *client.CloseError
		switch {
		case err == nil:
		case errors.As(err, &e):
			if e.Code != code {
				l.w.Errorf("closed with %d %q, want %d", e.Code, e.Reason, code)
			}
			return e.Reason
		default:
			l.w.Fatalf("connection ended with %v, want close code %d", err, code)
		}
	}
}

// rawClient is a websocket on which a test says what it likes.
type rawClient struct {
	*websocket.Conn
	w *world
}

func (w *world) raw(header http.Header) *rawClient {
	w.Helper()
	c, _, err := websocket.Dial(w.Context(), w.url+"/realtime", &websocket.DialOptions{HTTPHeader: header, HTTPClient: w.client})
	w.must(err)
	c.SetReadLimit(-1)
	w.Cleanup(func() { _ = c.CloseNow() })
	return &rawClient{c, w}
}

func (r *rawClient) write(text string) {
	r.w.Helper()
	r.w.must(r.Write(r.w.Context(), websocket.MessageText, []byte(text)))
}

func (r *rawClient) read() string {
	r.w.Helper()
	_, data, err := r.Read(r.w.Context())
	r.w.must(err)
	return string(data)
}

// closed waits for the server to close.
func (r *rawClient) closed(code websocket.StatusCode, reason string) {
	r.w.Helper()
	for {
		_, _, err := r.Read(r.w.Context())
		if err == nil {
			continue
		}
		var e websocket.CloseError
		if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Reason, reason) {
			r.w.Errorf("connection ended with %v, want close code %d %q", err, code, reason)
		}
		return
	}
}

// metric is the value of one series, a gauge or a counter.
func metric(m prometheus.Metric) float64 {
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		panic(err)
	}
	return d.GetGauge().GetValue() + d.GetCounter().GetValue()
}
