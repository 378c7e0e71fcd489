package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/web"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pgtest.Stop()
		os.Exit(code)
	}))
}

const (
	resource      = "46849534-eb08-4ab7-bde7-c36928cd1547"
	otherResource = "5795a645-fc19-4bc8-8ef8-d47a39de2658"

	primaryKey   = "cHJpbWFyeSBhY2Nlc3Mga2V5IG9mIHRoZSB0ZXN0cyE="
	secondaryKey = "c2Vjb25kYXJ5IGFjY2VzcyBrZXkgb2YgdGhlIHRlc3Q="
	entraToken   = "static-entra-token-of-the-tests"
	cursorKey    = "key of the continuations of the tests"

	newestChat     = "2025-03-15"
	newestIdentity = "2023-10-01"
)

// moment is when the world of a test begins. It has a fraction of a second, which answers of Chat do not show.
var moment = chat.TimeOf(time.Date(2025, 3, 20, 10, 20, 30, 456e6, time.UTC))

// clock is a time that stands still until it is moved.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() chat.Time          { return chat.Time(c.ms.Load()) }
func (c *clock) set(t chat.Time)         { c.ms.Store(int64(t)) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// stamp is how Chat writes the present moment.
func (c *clock) stamp() string { return c.now().Std().Format("2006-01-02T15:04:05Z") }

// signingKey is shared by all tests: keys take long to make under the race detector.
var signingKey = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return der
})

// bench is one running server on a store of its own, and all that a test may look at or turn.
type bench struct {
	testing.TB
	*httptest.Server
	clock   *clock
	db      *store.DB
	keys    *auth.KeySet
	ids     *auth.Identities
	chat    *chat.Service
	metrics *prometheus.Registry
	log     *logbook
	secrets *secrets
	version string // api-version of Chat that callers made here use; empty for the newest
}

// setup is what an option may change before the server starts.
type setup struct {
	Config
	public  string // URL
	proxies []netip.Prefix
	db      *store.DB
	keys    *auth.KeySet
	clock   *clock
	tls     bool
	start   func(*httptest.Server) // last changes of the http server
}

type option func(*setup)

func withTLS(s *setup) { s.tls = true }

func withPublicURL(url string) option { return func(s *setup) { s.public = url } }

// withStore puts a layer between the service and its store.
func withStore(layer func(chat.Store) chat.Store) option {
	return func(s *setup) { s.Chat = chat.NewService(layer(s.db), s.clock.now, rand.Reader) }
}

// withUsers puts a layer between the identities and their store.
func withUsers(layer *countingUsers) option {
	return func(s *setup) {
		layer.UserStore = s.db
		s.Identities = auth.NewIdentities(resource, s.keys, layer, s.clock.now)
	}
}

// countingUsers counts the users that are made.
type countingUsers struct {
	auth.UserStore
	added atomic.Int64
}

// AddUser counts.
func (c *countingUsers) AddUser(ctx context.Context, u auth.User) error {
	c.added.Add(1)
	return c.UserStore.AddUser(ctx, u)
}

// newBench starts a server on a store in memory, which ends with the test.
func newBench(tb testing.TB, options ...option) *bench {
	tb.Helper()
	return newBenchOn(tb, "memory:", options...)
}

