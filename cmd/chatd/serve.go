package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/httpapi"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/web"
)

const (
	drainTime  = 10 * time.Second    // for running requests when the server stops
	answerTime = time.Minute         // from the head of a request to the end of its answer; large answers go on as long as the client reads
	stallTime  = 30 * time.Second    // for a client of HTTP/2 to read anything at all
	maxStreams = 100                 // requests at once on a connection of HTTP/2; RFC 9113 would have no fewer
	idleTime   = 620 * time.Second   // for a connection without a request: longer than load balancers keep theirs, which is up to 600 s
	startTime  = 10 * time.Second    // for the server to answer itself when it starts
	sweepEvery = time.Minute         // looks for threads whose retention ended
	keepFor    = 30 * 24 * time.Hour // deleted threads stay listed, as deleted, so long
)

// server is a running chatd.
type server struct {
	cfg   *config
	log   *slog.Logger
	http  *http.Server
	ops   *ops
	core  *core
	ca    *authority // nil with a given certificate and without https
	tasks sync.WaitGroup

	realtime *realtime
}

// front is how the server is seen from outside.
type front struct {
	base func(*http.Request) string          // by which scheme and host a client reaches it
	cors func(*http.Request) (string, error) // whether a web page may call; see httpapi.Config
}

// core is what needs no network: the store, the keys in it and the services on them.
type core struct {
	db         *store.DB
	keys       *auth.KeySet
	identities *auth.Identities
	chat       *chat.Service
}

func now() chat.Time { return chat.TimeOf(time.Now()) }

// serve is chatd dev and chatd serve. It returns when ctx is done and all is closed.
func serve(ctx context.Context, p *program, cfg *config) error {
	s, err := newServer(ctx, cfg, cfg.newLogger(p))
	if err == nil {
		err = errors.Join(s.run(ctx, p), s.core.db.Close())
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) { // asked to stop before it was ready
		return nil
	}
	return err
}

func newServer(ctx context.Context, cfg *config, log *slog.Logger) (*server, error) {
	var ca *authority
	var secure *tls.Config
	if cfg.listen != "" { // else no folder is needed for a certificate either
		cert, own, err := openCertificate(cfg, log)
		if err != nil {
			return nil, err
		}
		ca, secure = own, cert.config()
	}
	registry := newRegistry()
	core, err := openCore(ctx, cfg, store.Options{Log: log, Observe: observeStore(registry), Server: true})
	if err != nil {
		return nil, err
	}
	base := web.Base(cfg.publicURL, cfg.trustedProxies, log)
	front := front{base: base, cors: func(r *http.Request) (string, error) { return cfg.corsOrigins.allow(r, base) }}
	api, err := newAPI(ctx, cfg, core, front, log, registry)
	if err != nil {
		return nil, errors.Join(err, core.db.Close())
	}
	s := &server{cfg: cfg, log: log, core: core, ca: ca}
	if s.realtime, err = newRealtime(ctx, core, front, log, registry); err != nil {
		return nil, errors.Join(err, core.db.Close())
	}
	s.ops = &ops{registry: registry, store: core.db.Ready, keys: core.keys}
	if ca != nil {
		s.ops.caPEM = ca.pem
	}
	handler := s.realtime.handler(s.ops.handler(api))
	if cfg.command == "dev" {
		handler = hostsOf(cfg).guard(log, handler)
	}
	s.http = &http.Server{
		Handler:           handler,
		TLSConfig:         secure,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       idleTime,
		WriteTimeout:      answerTime,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: stallTime},
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          newWebLog(cfg, log),
	}
	return s, nil
}

// openCore opens the store and the keys that belong to it.
func openCore(ctx context.Context, cfg *config, o store.Options) (*core, error) {
	o.Listen, o.Async, o.Endpoints = cfg.storeListen, cfg.durability == "async", cfg.endpointsPerUser
	db, err := store.Open(ctx, cfg.store, o)
	if err != nil {
		return nil, err
	}
	keys, err := cfg.openKeys(ctx, db, o.AsIs)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	var keyIDs []auth.KeyID
	for _, key := range cfg.keys() {
		id, err := auth.KeyIDOf(key)
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
		keyIDs = append(keyIDs, id)
	}
	identities := auth.NewIdentities(cfg.resourceID, keys, db, now, keyIDs...)
	service := chat.NewService(db, now, rand.Reader)
	service.ImagesPerDay = cfg.imagesPerDay
	return &core{db: db, keys: keys, identities: identities, chat: service}, nil
}

