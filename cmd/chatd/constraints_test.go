package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/devca"
)

// signedFor returns a certificate that the CA has signed although nothing asked it to.
func signedFor(t *testing.T, a *authority, purpose x509.ExtKeyUsage, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: devca.Serial(), Subject: pkix.Name{CommonName: "x"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{purpose}, BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	pair, err := a.Sign(template, key)
	if err != nil {
		t.Fatal(err)
	}
	return *pair
}

// The key of the CA is good for this machine's names, private addresses and the names that were given, and for servers only.
func TestConstraintsOfTheCA(t *testing.T) {
	t.Parallel()
	a := openCA(t, t.TempDir(), time.Now(), "chat.test", "*.wild.test", "203.0.113.7", "2001:db8::7")
	roots, between := a.pools(t)
	for name, want := range map[string]bool{
		"localhost": true, "host.docker.internal": true, "chat.test": true, "a.wild.test": true,
		"127.0.0.1": true, "10.0.2.2": true, "172.31.0.1": true, "192.168.1.1": true, "169.254.0.1": true, "100.100.0.1": true,
		"::1": true, "fd00::1": true, "fe80::1": true, "203.0.113.7": true, "2001:db8::7": true,
		"bank.example": false, "test": false, "notchat.test": false, "docker.internal": false, "go.trouter.skype.com": false,
		"8.8.8.8": false, "172.32.0.1": false, "203.0.113.8": false, "2001:db8::8": false, "100.128.0.1": false,
	} {
		leaf := signedFor(t, a, x509.ExtKeyUsageServerAuth, name).Leaf
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: name}); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, purpose := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageEmailProtection} {
		leaf := signedFor(t, a, purpose, "localhost").Leaf
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{purpose}}); err == nil {
			t.Errorf("good for purpose %d", purpose)
		}
	}
}

// A CA stays while it may sign for all names, and else makes way for one that may sign for the old ones too.
func TestWhenThereIsANewCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, step := range []struct {
		name  string
		names []string
		now   time.Time
		made  bool
	}{
		{"first", []string{"a.test"}, noon, true},
		{"again", []string{"a.test"}, noon, false},
		{"fewer names", nil, noon, false},
		{"private address, name below", []string{"10.1.2.3", "fd00::1", "B.A.test", "*.a.test", "x.localhost"}, noon, false},
		{"another name", []string{"b.test"}, noon, true},
		{"both", []string{"a.test", "b.test"}, noon, false},
		{"public address", []string{"203.0.113.7"}, noon, true},
		{"the same", []string{"203.0.113.7", "a.test"}, noon, false},
		{"another one", []string{"203.0.113.8"}, noon, true},
		{"both of them", []string{"203.0.113.8", "203.0.113.7", "b.test"}, noon, false},
		{"soon over", nil, noon.AddDate(devca.Years, 0, -20), true},
	} {
		before, _ := os.ReadFile(filepath.Join(dir, "ca.pem"))
		a := openCA(t, dir, step.now, step.names...)
		after := read(t, filepath.Join(dir, "ca.pem"))
		if a.made != step.made || bytes.Equal(before, after) == step.made || !bytes.Equal(after, a.RootPEM) {
			t.Errorf("%s: made: %t, want %t", step.name, a.made, step.made)
		}
		if leaf := a.mustLeaf(t, step.now, step.names...); leaf.CheckSignatureFrom(a.Cert) != nil {
			t.Errorf("%s: the leaf is not of the CA", step.name)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*next*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A CA of an older version was good for every name: its key is replaced. A copy that is lost or altered is written again.
func TestOlderCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "ca-key.pem")
	a := openCA(t, dir, noon)
	key, _, _ := strings.Cut(string(read(t, path)), "-----BEGIN CERTIFICATE")
	write(t, path, key)
	if b := openCA(t, dir, noon); !b.made || b.Key.Equal(a.Key) {
		t.Errorf("made: %t", b.made)
	}
	kept := openCA(t, dir, noon)
	for _, spoil := range []func(){func() { os.Remove(kept.path()) }, func() { write(t, kept.path(), "x") }} {
		spoil()
		if b := openCA(t, dir, noon); b.made || !bytes.Equal(read(t, kept.path()), kept.RootPEM) {
			t.Errorf("made: %t", b.made)
		}
	}
}

