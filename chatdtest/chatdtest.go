// Package chatdtest runs chatd inside a Go test: in the process of the test, on a loopback address, with a store in memory, a
// certificate made for it and a clock that the test can move. No program has to be installed and no folder is written.
//
//	func TestChat(t *testing.T) {
//		server := chatdtest.Start(t)
//		alice := server.NewUser(t)
//		// Point an SDK at server.Endpoint with alice.Token, or at server.ConnectionString.
//	}
//
// Servers are independent of each other, so parallel tests may each start their own, which takes some milliseconds.
package chatdtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/devca"
	"github.com/chatd/chatd/internal/server"
	"github.com/chatd/chatd/internal/store"
)

// Server is a running chatd.
type Server struct {
	Endpoint         string         // the URL that clients call, https://127.0.0.1:PORT
	ConnectionString string         // endpoint and access key, as SDKs take them for requests to the Identity API
	CAPEM            []byte         // the certificate that clients have to trust, in PEM form
	CertPool         *x509.CertPool // the same for Go
	Clock            *Clock         // the time of the server

	server *server.Server
	client *http.Client
	ran    chan error // the result of running, once
	close  sync.Once
	err    error // of closing
}

// Option changes how a server is started.
type Option func(*options)

type options struct {
	store string
	log   io.Writer
}

// Store is where the server keeps everything, instead of memory: "sqlite:PATH" for a file, "postgres://…" for a database. Servers
// that get the same URL, one after the other or on a database at once, are one installation: the same users, tokens, threads,
// access key, but each with its own Endpoint.
func Store(url string) Option { return func(o *options) { o.store = url } }

// Log is where the server writes its log, instead of the log of the test.
func Log(w io.Writer) Option { return func(o *options) { o.log = w } }

// Start starts a server, which stops when the test ends. When the test has failed, the log of the server is printed with it.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	log := &buffer{}
	s, err := New(append([]Option{Log(log)}, opts...)...)
	if err != nil {
		t.Fatalf("start chatd: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("stop chatd: %v", err)
		}
		if text := log.String(); t.Failed() && text != "" {
			t.Logf("log of chatd at %s:\n%s", s.Endpoint, text)
		}
	})
	return s
}

// New starts a server that runs until Close, for use without a test, as in TestMain. Without the option Log it logs nothing.
func New(opts ...Option) (*Server, error) {
	o := options{store: "memory:", log: io.Discard}
	for _, option := range opts {
		option(&o)
	}
	accessKey, resource := identity(o.store)
	s := &Server{Clock: &Clock{clock.NewManual()}, ran: make(chan error, 1)}
	certificate, err := s.makeCertificate()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.Endpoint = "https://" + listener.Addr().String()
	s.ConnectionString = auth.ConnectionString{Endpoint: s.Endpoint, AccessKey: accessKey}.String()
	s.server, err = newServer(o, server.Config{
		Clock:      s.Clock.manual,
		Log:        slog.New(slog.NewTextHandler(o.log, nil)),
		ResourceID: resource,
		AccessKeys: []string{accessKey},
		TLS:        &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*certificate}, NextProtos: []string{"h2", "http/1.1"}},
		CAPEM:      s.CAPEM,
		TrustHelp:  "it has to trust chatdtest's Server.CertPool",
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	go func() {
		s.ran <- s.server.Run(context.Background(), server.Listeners{TLS: []net.Listener{listener}}, nil)
	}()
	return s, nil
}

