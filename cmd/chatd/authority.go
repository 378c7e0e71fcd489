package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	caYears     = 10
	leafLife    = 396 * 24 * time.Hour // clients of Apple refuse more than 398 days
	renewBefore = 30 * 24 * time.Hour
	clockSkew   = time.Hour // how far a client's clock may be behind when a certificate is new

	caFile = "ca.pem"

	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY"
)

// ownNames are in every leaf: this machine, as it calls itself and as containers on it do.
var ownNames = []string{"localhost", "host.docker.internal", "127.0.0.1", "::1"}

// authority is the development CA. It is made once and kept in a folder, so that trusting it lasts.
type authority struct {
	dir  string
	pem  []byte
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// openAuthority reads the CA of the folder, or makes one.
func openAuthority(dir string, now time.Time) (*authority, error) {
	key, err := keepKey(filepath.Join(dir, "ca-key.pem"))
	if err != nil {
		return nil, fmt.Errorf("key of the development CA: %w", err)
	}
	a := &authority{dir: dir, key: key}
	path := a.path()
	if a.pem, err = keep(path, 0o644, func() ([]byte, error) { return newCA(key, now) }); err != nil {
		return nil, fmt.Errorf("development CA: %w", err)
	}
	der, err := pemBlock(path, a.pem, certificateBlock)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !key.PublicKey.Equal(a.cert.PublicKey) {
		return nil, fmt.Errorf("%s does not belong to ca-key.pem beside it: remove both, and trust the new CA that the next start makes", path)
	}
	if now.Add(renewBefore).After(a.cert.NotAfter) {
		return nil, fmt.Errorf("%s ends on %s: remove it, and trust the new one that the next start makes", path, a.cert.NotAfter.Format(time.DateOnly))
	}
	return a, nil
}

// path is where the CA's certificate is.
func (a *authority) path() string { return filepath.Join(a.dir, caFile) }

// leaf returns the server's certificate: the kept one while it is good, else a new one.
func (a *authority) leaf(names []string, now time.Time) (*tls.Certificate, error) {
	path := filepath.Join(a.dir, "leaf.pem")
	key, err := keepKey(filepath.Join(a.dir, "leaf-key.pem"))
	if err != nil {
		return nil, fmt.Errorf("key of the server's certificate: %w", err)
	}
	wanted := a.template(names, now)
	if data, err := os.ReadFile(path); err == nil {
		if der, err := pemBlock(path, data, certificateBlock); err == nil && a.good(der, wanted, key, now) {
			return certificateOf(der, key)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, wanted, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	if err := replace(path, pemOf(certificateBlock, der), 0o644); err != nil {
		return nil, fmt.Errorf("server's certificate: %w", err)
	}
	return certificateOf(der, key)
}

func certificateOf(der []byte, key *ecdsa.PrivateKey) (*tls.Certificate, error) {
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

func (a *authority) template(names []string, now time.Time) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "chatd", Organization: []string{"chatd development"}},
		NotBefore:    now.Add(-clockSkew).UTC().Truncate(time.Second),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		BasicConstraintsValid: true,
	}
	t.NotAfter = t.NotBefore.Add(leafLife)
	if t.NotAfter.After(a.cert.NotAfter) {
		t.NotAfter = a.cert.NotAfter
	}
	for _, name := range slices.Concat(ownNames, names) {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	return t
}

// good reports whether a certificate is still what a new one would be.
func (a *authority) good(der []byte, wanted *x509.Certificate, key *ecdsa.PrivateKey, now time.Time) bool {
	leaf, err := x509.ParseCertificate(der)
	return err == nil &&
		leaf.CheckSignatureFrom(a.cert) == nil &&
		key.PublicKey.Equal(leaf.PublicKey) &&
		!now.Before(leaf.NotBefore) && now.Add(renewBefore).Before(leaf.NotAfter) &&
		slices.Equal(leaf.DNSNames, wanted.DNSNames) &&
		slices.EqualFunc(leaf.IPAddresses, wanted.IPAddresses, net.IP.Equal)
}

func newCA(key *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unnamed host"
	}
	t := &x509.Certificate{
		SerialNumber: serial(),
		// A common name has 64 characters at most (RFC 5280).
		Subject:   pkix.Name{CommonName: fmt.Sprintf("chatd development CA (%.40s)", host), Organization: []string{"chatd development"}},
		NotBefore: now.Add(-clockSkew),
		NotAfter:  now.AddDate(caYears, 0, 0),
		KeyUsage:  x509.KeyUsageCertSign | x509.KeyUsageCRLSign,

		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	return pemOf(certificateBlock, der), err
}

// keepKey returns the key of the file, or makes one.
func keepKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := keep(path, 0o600, newKey)
	if err != nil {
		return nil, err
	}
	der, err := pemBlock(path, data, keyBlock)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is not an ECDSA key", path)
	}
	return key, nil
}

func newKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf(keyBlock, der), err
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f // positive in 16 bytes; RFC 5280 allows 20
	return new(big.Int).SetBytes(b[:])
}
