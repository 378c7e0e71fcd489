package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/server"
	"github.com/chatd/chatd/internal/store"
)

// printVersion is chatd version.
func printVersion(_ context.Context, p *program, cfg *config) error {
	b := buildInfo()
	if cfg.json {
		return writeJSON(p.stdout, struct {
			server.Build
			Platform string `json:"platform"`
		}{b, runtime.GOOS + "/" + runtime.GOARCH})
	}
	_, err := fmt.Fprintf(p.stdout, "chatd %s\ncommit %s\n%s %s/%s\n", b.Version, b.Commit, b.Go, runtime.GOOS, runtime.GOARCH)
	return err
}

// caPath is where the development CA is, made or not.
func (c *config) caPath() (string, error) {
	dir, err := c.folder()
	return filepath.Join(dir, caFile), err
}

// migrate brings the schema up to date without serving, for installations where a different database user has to
// do it, and prints the version of the schema. On a store that is up to date it changes nothing.
func migrate(ctx context.Context, p *program, cfg *config) error {
	// Opening migrates. Nothing is read from the journal, so no connection for notifications is needed.
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

// certFlags are the arguments of chatd cert.
func certFlags(f *flag.FlagSet, c *config) {
	f.BoolVar(&c.printPEM, "print", false, "print the CA certificate itself, in PEM form")
	f.BoolVar(&c.printBundle, "bundle", false, "print the roots that this system trusts and the CA certificate, in PEM form, for what trusts one file only")
	jsonFlag(f, c)
}

// cert shows the development CA that the server made. It makes none: a CA that no server uses would be trusted in
// vain. With --print or --bundle it prints what a running server shows where the folder has no CA, as in a
// container whose volume is elsewhere, and warns on stderr, since that connection cannot be verified.
func cert(ctx context.Context, p *program, cfg *config) error {
	ca, dir, shownBy, err := cfg.currentCA(ctx)
	if err != nil {
		return err
	}
	if cfg.printBundle {
		ca = bundle(ca)
	}
	if cfg.printPEM || cfg.printBundle {
		if shownBy != "" {
			fmt.Fprintf(p.stderr, "chatd: the CA is what the server at %s shows; nobody vouches for it\n", shownBy)
		}
		_, err = p.stdout.Write(ca)
		return err
	}
	if shownBy != "" {
		return elsewhere(shownBy, dir)
	}
	path := filepath.Join(dir, caFile)
	if cfg.json {
		return writeJSON(p.stdout, map[string]string{"caCertificate": path, "caBundle": filepath.Join(dir, bundleFile)})
	}
	var b strings.Builder
	writeRows(&b, [][2]string{{"CA certificate", path}})
	writeTrust(&b, dir)
	_, err = io.WriteString(p.stdout, b.String())
	return err
}

// jsonFlag is the argument of all commands that can print one JSON object instead of text.
func jsonFlag(f *flag.FlagSet, c *config) {
	f.BoolVar(&c.json, "json", false, "print one JSON object")
}

// writeJSON writes one object on one line, so that scripts can read it with jq or line by line.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // of & in a connection string
	return e.Encode(v)
}

const (
	// For one request; less than the 4 s that deploy/Dockerfile gives the whole command.
	healthTime = 3 * time.Second
	healthGap  = 200 * time.Millisecond // between two looks of chatd health --wait
	maxWait    = 10 * time.Minute
)

// healthFlags are the arguments of chatd health.
func healthFlags(f *flag.FlagSet, c *config) {
	f.DurationVar(&c.wait, "wait", 0, "how long to wait for the server to be ready, such as 30s; at most 10m")
}

// health asks a running server of this configuration whether it is ready, over https and else over plain http. The
// exit code is what container health checks look at: 0 when it is ready, 1 when it is not. With --wait it asks
// again until the time is over, so that scripts can start a server and continue when it serves.
func health(ctx context.Context, p *program, cfg *config) error {
	if cfg.wait < 0 || cfg.wait > maxWait {
		return usagef("--wait is %s: want a time such as 30s, at most 10m", cfg.wait)
	}
	// A wait of zero still asks once.
	over := time.After(cfg.wait)
	for {
		err := cfg.isReady(ctx)
		if err == nil {
			_, err = fmt.Fprintln(p.stdout, "ready")
			return err
		}
		select {
		case <-over:
			return fmt.Errorf("not ready: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", err)
		case <-time.After(healthGap):
		}
	}
}

// isReady asks once, with a time limit: a server that hangs is not ready.
func (c *config) isReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	return c.probeAny(ctx)
}

// probeAny needs one answer only: a health check may run where the CA of the https server is not available.
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

// probeTLS asks the https server of this configuration whether it is ready. The certificate is verified, see
// clientTLS, so that another server at the same address does not count.
func (c *config) probeTLS(ctx context.Context, address string) error {
	client, err := c.clientTLS()
	if err != nil {
		return err
	}
	err = probe(ctx, "https", address, client)
	if c.tlsCert == "" {
		if dir, unknown := c.folder(); unknown == nil {
			err = asStranger(err, address, dir)
		}
	}
	return err
}

// probe asks /readyz of a server that listens on the address; nil means that it answered 200. The error of any
// other answer has the reason that the server gave. client is nil for plain http.
func probe(ctx context.Context, scheme, address string, client *tls.Config) error {
	// No proxy: one in the environment cannot reach addresses of this machine, so it must not come between a
	// server and its probe.
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
	// /readyz names the part that is not ready in one line.
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return nil
}
