package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/devca"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func openCA(t *testing.T, dir string, now time.Time, names ...string) *authority {
	t.Helper()
	a, err := openAuthority(dir, names, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// pools are what a client trusts, and what the server sends.
func (a *authority) pools(t *testing.T) (roots, between *x509.CertPool) {
	t.Helper()
	roots, between = x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM(a.RootPEM) {
		t.Fatal("no root")
	}
	between.AddCert(a.Cert)
	return roots, between
}

func (a *authority) mustLeaf(t *testing.T, now time.Time, names ...string) *x509.Certificate {
	t.Helper()
	pair, err := a.leaf(names, now)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestLeaf(t *testing.T) {
	t.Parallel()
	names := []string{"chat.example.com", "10.1.2.3", "203.0.113.7", "*.Example.org"}
	a := openCA(t, t.TempDir(), noon, names...)
	leaf := a.mustLeaf(t, noon, names...)
	roots, between := a.pools(t)
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "host.docker.internal", "chat.example.com", "10.1.2.3", "203.0.113.7", "a.example.org"} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between, CurrentTime: noon}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if leaf.NotAfter.Sub(leaf.NotBefore) > 397*24*time.Hour {
		t.Errorf("the leaf lives from %s to %s", leaf.NotBefore, leaf.NotAfter)
	}
	if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature || len(leaf.AuthorityKeyId) == 0 || !leaf.BasicConstraintsValid {
		t.Errorf("leaf: %+v", leaf)
	}
	if !a.Cert.IsCA || !a.Cert.MaxPathLenZero || a.Cert.KeyUsage&x509.KeyUsageCertSign == 0 || len(a.Cert.SubjectKeyId) == 0 {
		t.Errorf("CA: %+v", a.Cert)
	}
	root, err := x509.ParseCertificate(devca.PEMBlocks(a.RootPEM, certificateBlock)[0])
	if err != nil || !root.IsCA || root.MaxPathLen != 1 || root.KeyUsage&x509.KeyUsageCertSign == 0 || root.PublicKey.(*ecdsa.PublicKey).Equal(&a.Key.PublicKey) {
		t.Errorf("root: %+v %v", root, err)
	}
	if name := root.Subject.CommonName; !strings.HasPrefix(name, "chatd development CA (") || len(name) > 64 {
		t.Errorf("the CA is called %q", name)
	}
}

func TestLeafIsKeptWhileGood(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := openCA(t, dir, noon, "a.example")
	first := a.mustLeaf(t, noon, "a.example")
	tests := []struct {
		name  string
		now   time.Time
		names []string
		kept  bool
	}{
		{"at once", noon, []string{"a.example"}, true},
		{"long before its end", first.NotAfter.Add(-renewBefore - time.Minute), []string{"a.example"}, true},
		{"shortly before its end", first.NotAfter.Add(-renewBefore + time.Minute), []string{"a.example"}, false},
		{"before its time", first.NotBefore.Add(-time.Minute), []string{"a.example"}, false},
		{"other names", noon, []string{"b.example"}, false},
		{"fewer names", noon, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own := t.TempDir()
			if err := os.CopyFS(own, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			got := openCA(t, own, tt.now, tt.names...).mustLeaf(t, tt.now, tt.names...)
			if got.Equal(first) != tt.kept {
				t.Errorf("kept: %t, want %t", got.Equal(first), tt.kept)
			}
		})
	}
}

func TestBrokenLeafIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := openCA(t, dir, noon)
	a.mustLeaf(t, noon)
	write(t, filepath.Join(dir, "leaf.pem"), "half a fi")
	a.mustLeaf(t, noon)
	if !bytes.HasPrefix(read(t, filepath.Join(dir, "leaf.pem")), []byte("-----BEGIN CERTIFICATE-----")) {
		t.Error("the file is still broken")
	}
}

func TestStartsTogetherAgreeOnTheCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	found := make([]*authority, 16)
	var all sync.WaitGroup
	for i := range found {
		all.Go(func() {
			a, err := openAuthority(dir, nil, noon)
			if err == nil {
				_, err = a.leaf(nil, noon)
			}
			if err != nil {
				t.Error(err)
			}
			found[i] = a
		})
	}
	all.Wait()
	for _, a := range found[1:] {
		if a == nil || !bytes.Equal(a.RootPEM, found[0].RootPEM) {
			t.Fatal("two have different CAs")
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUnusableCA(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		now   time.Time
		want  string
	}{
		{"other key", func(t *testing.T, dir string) {
			other := t.TempDir()
			openCA(t, other, noon)
			_, certs, _ := strings.Cut(string(read(t, filepath.Join(other, "ca-key.pem"))), "-----BEGIN CERTIFICATE")
			path := filepath.Join(dir, "ca-key.pem")
			key, _, _ := strings.Cut(string(read(t, path)), "-----BEGIN CERTIFICATE")
			write(t, path, key+"-----BEGIN CERTIFICATE"+certs)
		}, noon, "do not belong together"},
		{"no key", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "ca-key.pem"), "x") }, noon, "PRIVATE KEY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			openCA(t, dir, noon)
			tt.spoil(t, dir)
			if _, err := openAuthority(dir, nil, tt.now); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// ticking is a clock that a test moves.
type ticking struct{ time.Time }

func (c *ticking) now() time.Time { return c.Time }

// The running server renews its certificate, looking at most once an hour.
func TestRenewal(t *testing.T) {
	t.Parallel()
	a := openCA(t, t.TempDir(), noon)
	clock := &ticking{noon}
	looks := 0
	c := &certificate{
		every: time.Hour, now: clock.now, log: slog.New(slog.DiscardHandler),
		load: func(now time.Time) (*tls.Certificate, error) { looks++; return a.leaf(nil, now) },
	}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	get := func() *x509.Certificate {
		t.Helper()
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf
	}
	first := get()
	clock.Time = noon.Add(59 * time.Minute)
	if get(); looks != 1 {
		t.Errorf("%d looks within an hour", looks)
	}
	clock.Time = first.NotAfter.Add(-renewBefore).Add(time.Minute)
	second := get()
	if second.Equal(first) || second.NotAfter.Before(clock.AddDate(1, 0, 0)) || looks != 2 {
		t.Errorf("after %d looks the certificate ends on %s", looks, second.NotAfter)
	}
}

func TestGivenCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := &config{tlsCert: filepath.Join(dir, "cert.pem"), tlsKey: filepath.Join(dir, "key.pem")}
	giveCertificate(t, cfg, "one.example")
	clock := &ticking{noon}
	c := &certificate{
		every: time.Minute, now: clock.now, log: slog.New(slog.DiscardHandler),
		load: func(time.Time) (*tls.Certificate, error) { return loadPair(cfg) },
	}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	shows := func(want string) {
		t.Helper()
		if pair, err := c.get(nil); err != nil || pair.Leaf.DNSNames[len(pair.Leaf.DNSNames)-1] != want {
			t.Errorf("shows %v %v, want %s", pair.Leaf.DNSNames, err, want)
		}
	}
	giveCertificate(t, cfg, "two.example")
	shows("one.example")
	clock.Time = clock.Add(time.Minute)
	shows("two.example")
	write(t, cfg.tlsKey, "half a fi")
	clock.Time = clock.Add(time.Minute)
	shows("two.example")
}

// giveCertificate writes a certificate of the name, self-made and good now, to the files of the configuration.
func giveCertificate(t *testing.T, cfg *config, name string) {
	t.Helper()
	dir := t.TempDir()
	openCA(t, dir, time.Now(), name).mustLeaf(t, time.Now(), name)
	write(t, cfg.tlsCert, string(read(t, filepath.Join(dir, "leaf.pem"))))
	write(t, cfg.tlsKey, string(read(t, filepath.Join(dir, "leaf-key.pem"))))
}

func TestDevWithGivenCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := &config{tlsCert: filepath.Join(dir, "cert.pem"), tlsKey: filepath.Join(dir, "key.pem")}
	giveCertificate(t, cfg, "chat.example.com")
	i := dev(t, t.TempDir(), "--tls-cert", cfg.tlsCert, "--tls-key", cfg.tlsKey)
	if strings.Contains(i.stdout.String(), "Trust the CA") || i.labels["CA certificate"] != "" {
		t.Errorf("stdout: %s", i.stdout)
	}
	address := strings.TrimPrefix(i.labels["Endpoint"], "https://")
	if code, _, stderr := once(t, noEnv, "health", "--listen", address, "--tls-cert", cfg.tlsCert, "--tls-key", cfg.tlsKey); code != exitOK {
		t.Errorf("health: %d %s", code, stderr)
	}
}