// newBenchOn starts a server on the store of the URL.
func newBenchOn(tb testing.TB, url string, options ...option) *bench {
	tb.Helper()
	b := &bench{TB: tb, clock: &clock{}, metrics: prometheus.NewRegistry(), log: &logbook{}, secrets: &secrets{}}
	b.clock.set(moment)
	b.db = must(store.Open(tb.Context(), url, store.Options{}))(tb)
	tb.Cleanup(func() {
		if err := b.db.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := b.db.AddSigningKey(tb.Context(), auth.SigningKey{ID: "1", PKCS8: signingKey(), CreatedOn: moment}); err != nil {
		tb.Fatal(err)
	}
	b.keys = must(auth.LoadKeySet(tb.Context(), b.db, moment))(tb)
	b.ids = auth.NewIdentities(resource, b.keys, b.db, b.clock.now, keyIDs(tb)...)
	b.chat = chat.NewService(b.db, b.clock.now, rand.Reader)
	s := &setup{db: b.db, keys: b.keys, clock: b.clock, Config: Config{
		Chat:       b.chat,
		Identities: b.ids,
		AccessKeys: must(auth.NewAccessKeys([]string{primaryKey, secondaryKey}, nil))(tb),
		EntraToken: entraToken,
		CORS:       pagesOf(),
		CursorKey:  []byte(cursorKey),
		Log:        slog.New(slog.NewJSONHandler(b.log, nil)),
		Metrics:    b.metrics,
		Now:        b.clock.now,
	}}
	for _, o := range options {
		o(s)
	}
	s.Base = web.Base(s.public, s.proxies, s.Log)
	b.secrets.keep(primaryKey, secondaryKey, entraToken, cursorKey)
	b.Server = httptest.NewUnstartedServer(must(New(s.Config))(tb))
	b.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // about clients that break off
	b.Config.WriteTimeout = time.Minute                                         // as the program has it: large answers move the deadline of their connection
	if s.start != nil {
		s.start(b.Server)
	}
	if s.tls {
		b.StartTLS()
	} else {
		b.Start()
	}
	b.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	tb.Cleanup(func() {
		b.Close()
		b.secrets.absent(tb, "the log", b.log.String())
	})
	return b
}

// keyIDs are those of the server's access keys.
func keyIDs(tb testing.TB) []auth.KeyID {
	return []auth.KeyID{must(auth.KeyIDOf(primaryKey))(tb), must(auth.KeyIDOf(secondaryKey))(tb)}
}

// in returns the bench for a subtest that shares the server.
func (b *bench) in(tb testing.TB) *bench {
	other := *b
	other.TB = tb
	return &other
}

// at returns the bench with another api-version of Chat for the callers made with it.
func (b *bench) at(version string) *bench {
	other := *b
	other.version = version
	return &other
}

// must returns a function that gives the value, or fails the test.
func must[T any](value T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return value
	}
}

// caller is somebody who calls the server.
type caller struct {
	b         *bench
	id        string // of a user; empty for others
	token     string
	version   string // api-version of requests that name none themselves
	authorize func(r *http.Request, body []byte)
}

// user makes a user with a token; of scope chat when none is named.
func (b *bench) user(scopes ...auth.Scope) caller {
	b.Helper()
	return b.holder(string(must(b.ids.Create(b.Context()))(b)), scopes...)
}

// users makes n users that need no tokens.
func (b *bench) users(n int) []string {
	b.Helper()
	out := make([]string, n)
	for i := range out {
		out[i] = string(must(b.ids.Create(b.Context()))(b))
	}
	return out
}

// holder gives a user that exists a new token.
func (b *bench) holder(id string, scopes ...auth.Scope) caller {
	b.Helper()
	if len(scopes) == 0 {
		scopes = []auth.Scope{auth.ScopeChat}
	}
	token := must(b.ids.Issue(b.Context(), chat.Identity(id), scopes, 24*time.Hour, ""))(b)
	c := b.bearer(token.Value)
	c.id = id
	return c
}

// bearer is a caller of Chat with any token.
func (b *bench) bearer(token string) caller {
	b.secrets.keep(token)
	version := b.version
	if version == "" {
		version = newestChat
	}
	return caller{b: b, token: token, version: version, authorize: func(r *http.Request, _ []byte) {
		r.Header.Set("Authorization", "Bearer "+token)
	}}
}

// nobody calls without credentials.
func (b *bench) nobody() caller {
	return caller{b: b, version: newestChat, authorize: func(*http.Request, []byte) {}}
}

// owner is who has the access key of the resource.
func (b *bench) owner() caller { return b.ownerBy(primaryKey) }

// ownerBy is who has that key.
func (b *bench) ownerBy(key string) caller { return b.signer(key, b.clock.now) }

// ownerAt signs with a date.
func (b *bench) ownerAt(date time.Time) caller {
	return b.signer(primaryKey, func() chat.Time { return chat.TimeOf(date) })
}

func (b *bench) signer(key string, now func() chat.Time) caller {
	return caller{b: b, version: newestIdentity, authorize: func(r *http.Request, body []byte) {
		if err := auth.Sign(r, body, key, now().Std()); err != nil {
			b.Fatal(err)
		}
	}}
}

func (c caller) at(version string) caller {
	c.version = version
	return c
}

func (c caller) in(tb testing.TB) caller {
	c.b = c.b.in(tb)
	return c
}

func (c caller) get(target string, headers ...string) *answer {
	c.b.Helper()
	return c.do("GET", target, "", headers...)
}

func (c caller) post(target, body string, headers ...string) *answer {
	c.b.Helper()
	return c.do("POST", target, body, headers...)
}

func (c caller) patch(target, body string, headers ...string) *answer {
	c.b.Helper()
	return c.do("PATCH", target, body, append([]string{"Content-Type: application/merge-patch+json"}, headers...)...)
}

func (c caller) delete(target string, headers ...string) *answer {
	c.b.Helper()
	return c.do("DELETE", target, "", headers...)
}

// do sends a request and returns the checked answer. The caller's api-version is added to a target that names none, as
// is the scheme and host to one that begins with a slash; headers are "Name: value".
func (c caller) do(method, target, body string, headers ...string) *answer {
	c.b.Helper()
	r := c.request(method, target, body, headers...)
	return c.b.send(r)
}

// request makes a request without sending it.
func (c caller) request(method, target, body string, headers ...string) *http.Request {
	c.b.Helper()
	if c.version != "" && !strings.Contains(target, "api-version=") {
		mark := "?"
		if strings.Contains(target, "?") {
			mark = "&"
		}
		target += mark + "api-version=" + c.version
	}
	if strings.HasPrefix(target, "/") {
		target = c.b.URL + target
	}
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := must(http.NewRequestWithContext(c.b.Context(), method, target, content))(c.b)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	c.authorize(r, []byte(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Set(name, strings.TrimSpace(value))
		if strings.EqualFold(name, "Host") {
			r.Host = strings.TrimSpace(value)
		}
	}
	return r
}

// send sends a request and returns the checked answer.
func (b *bench) send(r *http.Request) *answer {
	b.Helper()
	b.secrets.sent(r.Header.Get("Authorization"))
	response := must(b.Client().Do(r))(b)
	return b.read(r, response)
}

// together sends requests at the same time and returns their checked answers.
func (b *bench) together(requests ...*http.Request) []*answer {
	b.Helper()
	responses, errs := make([]*http.Response, len(requests)), make([]error, len(requests))
	var group sync.WaitGroup
	for i, r := range requests {
		b.secrets.sent(r.Header.Get("Authorization"))
		group.Go(func() { responses[i], errs[i] = b.Client().Do(r) })
	}
	group.Wait()
	out := make([]*answer, len(requests))
	for i, r := range requests {
		out[i] = b.read(r, must(responses[i], errs[i])(b))
	}
	return out
}

// read takes an answer, and checks what all answers have in common.
func (b *bench) read(r *http.Request, response *http.Response) *answer {
	b.Helper()
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	body := must(io.ReadAll(response.Body))(b)
	a := &answer{b: b, request: r, status: response.StatusCode, header: response.Header, body: body}
	a.check()
	return a
}

// secrets are what no answer and no line of the log may hold.
type secrets struct {
	mu   sync.Mutex
	kept map[string]bool
}

func (s *secrets) keep(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string]bool{}
	}
	for _, w := range words {
		if len(w) >= 16 { // what is shorter is no secret and occurs by chance
			s.kept[w] = true
		}
	}
}

