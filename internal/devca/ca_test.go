package devca_test

import (
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/devca"
)

var noon = time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)

// What a client that trusts the root makes of a server of this machine, and of one that has stolen the key of the CA.
func TestServersOfTheCA(t *testing.T) {
	t.Parallel()
	ca, err := devca.New(devca.ConstraintsFor([]string{"my-laptop.example.org"}), noon)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.RootPEM) {
		t.Fatal("the root cannot be read")
	}
	for _, c := range []struct {
		name    string
		trusted bool
	}{
		{"localhost", true},
		{"127.0.0.1", true},
		{"::1", true},
		{"192.168.1.20", true},
		{"my-laptop.example.org", true},
		{"www.my-laptop.example.org", true},
		{"example.org", false},
		{"bank.example.com", false},
		{"8.8.8.8", false},
	} {
		key, err := devca.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		pair, err := ca.Sign(ca.Template([]string{c.name}, noon), key)
		if err != nil {
			t.Fatal(err)
		}
		var chain []*x509.Certificate
		for _, der := range pair.Certificate {
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			chain = append(chain, certificate)
		}
		if len(chain) != 2 {
			t.Fatalf("%s: the server presents %d certificates, want its own and the intermediate", c.name, len(chain))
		}
		between := x509.NewCertPool()
		between.AddCert(chain[1])
		host := c.name
		if net.ParseIP(host) != nil {
			host = "[" + host + "]"
		}
		options := x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between, CurrentTime: noon}
		if _, err := chain[0].Verify(options); (err == nil) != c.trusted {
			t.Errorf("%s: %v, want trusted: %t", c.name, err, c.trusted)
		}
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if _, err := chain[0].Verify(options); err == nil {
			t.Errorf("%s: a client may use the certificate of a server", c.name)
		}
	}
}

func TestPEMBlocks(t *testing.T) {
	t.Parallel()
	text := append(devca.PEM("CERTIFICATE", []byte("a")), devca.PEM("OTHER", []byte("b"))...)
	text = append(text, devca.PEM("CERTIFICATE", []byte("c"))...)
	found := devca.PEMBlocks(append(text, "rest"...), "CERTIFICATE")
	if len(found) != 2 || string(found[0]) != "a" || string(found[1]) != "c" {
		t.Errorf("blocks are %q", found)
	}
}
