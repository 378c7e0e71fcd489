package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// certificate is what the server presents to TLS clients. While the server runs, a generated one is renewed and a
// given one is read again, so that neither an expiry nor certbot needs a restart. There is no goroutine for it:
// the handshake that finds the certificate older than every loads it.
type certificate struct {
	load  func(now time.Time) (*tls.Certificate, error)
	every time.Duration // how long to wait before loading it again
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate // never nil after start
	loaded  time.Time        // when loading was last tried, also in vain
}

// start loads the certificate for the first time.
func (c *certificate) start() (err error) {
	c.loaded = c.now()
	c.current, err = c.load(c.loaded)
	return err
}

// get is the tls.Config.GetCertificate of the server. When loading fails, it logs that, keeps the old certificate,
// and tries again after every: files may be replaced one after the other, and then do not belong together for a
// moment.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.loaded) < c.every {
		return c.current, nil
	}
	c.loaded = now
	fresh, err := c.load(now)
	if err != nil {
		c.log.Error("certificate could not be renewed, the old one stays", "error", err)
		return c.current, nil
	}
	c.current = fresh
	return fresh, nil
}

// config lists the protocols explicitly: an http.Server that serves plain http first would otherwise offer HTTP/2 to TLS clients
// without speaking it.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

// openCertificate returns the certificate of the configuration, and its CA when chatd made both. It also writes
// the bundle for clients beside the CA.
func openCertificate(cfg *config, log *slog.Logger) (*certificate, *authority, error) {
	c := &certificate{now: time.Now, log: log}
	if cfg.tlsCert != "" {
		// Two small files: cheap enough to notice a new certificate soon.
		c.every = time.Minute
		c.load = func(time.Time) (*tls.Certificate, error) { return loadPair(cfg) }
		return c, nil, c.start()
	}
	dir, err := cfg.privateFolder()
	if err != nil {
		return nil, nil, err
	}
	ca, err := openAuthority(dir, cfg.certNames, c.now())
	if err != nil {
		return nil, nil, err
	}
	if err := update(filepath.Join(dir, bundleFile), bundle(ca.RootPEM), 0o644); err != nil {
		return nil, nil, err
	}
	// It is replaced 30 days before its end (renewBefore), so an hour more does not matter.
	c.every = time.Hour
	c.load = func(now time.Time) (*tls.Certificate, error) { return ca.leaf(cfg.certNames, now) }
	return c, ca, c.start()
}

// loadPair reads the given certificate and its key.
func loadPair(cfg *config) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cfg.tlsCert, cfg.tlsKey)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
	}
	return &pair, nil
}

// clientTLS is how a client on this machine verifies the server of this configuration: by the development CA, or by the given
// certificate itself, under one of its names.
func (c *config) clientTLS() (*tls.Config, error) {
	path, name := c.tlsCert, ""
	if path == "" {
		dir, err := c.folder()
		if err != nil {
			return nil, err
		}
		path, name = filepath.Join(dir, caFile), "localhost"
	}
	data, err := os.ReadFile(path)
	if c.tlsCert == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no CA in %s: no server was started with it as its --config-dir", filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	der, err := pemBlock(path, data, certificateBlock)
	if err != nil {
		return nil, err
	}
	first, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if name == "" {
		name = nameIn(first)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(data)
	return &tls.Config{RootCAs: roots, ServerName: name}, nil
}

// nameIn is a host name that the certificate is good for: a probe connects to an address of this machine, which a
// given certificate need not have. A wildcard is filled with any label.
func nameIn(cert *x509.Certificate) string {
	switch {
	case len(cert.DNSNames) > 0:
		return strings.Replace(cert.DNSNames[0], "*", "any", 1)
	case len(cert.IPAddresses) > 0:
		return cert.IPAddresses[0].String()
	default:
		return "localhost"
	}
}
