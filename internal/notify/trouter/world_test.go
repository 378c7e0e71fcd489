package trouter

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/delivery"
	"github.com/chatd/chatd/internal/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var alice, bob, carol = user(1), user(2), user(3)

func user(n int) chat.Identity {
	return chat.Identity(fmt.Sprintf("8:acs:46849534-eb08-4ab7-bde7-c36928cd1547_00000020-0000-0000-0000-%012x", n))
}

func now() chat.Time { return chat.TimeOf(time.Now()) }

const (
	thread      = chat.ThreadID("19:acsV1_one@thread.v2")
	otherThread = chat.ThreadID("19:acsV1_two@thread.v2")
)

// world is a server in a bubble of synctest, on connections and a journal that exist in memory only. Time stands still
// until all is quiet.
type world struct {
	testing.TB
	Config

	journal  *journal
	tokens   *tokens
	logs     *logbook
	registry *prometheus.Registry
	server   *Server
	client   *http.Client
	listener *pipes
	view     *view         // of the journal
	stop     func()        // hub and server, as when the program ends
	clock    *clock.Manual // of the servers; it runs with the time of the bubble until a test moves it
	shared   bool          // there are other servers
}

// pagesOf allows pages of these origins and those of the server's own, as the program does.
func pagesOf(origins ...string) func(*http.Request) (string, error) {
	return func(r *http.Request) (string, error) {
		page := r.Header.Get("Origin")
		if page == "" || page == "http://"+r.Host || slices.Contains(origins, "*") || slices.Contains(origins, page) {
			return page, nil
		}
		return "", fmt.Errorf("pages of %s may not call", page)
	}
}

// bubble runs a test in a world of its own.
func bubble(t *testing.T, test func(*world), change ...func(*Config)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t, change...)) })
}

func newWorld(tb testing.TB, change ...func(*Config)) *world {
	tb.Helper()
	w := &world{
		TB: tb, journal: newJournal(), tokens: &tokens{refused: map[string]error{}, expires: map[string]chat.Time{}},
		logs: &logbook{}, clock: clock.NewManual(),
	}
	w.Config = Config{
		Log: slog.New(w.logs), Authenticate: w.tokens.authenticate, Revalidate: w.tokens.revalidate, Secret: []byte("secret"),
		Clock: w.clock,
		Base:  func(r *http.Request) string { return "http://" + r.Host }, CORS: pagesOf("*"),
	}
	for _, c := range change {
		c(&w.Config)
	}
	w.open()
	return w
}

// addServer opens another server on the same store.
func (w *world) addServer(change ...func(*Config)) *world {
	w.Helper()
	w.shared = true
	other := &world{TB: w.TB, Config: w.Config, journal: w.journal, tokens: w.tokens, logs: w.logs, clock: w.clock, shared: true}
	for _, c := range change {
		c(&other.Config)
	}
	other.open()
	return other
}

// open lets the server be reached until the test ends.
func (w *world) open() {
	w.Helper()
	w.registry, w.listener = prometheus.NewRegistry(), newPipes()
	var err error
	w.Metrics, err = notify.NewMetrics(w.registry)
	w.must(err)
	w.start()
	transport := &http.Transport{DialContext: w.listener.dial}
	w.client = &http.Client{Transport: transport}
	web := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.server.ServeHTTP(rw, r) }), WriteTimeout: time.Minute}
	go func() { _ = web.Serve(w.listener) }()
	w.Cleanup(func() {
		w.stop()
		transport.CloseIdleConnections()
		w.must(web.Close())
		time.Sleep(time.Second) // net/http waits a little after a body that was too large
	})
}

// start starts hub and server on what is in the journal.
func (w *world) start() {
	w.Helper()
	if !w.shared { // as the store does for one that only one server can have
		w.journal.release()
	}
	w.view = w.journal.newView()
	hub, err := notify.NewHub(context.Background(), w.view, w.Metrics, w.Config.Log)
	w.must(err)
	w.Hub, w.Endpoints = hub, w.view
	w.server = New(w.Config)
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

// restart ends the server in good order and starts another on the same store.
func (w *world) restart() {
	w.Helper()
	w.stop()
	w.start()
}

// crash is a restart of which the first server knew nothing: what it had not saved is lost.
func (w *world) crash() {
	w.Helper()
	synctest.Wait()
	w.view.dead.Store(true)
	w.listener.cut()
	w.stop()
	w.start()
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// addEvent journals an event of the thread, and returns its position.
func (w *world) addEvent(e chat.Event) chat.Position {
	w.Helper()
	if e.ThreadID == "" {
		e.ThreadID, e.Key = thread, 1
	}
	return w.journal.add(e)
}

// sendMessage journals a message of alice.
func (w *world) sendMessage(text string) chat.Position {
	w.Helper()
	return w.addEvent(message(text))
}

// sendMessages journals n messages "<from>", "<from+1>" … and returns their texts.
func (w *world) sendMessages(from, n int) []string {
	w.Helper()
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(from + i)
		w.sendMessage(out[i])
	}
	return out
}

func message(text string) chat.Event {
	at := now()
	return chat.Event{
		Kind: chat.MessageReceived, Actor: alice, At: at, Version: int64(at), ThreadID: thread, Key: 1,
		Message: &chat.Message{ID: chat.MessageID(at), Type: chat.Text, Sender: alice, SenderName: "Alice", Content: chat.Content{Text: text}},
	}
}

// metric returns the sum of a metric's series that have the labels, "name=value" each.
func (w *world) metric(name string, labels ...string) float64 {
	w.Helper()
	families, err := w.registry.Gather()
	w.must(err)
	total := 0.0
	for _, f := range families {
		if f.GetName() != "chatd_realtime_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if has(m, labels) {
				total += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return total
}

func has(m *dto.Metric, labels []string) bool {
	for _, want := range labels {
		if !slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName()+"="+l.GetValue() == want }) {
			return false
		}
	}
	return true
}

