package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/server"
	"github.com/chatd/chatd/internal/store"
)

const startTimeout = 10 * time.Second // for the server to answer itself when it starts

// node is a server of this process, with what is needed to run and announce it.
type node struct {
	*server.Server
	cfg      *config
	log      *slog.Logger
	registry *prometheus.Registry
	ca       *authority // nil with a given certificate and without https
}

// now is the time of the machine. Commands have no other; servers go by their Clock.
func now() chat.Time { return chat.TimeOf(time.Now()) }

// serve is chatd dev and chatd serve. It returns when ctx is done and everything is closed; a stop that was asked
// for is not an error, even when it came before the server was ready.
func serve(ctx context.Context, p *program, cfg *config) error {
	n, err := newNode(ctx, cfg, cfg.newLogger(p))
	if err == nil {
		err = n.run(ctx, p)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) { // stopped before it was ready
		return nil
	}
	return err
}

// newNode makes a server of the configuration: it opens the certificate, the store and the keys, and makes what is
// missing. Nothing listens yet. After an error nothing is left open.
func newNode(ctx context.Context, cfg *config, log *slog.Logger) (*node, error) {
	build := buildInfo()
	n := &node{cfg: cfg, log: log, registry: server.NewRegistry(build)}
	c := server.Config{
		Registry: n.registry, Build: build, Log: log,
		ResourceID: cfg.resourceID, AccessKeys: cfg.keys(), EntraToken: cfg.entraToken, ImagesPerDay: cfg.imagesPerDay,
		Origins: cfg.corsOrigins, PublicURL: cfg.publicURL, Proxies: cfg.trustedProxies, Hosts: hostsOf(cfg),
		TrustHelp: "chatd cert tells where its CA is and how to trust it",
		StopDelay: cfg.stopDelay, Ephemeral: cfg.store == "memory:",
	}
	if cfg.tlsCert != "" {
		c.TrustHelp = "look at the certificate of --tls-cert: its chain, its names and its dates"
	}
	if cfg.listen != "" { // otherwise no folder is needed for a certificate either
		cert, ca, err := openCertificate(cfg, log)
		if err != nil {
			return nil, err
		}
		c.TLS = cert.config()
		if n.ca = ca; ca != nil {
			c.CAPEM = ca.RootPEM
		}
	}
	var err error
	c.Store, c.Keys, err = openStore(ctx, cfg, store.Options{Log: log, Observe: server.ObserveStore(n.registry), Server: true})
	if err != nil {
		return nil, err
	}
	if n.Server, err = server.New(ctx, c); err != nil {
		return nil, errors.Join(err, c.Store.Close())
	}
	return n, nil
}

// hostsOf are the names by which clients may call chatd dev; nil, which allows all, for chatd serve. The
// development key is public, so that a web page could otherwise reach a developer's server under a host name of
// its own that resolves to 127.0.0.1 (DNS rebinding). The key of chatd serve is secret, which such a page does not
// have.
func hostsOf(cfg *config) []string {
	if cfg.command != "dev" {
		return nil
	}
	hosts := append([]string{}, cfg.certNames...)
	if u, err := url.Parse(cfg.publicURL); err == nil {
		hosts = append(hosts, u.Hostname())
	}
	for _, address := range []string{cfg.listen, cfg.httpListen} {
		if host, _, err := net.SplitHostPort(address); err == nil {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// openStore opens the store and the signing keys that belong to it. o has what the caller decides; the rest is
// from the settings. The caller closes the store.
func openStore(ctx context.Context, cfg *config, o store.Options) (*store.DB, *auth.KeySet, error) {
	o.Listen, o.Async, o.Endpoints = cfg.storeListen, cfg.durability == "async", cfg.endpointsPerUser
	db, err := store.Open(ctx, cfg.store, o)
	if err != nil {
		return nil, nil, err
	}
	keys, err := cfg.openKeys(ctx, db, o.AsIs)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, keys, nil
}

// run listens, announces the server once it answers, and serves until ctx is done. All addresses are opened before
// anything is served, so that a server whose second address is taken never answers on the first.
func (n *node) run(ctx context.Context, p *program) error {
	secure, err := listen(ctx, "listen", n.cfg.listen)
	if err != nil {
		return errors.Join(err, n.Stop())
	}
	plain, err := listen(ctx, "http-listen", n.cfg.httpListen)
	if err != nil {
		closeAll(secure)
		return errors.Join(err, n.Stop())
	}
	profiles, err := listen(ctx, "profile-listen", n.cfg.profileListen)
	if err != nil {
		closeAll(slices.Concat(secure, plain))
		return errors.Join(err, n.Stop())
	}
	// They are served until the very end, to see what a slow stop waits for.
	defer closeAll(profiles)
	serveProfiles(profiles, n.log)
	return n.Run(ctx, server.Listeners{TLS: secure, Plain: plain}, func(ctx context.Context) error {
		return n.announce(ctx, p, secure, plain)
	})
}

// closeAll closes listeners that no server has taken over.
func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // what it accepted is not waited for
	}
}

// announce waits until the server answers over its own listeners, and says so: chatd dev on stdout, chatd serve in
// the log, without the key. It verifies the certificate, so that an expired one fails the start and not the first
// user.
func (n *node) announce(ctx context.Context, p *program, secure, plain []net.Listener) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	r := ready{cfg: n.cfg, newCA: n.ca != nil && n.ca.made}
	var err error
	if len(plain) > 0 {
		r.plain = "http://" + net.JoinHostPort(hostOf(n.cfg.httpListen), portOf(plain[0]))
		r.endpoint = r.plain
		err = probe(ctx, "http", plain[0].Addr().String(), nil)
	}
	if len(secure) > 0 {
		r.endpoint = "https://" + net.JoinHostPort(hostOf(n.cfg.listen), portOf(secure[0]))
		err = errors.Join(err, n.cfg.probeTLS(ctx, secure[0].Addr().String()))
	}
	if err != nil {
		return fmt.Errorf("the server does not answer itself: %w", err)
	}
	// Behind a proxy clients use its address; the server itself was asked directly.
	r.endpoint = cmp.Or(n.cfg.publicURL, r.endpoint)
	if n.cfg.command == "serve" {
		about := []any{
			"endpoint", r.endpoint, "http", r.plain, "version", buildInfo().Version,
			"connection_string", auth.ConnectionString{Endpoint: r.endpoint, AccessKey: "<CHATD_ACCESS_KEY>"}.String(),
		}
		if r.newCA {
			about = append(about, "ca", n.ca.path()+" is new: clients have to trust it, also where an earlier one was trusted")
		}
		n.log.Info("ready", about...)
		return nil
	}
	n.warnOfKnownKey()
	return r.announce(ctx, p, n.Identities())
}

// warnOfKnownKey warns when other machines can use the development key, which is public.
func (n *node) warnOfKnownKey() {
	if n.cfg.accessKey == wellKnownKey && (isPublic(n.cfg.listen) || isPublic(n.cfg.httpListen)) {
		n.log.Warn("other machines can connect, and the development access key is known to everybody")
	}
}