// Servers that start together and replace a CA agree on the new one.
func TestStartsTogetherAgreeOnTheNewCA(t *testing.T) {
	t.Parallel()
	for range 20 {
		dir := t.TempDir()
		openCA(t, dir, noon)
		found := make([]*authority, 8)
		var all sync.WaitGroup
		for i := range found {
			all.Go(func() {
				a, err := openAuthority(dir, []string{"a.test"}, noon)
				if err != nil {
					t.Error(err)
				}
				found[i] = a
			})
		}
		all.Wait()
		for _, a := range found {
			if a == nil || !bytes.Equal(a.RootPEM, found[0].RootPEM) || !bytes.Equal(a.RootPEM, read(t, filepath.Join(dir, "ca.pem"))) {
				t.Fatal("two have different CAs")
			}
		}
	}
}

// verifiers are programs that connect to https://localhost:PORT with a CA; they end with 0 when they trust the server.
var verifiers = []struct {
	name string
	args func(dir, ca, port string) []string
}{
	{"openssl", func(_, ca, port string) []string {
		return []string{"s_client", "-connect", "localhost:" + port, "-CAfile", ca, "-verify_return_error", "-verify_hostname", "localhost", "-no-CApath", "-no-CAstore"}
	}},
	{"python3", func(_, ca, port string) []string {
		return []string{"-c", "import ssl, socket, sys\nc = ssl.create_default_context(cafile=sys.argv[1])\nc.wrap_socket(socket.create_connection(('localhost', int(sys.argv[2]))), server_hostname='localhost')", ca, port}
	}},
	{"node", func(_, ca, port string) []string {
		return []string{"-e", "require('tls').connect({host: 'localhost', port: process.argv[2], ca: require('fs').readFileSync(process.argv[1])}, () => process.exit(0)).on('error', () => process.exit(1))", ca, port}
	}},
	{"java", func(dir, ca, port string) []string {
		return []string{filepath.Join(dir, "Probe.java"), ca, port}
	}},
}

const javaProbe = `
import java.io.*; import java.security.*; import java.security.cert.*; import javax.net.ssl.*;
public class Probe {
  public static void main(String[] a) throws Exception {
    KeyStore ks = KeyStore.getInstance(KeyStore.getDefaultType());
    ks.load(null, null);
    ks.setCertificateEntry("chatd", CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(a[0])));
    TrustManagerFactory f = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    f.init(ks);
    SSLContext c = SSLContext.getInstance("TLS");
    c.init(null, f.getTrustManagers(), null);
    SSLSocket s = (SSLSocket) c.getSocketFactory().createSocket("localhost", Integer.parseInt(a[1]));
    SSLParameters p = s.getSSLParameters();
    p.setEndpointIdentificationAlgorithm("HTTPS");
    s.setSSLParameters(p);
    s.startHandshake();
  }
}`

// Verifiers of others take the certificate, and not one by which the CA would speak for a name that is not its own.
func TestVerifiersOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := openCA(t, dir, time.Now(), "chat.test", "203.0.113.7")
	write(t, filepath.Join(dir, "Probe.java"), javaProbe)
	good, err := a.leaf([]string{"chat.test", "203.0.113.7"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	port := map[string]string{}
	for name, pair := range map[string]tls.Certificate{
		"good": *good, "name": signedFor(t, a, x509.ExtKeyUsageServerAuth, "localhost", "bank.example"),
		"address": signedFor(t, a, x509.ExtKeyUsageServerAuth, "localhost", "8.8.8.8"),
	} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: testTimeout, ErrorLog: log.New(io.Discard, "", 0)}
		go s.Serve(l) //nolint:errcheck // it is closed below
		t.Cleanup(func() { s.Close() })
		port[name] = portOf(l)
	}
	for _, v := range verifiers {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(v.name); err != nil {
				t.Skipf("needs %s", v.name)
			}
			for name, port := range port {
				out, err := exec.CommandContext(t.Context(), v.name, v.args(dir, a.path(), port)...).CombinedOutput()
				if trusts := err == nil; trusts != (name == "good") {
					t.Errorf("%s: trusted: %t\n%s", name, trusts, fmt.Sprintf("%.2000s", out))
				}
			}
		})
	}
}
