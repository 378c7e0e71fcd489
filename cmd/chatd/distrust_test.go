package main

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
)

// A client that does not trust the CA sees a failed connection only, so the log says why: once, however often it tries, and what to do.
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
