package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// A client that does not trust the CA sees a failed connection only, so the log says why: once, however often it tries.
func TestDistrustIsLogged(t *testing.T) {
	t.Parallel()
	i := dev(t, t.TempDir())
	address := strings.TrimPrefix(i.labels["Endpoint"], "https://")
	for range 3 {
		for version := range map[uint16]bool{tls.VersionTLS12: true, tls.VersionTLS13: true} {
			conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: version, MaxVersion: version})
			if err == nil {
				conn.Close()
				t.Fatal("the certificate is trusted")
			}
		}
	}
	i.waitFor(i.stderr, "does not trust")
	i.stop()
	if n := strings.Count(i.stderr.String(), "level=INFO msg=\"a client does not trust the server's certificate; chatd cert"); n != 1 {
		t.Errorf("%d lines in %s", n, i.stderr)
	}
}

func TestWebLog(t *testing.T) {
	t.Parallel()
	const from = "http: TLS handshake error from [::1]:4711: "
	for _, test := range []struct{ line, level, want string }{
		{from + "remote error: tls: unknown certificate authority\n", "INFO", "client=[::1]:4711"},
		{from + "remote error: tls: unknown certificate\n", "INFO", "chatd cert"},
		{from + "remote error: tls: bad certificate\n", "INFO", "cause="},
		{from + "remote error: tls: handshake failure\n", "DEBUG", ""},
		{from + "EOF\n", "DEBUG", ""},
		{"http: superfluous response.WriteHeader call: bad certificate\n", "DEBUG", ""},
	} {
		var out bytes.Buffer
		log := newWebLog(&config{}, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		log.Print(test.line)
		if got := out.String(); !strings.Contains(got, "level="+test.level) || !strings.Contains(got, test.want) {
			t.Errorf("%q is logged as %s", test.line, got)
		}
	}
	var out bytes.Buffer
	newWebLog(&config{tlsCert: filepath.Join("a", "b.pem")}, slog.New(slog.NewTextHandler(&out, nil))).Print(from + "remote error: tls: bad certificate\n")
	if got := out.String(); !strings.Contains(got, "--tls-cert") || strings.Contains(got, "chatd cert") {
		t.Errorf("a given certificate: %s", got)
	}
}