// withoutBob is a roster version of the first thread.
const withoutBob = 7

// journal is one in memory. alice and bob hear all of the first thread, but for events of the roster without bob; alice and
// carol all of the other.
type journal struct {
	mu           sync.Mutex
	events       []chat.Event
	oldest       chat.Position // positions before were purged
	endpoints    map[endpointKey]delivery.Endpoint
	saves        int
	eventsErr    error // of reading events
	endpointsErr error // of endpoints
	views        []*view
}

func newJournal() *journal { return &journal{endpoints: map[endpointKey]delivery.Endpoint{}} }

func (j *journal) add(e chat.Event) chat.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(e)
}

// append adds an event; the lock is held.
func (j *journal) append(e chat.Event) chat.Position {
	e.Position = chat.Position(len(j.events)) + 1
	j.events = append(j.events, e)
	for _, v := range j.views {
		select {
		case v.changed <- struct{}{}:
		default:
		}
	}
	return e.Position
}

// empty makes it that of a new store.
func (j *journal) empty() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events, j.oldest, j.endpoints = nil, 0, map[endpointKey]delivery.Endpoint{}
}

func (j *journal) purge(before chat.Position) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.oldest = before
}

// failEvents has events not be read, lose endpoints neither be read nor written.
func (j *journal) failEvents(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.eventsErr = err
}

func (j *journal) failEndpoints(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.endpointsErr = err
}

func (j *journal) Head(context.Context) (chat.Position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return chat.Position(len(j.events)), j.eventsErr
}

func (j *journal) Oldest(context.Context) (chat.Position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.oldest, j.eventsErr
}

func (j *journal) After(_ context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := min(max(position, j.oldest-1, 0), chat.Position(len(j.events)))
	return slices.Clone(j.events[from:min(from+chat.Position(limit), chat.Position(len(j.events)))]), j.eventsErr
}

func (j *journal) Audience(_ context.Context, key chat.ThreadKey, roster chat.RosterVersion) ([]chat.Participant, error) {
	switch {
	case key == 2:
		return []chat.Participant{{Identity: alice}, {Identity: carol}}, nil
	case roster == withoutBob:
		return []chat.Participant{{Identity: alice}}, nil
	}
	return []chat.Participant{{Identity: alice}, {Identity: bob}}, nil
}

// tokens are the tokens that are accepted: a user's is their id, with or without something behind a dot.
type tokens struct {
	mu      sync.Mutex
	refused map[string]error
	expires map[string]chat.Time
	issued  []string           // tokens that were seen; the time of their issue is their place here
	onCheck func(token string) // told of each look, if not nil
}

func (k *tokens) authenticate(_ context.Context, token string) (Caller, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	owner, _, _ := strings.Cut(token, ".")
	expires, ok := k.expires[token]
	if !ok {
		expires = now() + 24*60*60*1000
	}
	if err := k.refusal(token); err != nil {
		return Caller{}, err
	}
	id := chat.Identity(owner)
	if !id.WellFormed() || expires <= now() {
		return Caller{}, &chat.Error{Kind: chat.Unauthorized, Reason: "bad token"}
	}
	if !slices.Contains(k.issued, token) {
		k.issued = append(k.issued, token)
	}
	return Caller{id, chat.Time(slices.Index(k.issued, token)), expires, keyOf(token)}, nil
}

func (k *tokens) revalidate(_ context.Context, c Caller) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	token := k.issued[c.Issued]
	if !strings.HasPrefix(token, string(c.User)) || c.Key != keyOf(token) {
		panic("another token is asked for")
	}
	return k.refusal(token)
}

// keyOf is the key of a token: one with something behind the dot has one.
func keyOf(token string) string {
	if _, more, _ := strings.Cut(token, "."); more != "" {
		return fmt.Sprint("key", len(more))
	}
	return ""
}

// refusal tells whether a token was refused; the lock is held.
func (k *tokens) refusal(token string) error {
	if k.onCheck != nil {
		k.onCheck(token)
	}
	return k.refused[token]
}

func (k *tokens) refuse(token string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refused[token] = err
}

func (k *tokens) expire(token string, in time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.expires[token] = chat.TimeOf(time.Now().Add(in))
}

func revoked() error { return &chat.Error{Kind: chat.Unauthorized, Reason: "token is revoked"} }

// logbook remembers what was logged as "LEVEL message key=value …".
type logbook struct {
	mu    sync.Mutex
	lines []string
}

func (b *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logbook) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b *logbook) WithGroup(string) slog.Handler            { return b }

func (b *logbook) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	return nil
}

// find returns the lines with all the parts in them.
func (b *logbook) find(parts ...string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.lines), func(line string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
	})
}

// pipes is a listener on net.Pipe: a write waits until the other side reads.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	ports []net.Conn // the server's ends
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		p.mu.Lock()
		p.ports = append(p.ports, there)
		p.mu.Unlock()
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cut ends all connections without a word.
func (p *pipes) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.ports {
		_ = c.Close()
	}
	p.ports = nil
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, io.EOF
	}
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func sorted[T ~string](in []T) []T {
	slices.Sort(in)
	return in
}
