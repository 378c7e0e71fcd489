// Package server is a whole chatd: the REST APIs, the operators' routes and the real-time protocols on one store, from start to
// stop. It knows no flags, files or addresses; those are of cmd/chatd.
package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/httpapi"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/web"
)

const (
	answerTimeout = time.Minute       // from the head of a request to the end of its answer; large answers go on as long as the client reads
	stallTimeout  = 30 * time.Second  // for a client of HTTP/2 to read anything at all
	maxStreams    = 100               // requests at once on a connection of HTTP/2; RFC 9113 would have no fewer
	idleTimeout   = 620 * time.Second // for a connection without a request: longer than load balancers keep theirs, which is up to 600 s
)

// Config is what a server is made of. Store, Keys, Registry, ResourceID and AccessKeys are required.
type Config struct {
	Store    *store.DB            // open; the server closes it when it stops
	Keys     *auth.KeySet         // sign and verify user tokens
	Registry *prometheus.Registry // what /metrics shows; see NewRegistry
	Build    Build                // what /version answers
	Clock    clock.Clock          // clock.System when nil
	Log      *slog.Logger         // discarded when nil

	ResourceID   string   // a GUID
	AccessKeys   []string // base64; any of them signs requests
	EntraToken   string   // the bearer that the Identity API accepts besides signatures; empty for none
	ImagesPerDay int      // that a user may upload in 24 hours; 0 for any number

	TLS       *tls.Config    // of Listeners.TLS
	CAPEM     []byte         // what /ca.pem answers; nil when the certificate was not made by chatd
	TrustHelp string         // what the log advises when a client does not trust the certificate
	Hosts     []string       // the host names, perhaps with a wildcard, that requests may name beside private ones; nil for any
	Origins   Origins        // the web pages that may call
	PublicURL string         // that links are built from; empty for what the request says
	Proxies   []netip.Prefix // whose forwarded headers are believed

	StopDelay time.Duration // how long Run keeps serving after its context ended, while /readyz says that it stops
	Ephemeral bool          // the store ends with the server, and the log says so
}

// Server is a chatd. Run serves, once; Stop ends it.
type Server struct {
	config     Config
	identities *auth.Identities
	chat       *chat.Service
	http       *http.Server
	operations *operations
	realtime   *realtime

	jobs    group         // of the store and its keys
	serving group         // of listeners
	asked   chan struct{} // closed by Stop
	stop    sync.Once
	stopErr error
}

// New makes a server, which does nothing until Run. After an error the store is still open.
func New(ctx context.Context, c Config) (*Server, error) {
	if c.Store == nil || c.Keys == nil || c.Registry == nil || c.ResourceID == "" || len(c.AccessKeys) == 0 {
		return nil, errors.New("server: incomplete configuration")
	}
	if c.Clock == nil {
		c.Clock = clock.System
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var keyIDs []auth.KeyID
	for _, key := range c.AccessKeys {
		id, err := auth.KeyIDOf(key)
		if err != nil {
			return nil, err
		}
		keyIDs = append(keyIDs, id)
	}
	s := &Server{config: c, asked: make(chan struct{})}
	s.identities = auth.NewIdentities(c.ResourceID, c.Keys, c.Store, s.now, keyIDs...)
	s.chat = chat.NewService(c.Store, s.now, rand.Reader)
	s.chat.ImagesPerDay = c.ImagesPerDay
	s.operations = &operations{registry: c.Registry, store: c.Store.Ready, keys: c.Keys, caPEM: c.CAPEM, build: c.Build, now: s.now}
	base := web.Base(c.PublicURL, c.Proxies, c.Log)
	cors := func(r *http.Request) (string, error) { return c.Origins.allow(r, base) }
	api, err := s.newAPI(ctx, base, cors)
	if err != nil {
		return nil, err
	}
	if s.realtime, err = s.newRealtime(ctx, base, cors); err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler:           s.handler(api),
		TLSConfig:         c.TLS,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       idleTimeout,
		WriteTimeout:      answerTimeout,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: stallTimeout},
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          newErrorLog(c.TrustHelp, c.Log),
	}
	return s, nil
}

// now is the time of everything that follows a rule.
func (s *Server) now() chat.Time { return chat.TimeOf(s.config.Clock.Now()) }

// Identities are the users of the server and their tokens.
func (s *Server) Identities() *auth.Identities { return s.identities }

// newAPI makes the handler of the REST APIs. The host of the public URL is accepted in signatures too, since a proxy may change Host.
func (s *Server) newAPI(ctx context.Context, base func(*http.Request) string, cors func(*http.Request) (string, error)) (http.Handler, error) {
	var hosts []string
	if u, err := url.Parse(s.config.PublicURL); err == nil && u.Host != "" {
		hosts = append(hosts, u.Host)
	}
	accessKeys, err := auth.NewAccessKeys(s.config.AccessKeys, hosts)
	if err != nil {
		return nil, err
	}
	cursorKey, err := s.config.Store.Secret(ctx, "cursor")
	if err != nil {
		return nil, err
	}
	return httpapi.New(httpapi.Config{
		Chat:       s.chat,
		Identities: s.identities,
		AccessKeys: accessKeys,
		EntraToken: s.config.EntraToken,
		Base:       base,
		CORS:       cors,
		CursorKey:  cursorKey,
		Log:        s.config.Log,
		Metrics:    s.config.Registry,
		Now:        s.now,
	})
}
