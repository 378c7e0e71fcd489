package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/store"
)

func printVersion(_ context.Context, p *program, _ *config) error {
	b := buildInfo()
	_, err := fmt.Fprintf(p.stdout, "chatd %s\ncommit %s\n%s %s/%s\n", b.Version, b.Commit, b.Go, runtime.GOOS, runtime.GOARCH)
	return err
}

// caPath is where the development CA is, made or not.
func (c *config) caPath() (string, error) {
	dir, err := c.folder()
	return filepath.Join(dir, caFile), err
}

// migrate brings the schema up to date without serving, for those who let another user of the database do it.
func migrate(ctx context.Context, p *program, cfg *config) error {
	db, err := store.Open(ctx, cfg.store, store.Options{Listen: store.NoListen})
	if err != nil {
		return err
	}
	version, err := db.Schema(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "the schema is up to date: %d\n", version)
	return err
}

func certFlags(f *flag.FlagSet, c *config) {
	f.BoolVar(&c.printPEM, "print", false, "print the CA certificate itself, in PEM form")
}

// cert tells about the development CA, and makes it if the server has not yet, so that it can be trusted beforehand.
func cert(_ context.Context, p *program, cfg *config) error {
	dir, err := cfg.privateFolder()
	if err != nil {
		return err
	}
	ca, err := openAuthority(dir, nil, time.Now())
	if err != nil {
		return err
	}
	if cfg.printPEM {
		_, err = p.stdout.Write(ca.pem)
		return err
	}
	var b strings.Builder
	writeRows(&b, [][2]string{{"CA certificate", ca.path()}})
	writeTrust(&b, ca.path())
	_, err = io.WriteString(p.stdout, b.String())
	return err
}

const healthTime = 3 * time.Second

// health asks a running server of this configuration whether it is ready, over https and else over plain http.
func health(ctx context.Context, p *program, cfg *config) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	if err := cfg.probeAny(ctx); err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	_, err := fmt.Fprintln(p.stdout, "ready")
	return err
}

// probeAny is content with one answer, as a check from elsewhere may lack what it takes to trust the https server.
func (c *config) probeAny(ctx context.Context) error {
	var refused error
	if c.listen != "" {
		if refused = c.probeTLS(ctx, c.listen); refused == nil {
			return nil
		}
	}
	if c.httpListen == "" {
		return refused
	}
	plain := probe(ctx, "http", c.httpListen, nil)
	if plain == nil {
		return nil
	}
	return errors.Join(refused, plain)
}

// probeTLS asks the https server of this configuration.
func (c *config) probeTLS(ctx context.Context, address string) error {
	client, err := c.clientTLS()
	if err != nil {
		return err
	}
	return probe(ctx, "https", address, client)
}

// probe asks /readyz of a server that listens on the address.
func probe(ctx context.Context, scheme, address string, client *tls.Config) error {
	transport := &http.Transport{TLSClientConfig: client, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+reachable(address)+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return nil
}
