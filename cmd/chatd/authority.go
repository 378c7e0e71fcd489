package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
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

	caFile    = "ca.pem"
	caKeyFile = "ca-key.pem" // key and certificate of the intermediate, and the root again

	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY"
)

// ownNames are in every leaf: this machine, as it calls itself and as containers on it do.
var ownNames = []string{"localhost", "host.docker.internal", "127.0.0.1", "::1"}

// authority is the development CA. It is kept in a folder, so that trusting it lasts, and is good for the names that it was made
// for and for private addresses (see constraints.go). Clients trust a root, whose key nobody has: it signed one intermediate, of
// which there is a key, and was thrown away. For Java takes no notice of constraints in what it was told to trust, while every
// verifier does of those in an intermediate.
type authority struct {
	dir  string
	pem  []byte            // the root, which clients trust
	cert *x509.Certificate // the intermediate
	key  *ecdsa.PrivateKey // its key
	made bool              // just now: nobody trusts it yet
}

// openAuthority reads the CA of the folder. It makes one where there is none, and in place of one that ends or may not sign for
// all of the names: what clients trusted an older one for does not grow.
func openAuthority(dir string, names []string, now time.Time) (*authority, error) {
	for {
		a, old, err := readAuthority(dir)
		if err != nil {
			return nil, fmt.Errorf("development CA: %w", err)
		}
		wanted := constraintsFor(names)
		if a == nil || !a.good(wanted, now) {
			if a != nil {
				wanted = wanted.and(a.cert)
			}
			if a, err = makeAuthority(dir, old, wanted, now); err != nil {
				return nil, fmt.Errorf("development CA: %w", err)
			}
			if a == nil { // another process was faster
				continue
			}
		}
		// Beside the key certificates are safe from a mix of two CAs; this copy of the root is for others to read.
		if err := update(a.path(), a.pem, 0o644); err != nil {
			return nil, fmt.Errorf("development CA: %w", err)
		}
		return a, nil
	}
}

// readAuthority returns the CA of the folder, nil if there is none, and the file's content. One of an older version, whose
// certificate has a file of its own, was good for every name, and counts as none.
func readAuthority(dir string) (*authority, []byte, error) {
	path := filepath.Join(dir, caKeyFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	a := &authority{dir: dir}
	if a.key, err = readKey(path, data); err != nil {
		return nil, nil, err
	}
	certs := pemBlocks(data, certificateBlock)
	if len(certs) == 0 {
		return nil, data, nil
	}
	a.pem = pemOf(certificateBlock, certs[len(certs)-1])
	if a.cert, err = x509.ParseCertificate(certs[0]); err == nil && (len(certs) != 2 || !a.key.PublicKey.Equal(a.cert.PublicKey)) {
		err = errors.New("key and certificates do not belong together")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w; remove it, and trust the new CA that the next start makes", path, err)
	}
	return a, data, nil
}

// makeAuthority puts a new CA in the place of the old file's content. Of several processes that do so at once all get the same,
// or nil when one of them was done before: they meet in a file that is named by what it replaces.
func makeAuthority(dir string, old []byte, c constraints, now time.Time) (*authority, error) {
	path := filepath.Join(dir, caKeyFile)
	next := fmt.Sprintf("%s.next-%.8x", path, sha256.Sum256(old))
	data, err := keep(next, 0o600, func() ([]byte, error) { return newCA(c, now) })
	if errors.Is(err, fs.ErrNotExist) { // removed by the one that was faster, between two looks at it
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer os.Remove(next)
	if present, err := os.ReadFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	} else if !bytes.Equal(present, old) {
		return nil, nil
	}
	if err := replace(path, data, 0o600); err != nil {
		return nil, err
	}
	a, _, err := readAuthority(dir)
	if a != nil {
		a.made = true
	}
	return a, err
}

// good reports whether the CA may sign for all that is wanted, for long enough, and for nothing but servers.
func (a *authority) good(wanted constraints, now time.Time) bool {
	return now.Add(renewBefore).Before(a.cert.NotAfter) && wanted.within(a.cert) &&
		slices.Equal(a.cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth})
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
		if der, err := pemBlock(path, data, certificateBlock); err == nil && a.goodLeaf(der, wanted, key, now) {
			return certificateOf(der, a.cert, key)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, wanted, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	if err := replace(path, pemOf(certificateBlock, der), 0o644); err != nil {
		return nil, fmt.Errorf("server's certificate: %w", err)
	}
	return certificateOf(der, a.cert, key)
}

func certificateOf(der []byte, by *x509.Certificate, key *ecdsa.PrivateKey) (*tls.Certificate, error) {
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der, by.Raw}, PrivateKey: key, Leaf: leaf}, err
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

// goodLeaf reports whether a certificate is still what a new one would be.
func (a *authority) goodLeaf(der []byte, wanted *x509.Certificate, key *ecdsa.PrivateKey, now time.Time) bool {
	leaf, err := x509.ParseCertificate(der)
	return err == nil &&
		leaf.CheckSignatureFrom(a.cert) == nil &&
		key.PublicKey.Equal(leaf.PublicKey) &&
		!now.Before(leaf.NotBefore) && now.Add(renewBefore).Before(leaf.NotAfter) &&
		slices.Equal(leaf.DNSNames, wanted.DNSNames) &&
		slices.EqualFunc(leaf.IPAddresses, wanted.IPAddresses, net.IP.Equal)
}

// newCA returns the key and certificate of an intermediate, and its root, in one file.
func newCA(c constraints, now time.Time) ([]byte, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unnamed host"
	}
	// A common name has 64 characters at most (RFC 5280).
	root, rootKey, err := signCA(fmt.Sprintf("chatd development CA (%.40s)", host), 1, c, now, nil, nil)
	if err != nil {
		return nil, err
	}
	cert, key, err := signCA("chatd development intermediate CA", 0, c, now, root, rootKey)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return slices.Concat(pemOf(keyBlock, der), pemOf(certificateBlock, cert.Raw), pemOf(certificateBlock, root.Raw)), err
}

// signCA makes a key and a certificate for it that may sign certificates, with so many of its kind between it and a server's. It
// is signed by the parent, or by itself.
func signCA(name string, between int, c constraints, now time.Time, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"chatd development"}},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.AddDate(caYears, 0, 0),
		KeyUsage:     x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            between,
		MaxPathLenZero:        between == 0,

		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         c.domains,
		PermittedIPRanges:           c.networks,
	}
	if parent == nil {
		parent, by = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), by)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// keepKey returns the key of the file, or makes one.
func keepKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := keep(path, 0o600, newKey)
	if err != nil {
		return nil, err
	}
	return readKey(path, data)
}

func readKey(path string, data []byte) (*ecdsa.PrivateKey, error) {
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
