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

func certFlags(f *flag.FlagSet, c *config) {
	f.BoolVar(&c.printPEM, "print", false, "print the CA certificate itself, in PEM form")
}

// cert tells about the development CA, and makes it if the server has not yet, so that it can be trusted beforehand.
func cert(_ context.Context, p *program, cfg *config) error {
	dir, err := cfg.privateFolder()
	if err != nil {
		return err
	}
	ca, err := openAuthority(dir, time.Now())
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
	client, err := cfg.clientTLS()
	if err == nil {
		err = probe(ctx, "https", reachable(cfg.listen), client)
	}
	if err != nil && cfg.httpListen != "" {
		if plain := probe(ctx, "http", reachable(cfg.httpListen), nil); plain != nil {
			err = errors.Join(err, plain)
		} else {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	_, err = fmt.Fprintln(p.stdout, "ready")
	return err
}

// probe asks /readyz of an address.
func probe(ctx context.Context, scheme, address string, client *tls.Config) error {
	transport := &http.Transport{TLSClientConfig: client, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address+"/readyz", nil)
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
