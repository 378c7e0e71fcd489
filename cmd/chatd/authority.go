package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/chatd/chatd/internal/devca"
)

const (
	// How long before its end a CA or a server's certificate is replaced: a CA only when a server starts, the other
	// also while it runs.
	renewBefore = 30 * 24 * time.Hour

	caFile    = "ca.pem"
	caKeyFile = "ca-key.pem" // key and certificate of the intermediate, and the root again

	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY"
)

// authority is the development CA in a folder, which keeps it so that clients need to trust it only once. It may sign for the names
// that it was made for and for private addresses (see devca.Constraints).
type authority struct {
	devca.CA
	dir  string
	made bool // just now: no client trusts it yet
}

// openAuthority reads the CA of the folder. It makes one where there is none, and replaces one that expires soon
// or may not sign for all of the names: what clients agreed to when they trusted a CA must not grow afterwards. A
// new CA may sign for what the old one could too, so that two servers that share a folder do not replace each
// other's CA in a loop.
//
// Several processes may call it at the same time for one folder; all return the same CA.
func openAuthority(dir string, names []string, now time.Time) (*authority, error) {
	for {
		a, old, err := readAuthority(dir)
		if err != nil {
			return nil, fmt.Errorf("development CA: %w", err)
		}
		wanted := devca.ConstraintsFor(names)
		if a == nil || !a.good(wanted, now) {
			if a != nil {
				wanted = wanted.And(a.Cert)
			}
			if a, err = makeAuthority(dir, old, wanted, now); err != nil {
				return nil, fmt.Errorf("development CA: %w", err)
			}
			if a == nil { // another process was already done
				continue
			}
		}
		// Key and certificates share a file, so that they cannot be of two CAs; this copy of the root is for clients to read.
		if err := update(a.path(), a.RootPEM, 0o644); err != nil {
			return nil, fmt.Errorf("development CA: %w", err)
		}
		return a, nil
	}
}

// readAuthority returns the CA of the folder and the content of its file; the CA is nil if there is none. A folder
// of a chatd from before the intermediate has the certificate in another file, and that CA could sign for every
// name; it counts as none, and the content is returned so that makeAuthority can replace it. A damaged file is an
// error, since silently making a new CA would break every client that trusts the old one.
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
	if a.Key, err = readKey(path, data); err != nil {
		return nil, nil, err
	}
	certs := devca.PEMBlocks(data, certificateBlock)
	if len(certs) == 0 {
		return nil, data, nil
	}
	// newCA writes the root last.
	a.RootPEM = devca.PEM(certificateBlock, certs[len(certs)-1])
	if a.Cert, err = x509.ParseCertificate(certs[0]); err == nil && (len(certs) != 2 || !a.Key.PublicKey.Equal(a.Cert.PublicKey)) {
		err = errors.New("key and certificates do not belong together")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w; remove it, and trust the new CA that the next start makes", path, err)
	}
	return a, data, nil
}

// makeAuthority replaces the old content of the file by a new CA. Processes that do so at the same time agree on
// one: each offers its CA as a file whose name is the hash of the content to be replaced, which only the first can
// create, and then all install what that file has. It returns nil without an error when another process has
// already finished; the caller then reads the folder again.
func makeAuthority(dir string, old []byte, c devca.Constraints, now time.Time) (*authority, error) {
	path := filepath.Join(dir, caKeyFile)
	next := fmt.Sprintf("%s.next-%.8x", path, sha256.Sum256(old))
	data, err := keep(next, 0o600, func() ([]byte, error) { return newCA(c, now) })
	if errors.Is(err, fs.ErrNotExist) { // removed by another process that was done between the two reads
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// A process that comes later finds other old content, and agrees under another name.
	defer os.Remove(next)
	// Replaced since it was read: this CA would undo one that another process already uses.
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

// good reports whether the CA may sign for everything that is wanted, is valid for long enough, and is limited to
// servers: a CA without that limit could also sign for clients and for code.
func (a *authority) good(wanted devca.Constraints, now time.Time) bool {
	return now.Add(renewBefore).Before(a.Cert.NotAfter) && wanted.Within(a.Cert) &&
		slices.Equal(a.Cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth})
}

// path is where the CA's certificate is.
func (a *authority) path() string { return filepath.Join(a.dir, caFile) }

// leaf returns the server's certificate: the one in the folder while it is good, else a new one, which it stores.
// Keeping it across restarts means that browsers ask only once where a user accepted it by hand. The key stays the
// same.
func (a *authority) leaf(names []string, now time.Time) (*tls.Certificate, error) {
	path := filepath.Join(a.dir, "leaf.pem")
	key, err := keepKey(filepath.Join(a.dir, "leaf-key.pem"))
	if err != nil {
		return nil, fmt.Errorf("key of the server's certificate: %w", err)
	}
	wanted := a.Template(names, now)
	if data, err := os.ReadFile(path); err == nil {
		if der, err := pemBlock(path, data, certificateBlock); err == nil && a.goodLeaf(der, wanted, key, now) {
			// Only what was read and checked is shown; an unreadable or outdated file is simply replaced.
			return a.Chain(der, key)
		}
	}
	leaf, err := a.Sign(wanted, key)
	if err != nil {
		return nil, err
	}
	if err := replace(path, devca.PEM(certificateBlock, leaf.Certificate[0]), 0o644); err != nil {
		return nil, fmt.Errorf("server's certificate: %w", err)
	}
	return leaf, nil
}

// goodLeaf reports whether a certificate is still what a new one would be.
func (a *authority) goodLeaf(der []byte, wanted *x509.Certificate, key *ecdsa.PrivateKey, now time.Time) bool {
	leaf, err := x509.ParseCertificate(der)
	return err == nil &&
		leaf.CheckSignatureFrom(a.Cert) == nil &&
		key.PublicKey.Equal(leaf.PublicKey) &&
		!now.Before(leaf.NotBefore) && now.Add(renewBefore).Before(leaf.NotAfter) &&
		// Equality, not containment: a name that was taken out of --cert-names has to disappear.
		slices.Equal(leaf.DNSNames, wanted.DNSNames) &&
		slices.EqualFunc(leaf.IPAddresses, wanted.IPAddresses, net.IP.Equal)
}

// newCA returns the key and certificate of an intermediate, and its root, in one file.
func newCA(c devca.Constraints, now time.Time) ([]byte, error) {
	ca, err := devca.New(c, now)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(ca.Key)
	return slices.Concat(devca.PEM(keyBlock, der), devca.PEM(certificateBlock, ca.Cert.Raw), ca.RootPEM), err
}

// keepKey returns the key of the file, or makes one.
func keepKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := keep(path, 0o600, newKey)
	if err != nil {
		return nil, err
	}
	return readKey(path, data)
}

// readKey reads the first private key of a file's content, which must be ECDSA in PKCS #8; path is for errors.
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

// newKey makes a private key in PEM form.
func newKey() ([]byte, error) {
	key, err := devca.NewKey()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return devca.PEM(keyBlock, der), err
}