// sent keeps what an Authorization header holds: a token, or a signature.
func (s *secrets) sent(authorization string) {
	if _, signature, ok := strings.Cut(authorization, "Signature="); ok {
		s.keep(signature)
		return
	}
	_, token, _ := strings.Cut(authorization, " ")
	s.keep(strings.TrimSpace(token))
}

// absent fails the test when the text holds a secret.
func (s *secrets) absent(tb testing.TB, where, text string) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.kept {
		if strings.Contains(text, w) {
			tb.Errorf("%s holds a secret: %.20s…", where, w)
		}
	}
}

// logbook is the log of a server.
type logbook struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next line
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.text.Write(p)
}

func (l *logbook) String() string {
	text, _ := l.look()
	return text
}

// look returns the log, and what is closed when more is in it.
func (l *logbook) look() (string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.text.String(), l.changed
}

// find waits for the first line of the log that holds a word, since the line of a request is written after its answer.
func (l *logbook) find(tb testing.TB, word string) map[string]any {
	tb.Helper()
	limit := time.After(20 * time.Second)
	for {
		text, changed := l.look()
		for line := range strings.Lines(text) {
			if strings.Contains(line, word) {
				return parsed(tb, line)
			}
		}
		select {
		case <-changed:
		case <-limit:
			tb.Fatalf("the log has no line with %s", word)
		}
	}
}

func parsed(tb testing.TB, line string) map[string]any {
	tb.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(line), &out); err != nil {
		tb.Fatalf("line of the log is no JSON: %v: %s", err, line)
	}
	return out
}

// of returns the line of the request that was answered.
func (l *logbook) of(tb testing.TB, a *answer) map[string]any {
	tb.Helper()
	return l.find(tb, `"msg":"request","request_id":"`+a.header.Get("MS-CV")+`"`)
}
