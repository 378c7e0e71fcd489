package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
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

// clock is a time that moves only when a test moves it.
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