// newServer opens the store and makes a server on it.
func newServer(o options, c server.Config) (*server.Server, error) {
	ctx := context.Background()
	c.Build = server.Build{Version: "chatdtest", Commit: "unknown", Go: runtime.Version()}
	c.Registry = server.NewRegistry(c.Build)
	db, err := store.Open(ctx, o.store, store.Options{Log: c.Log, Observe: server.ObserveStore(c.Registry), Server: true})
	if err != nil {
		return nil, err
	}
	c.Store = db
	key, err := signingKey()
	if err == nil {
		err = db.AddSigningKey(ctx, key) // which does nothing where the store has one
	}
	if err == nil {
		c.Keys, err = auth.ReadKeySet(ctx, db)
	}
	var s *server.Server
	if err == nil {
		s, err = server.New(ctx, c)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// signingKey is the same for all servers of the process, since making one takes longer than everything else at a start. A token is
// good for one server only all the same, as it names its resource.
var signingKey = sync.OnceValues(func() (auth.SigningKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return auth.SigningKey{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return auth.SigningKey{ID: "1", PKCS8: der, CreatedOn: chat.TimeOf(time.Now())}, err
})

// makeCertificate makes a certificate for this machine, and what clients need to trust it.
func (s *Server) makeCertificate() (*tls.Certificate, error) {
	now := time.Now()
	ca, err := devca.New(devca.ConstraintsFor(nil), now)
	if err != nil {
		return nil, err
	}
	key, err := devca.NewKey()
	if err != nil {
		return nil, err
	}
	s.CAPEM, s.CertPool = ca.RootPEM, x509.NewCertPool()
	s.CertPool.AppendCertsFromPEM(ca.RootPEM)
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CertPool}, ForceAttemptHTTP2: true}}
	return ca.Sign(ca.Template(nil, now), key)
}

// Client returns a client that trusts the server. It is the same at each call.
func (s *Server) Client() *http.Client { return s.client }

// Close stops the server and waits until everything has ended: real-time connections are closed and running requests answered. It may
// be called more than once.
func (s *Server) Close() error {
	s.close.Do(func() {
		s.err = errors.Join(s.server.Stop(), <-s.ran)
		s.client.CloseIdleConnections()
	})
	return s.err
}

// User is a user with a token.
type User struct {
	ID        string // 8:acs:…
	Token     string
	ExpiresOn time.Time // 24 hours later on the server's clock
}

// NewUser makes a user with a token of these scopes: chat, chat.join, chat.join.limited, voip, voip.join. Without any it is chat.
func (s *Server) NewUser(t testing.TB, scopes ...string) User {
	t.Helper()
	user, err := s.CreateUser(t.Context(), scopes...)
	if err != nil {
		t.Fatalf("new user: %v", err)
	}
	return user
}

// CreateUser is NewUser for use without a test.
func (s *Server) CreateUser(ctx context.Context, scopes ...string) (User, error) {
	id, err := s.server.Identities().Create(ctx)
	if err != nil {
		return User{}, err
	}
	return s.issue(ctx, id, scopes)
}

// NewToken makes another token for a user, for when the first has expired; scopes are as for NewUser.
func (s *Server) NewToken(t testing.TB, userID string, scopes ...string) User {
	t.Helper()
	user, err := s.issue(t.Context(), chat.Identity(userID), scopes)
	if err != nil {
		t.Fatalf("new token: %v", err)
	}
	return user
}

func (s *Server) issue(ctx context.Context, id chat.Identity, names []string) (User, error) {
	if len(names) == 0 {
		names = []string{string(auth.ScopeChat)}
	}
	scopes, err := auth.ParseScopes(names)
	if err != nil {
		return User{}, err
	}
	token, err := s.server.Identities().Issue(ctx, id, scopes, 24*time.Hour, "")
	return User{ID: string(id), Token: token.Value, ExpiresOn: token.ExpiresOn}, err
}

// identity is the access key and the resource of an installation: those of a store that others can use follow from its URL.
func identity(store string) (accessKey, resource string) {
	var seed [48]byte
	if store == "memory:" {
		rand.Read(seed[:])
	} else {
		seed = sha512.Sum384([]byte(store))
	}
	id := seed[32:]
	return base64.StdEncoding.EncodeToString(seed[:32]), fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// buffer is a log that is read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
