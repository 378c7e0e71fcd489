// Package devca makes certificate authorities for development, and server certificates that they sign. It works in memory:
// cmd/chatd keeps what it makes in files, and chatdtest makes one for a test.
package devca

import (
	"crypto"
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
	"slices"
	"time"
)

// Years is how long a CA is valid.
const Years = 10

const (
	leafLife  = 396 * 24 * time.Hour // clients of Apple refuse more than 398 days
	clockSkew = time.Hour            // how far a client's clock may be behind when a certificate is new
)

// ownNames are in every server certificate: this machine, as it calls itself and as containers on it do.
var ownNames = []string{"localhost", "host.docker.internal", "127.0.0.1", "::1"}

// CA signs certificates for servers. Clients trust a root, whose key nobody has: it signed one intermediate, of which there is a
// key, and was thrown away. Java ignores the constraints of a certificate in its trust store, while every verifier obeys
// those of an intermediate.
type CA struct {
	RootPEM []byte            // the root, in PEM form
	Cert    *x509.Certificate // the intermediate
	Key     *ecdsa.PrivateKey // of the intermediate
}

// New makes a CA that may sign for what the constraints allow.
func New(c Constraints, now time.Time) (*CA, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unnamed host"
	}
	// A common name has 64 characters at most (RFC 5280).
	root, rootKey, err := newAuthority(fmt.Sprintf("chatd development CA (%.40s)", host), 1, c, now, nil, nil)
	if err != nil {
		return nil, err
	}
	cert, key, err := newAuthority("chatd development intermediate CA", 0, c, now, root, rootKey)
	return &CA{RootPEM: PEM("CERTIFICATE", root.Raw), Cert: cert, Key: key}, err
}

// newAuthority makes a key and a certificate for it that may sign certificates, with at most pathLen further authorities between
// it and a server. It is signed by the parent, or by itself when there is none.
func newAuthority(name string, pathLen int, c Constraints, now time.Time, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := NewKey()
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: Serial(),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"chatd development"}},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.AddDate(Years, 0, 0),
		KeyUsage:     x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            pathLen,
		MaxPathLenZero:        pathLen == 0,

		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         c.domains,
		PermittedIPRanges:           c.networks,
	}
	if parent == nil {
		parent, parentKey = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// Template is the certificate of a server of this machine with the given host names and addresses, to be signed.
func (ca *CA) Template(names []string, now time.Time) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber: Serial(),
		Subject:      pkix.Name{CommonName: "chatd", Organization: []string{"chatd development"}},
		NotBefore:    now.Add(-clockSkew).UTC().Truncate(time.Second),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		BasicConstraintsValid: true,
	}
	t.NotAfter = t.NotBefore.Add(leafLife)
	if t.NotAfter.After(ca.Cert.NotAfter) {
		t.NotAfter = ca.Cert.NotAfter
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

// Sign signs the certificate of a server that has the key.
func (ca *CA) Sign(template *x509.Certificate, key crypto.Signer) (*tls.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Cert, key.Public(), ca.Key)
	if err != nil {
		return nil, err
	}
	return ca.Chain(der, key)
}

// Chain returns a signed certificate as the server presents it, with the intermediate.
func (ca *CA) Chain(der []byte, key crypto.Signer) (*tls.Certificate, error) {
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der, ca.Cert.Raw}, PrivateKey: key, Leaf: leaf}, err
}

// NewKey makes a key of the kind that these certificates have.
func NewKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// Serial returns a random serial number.
func Serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f // positive in 16 bytes; RFC 5280 allows 20
	return new(big.Int).SetBytes(b[:])
}

// PEM encodes one block.
func PEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// PEMBlocks decodes all blocks of one kind.
func PEMBlocks(data []byte, kind string) (found [][]byte) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == kind {
			found = append(found, block.Bytes)
		}
	}
	return found
}