func newAPI(ctx context.Context, cfg *config, core *core, front front, log *slog.Logger, metrics prometheus.Registerer) (http.Handler, error) {
	var hosts []string
	if u, err := url.Parse(cfg.publicURL); err == nil && u.Host != "" {
		hosts = append(hosts, u.Host)
	}
	accessKeys, err := auth.NewAccessKeys(cfg.keys(), hosts)
	if err != nil {
		return nil, err
	}
	cursorKey, err := core.db.Secret(ctx, "cursor")
	if err != nil {
		return nil, err
	}
	return httpapi.New(httpapi.Config{
		Chat:       core.chat,
		Identities: core.identities,
		AccessKeys: accessKeys,
		EntraToken: cfg.entraToken,
		Base:       front.base,
		CORS:       front.cors,
		CursorKey:  cursorKey,
		Log:        log,
		Metrics:    metrics,
		Now:        now,
	})
}

// run listens, announces itself once it answers, and serves until ctx is done.
func (s *server) run(ctx context.Context, p *program) error {
	secure, err := listen(ctx, "listen", s.cfg.listen)
	if err != nil {
		return err
	}
	plain, err := listen(ctx, "http-listen", s.cfg.httpListen)
	if err != nil {
		closeAll(secure)
		return err
	}
	profiles, err := listen(ctx, "profile-listen", s.cfg.profileListen)
	if err != nil {
		closeAll(slices.Concat(secure, plain))
		return err
	}
	defer closeAll(profiles)
	serveProfiles(profiles, s.log)
	failed := make(chan error, len(secure)+len(plain))
	for _, l := range secure {
		go func() { failed <- s.http.ServeTLS(l, "", "") }()
	}
	for _, l := range plain {
		go func() { failed <- s.http.Serve(l) }()
	}
	tasks, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.tasks.Go(func() { s.sweep(tasks) })
	s.tasks.Go(func() { s.refreshKeys(tasks) })
	s.tasks.Go(func() { s.realtime.run(tasks) })

	err = s.begin(ctx, p, secure, plain)
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	s.ops.stopping.Store(true)
	if err == nil {
		s.log.Info("stopping", s.lost()...)
		time.Sleep(s.cfg.stopDelay)
	}
	cancel()       // listeners are said goodbye to,
	s.tasks.Wait() // and have gone, long polls too,
	s.drain()      // before requests are waited for
	return err
}

// lost is what the log says of data that ends with the server.
func (s *server) lost() []any {
	if s.cfg.store != "memory:" {
		return nil
	}
	return []any{"data", "users, threads and messages were in memory and are gone; --store sqlite:PATH keeps them"}
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // what it accepted is not waited for
	}
}

// begin waits until the server answers over its own listener, and says so.
func (s *server) begin(ctx context.Context, p *program, secure, plain []net.Listener) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	r := ready{cfg: s.cfg, newCA: s.ca != nil && s.ca.made}
	var err error
	if len(plain) > 0 {
		r.plain = "http://" + net.JoinHostPort(hostOf(s.cfg.httpListen), portOf(plain[0]))
		r.endpoint = r.plain
		err = probe(ctx, "http", plain[0].Addr().String(), nil)
	}
	if len(secure) > 0 {
		r.endpoint = "https://" + net.JoinHostPort(hostOf(s.cfg.listen), portOf(secure[0]))
		err = errors.Join(err, s.cfg.probeTLS(ctx, secure[0].Addr().String()))
	}
	if err != nil {
		return fmt.Errorf("the server does not answer itself: %w", err)
	}
	r.endpoint = cmp.Or(s.cfg.publicURL, r.endpoint)
	if s.cfg.command == "serve" {
		about := []any{
			"endpoint", r.endpoint, "http", r.plain, "version", buildInfo().Version,
			"connection_string", auth.ConnectionString{Endpoint: r.endpoint, AccessKey: "<CHATD_ACCESS_KEY>"}.String(),
		}
		if r.newCA {
			about = append(about, "ca", s.ca.path()+" is new: clients have to trust it, also where an earlier one was trusted")
		}
		s.log.Info("ready", about...)
		return nil
	}
	s.warn()
	return r.announce(ctx, p, s.core.identities)
}

// warn tells when somebody else could use the key that everybody knows.
func (s *server) warn() {
	if s.cfg.accessKey == wellKnownKey && (isPublic(s.cfg.listen) || isPublic(s.cfg.httpListen)) {
		s.log.Warn("other machines can connect, and the development access key is known to everybody")
	}
}

// drain stops taking requests and waits for those that run.
func (s *server) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut off", "after", drainTime, "error", err)
		_ = s.http.Close() // what it could say was said
	}
}

// sweep carries out what the retention of threads demands.
func (s *server) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// One node of all sweeps. The lease ends before the next round, so that any of them may be the next.
		mine, err := s.core.db.Lease(ctx, "sweep", sweepEvery-sweepEvery/10)
		if err == nil && mine {
			err = s.core.chat.Sweep(ctx, keepFor)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("retention sweep failed", "error", err)
		}
	}
}
