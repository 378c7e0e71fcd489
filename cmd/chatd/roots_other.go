//go:build !windows

package main

import "os"

// rootFiles are where systems keep the roots that they trust, in one file; the first is taken. SSL_CERT_FILE is not asked, as it
// may name the bundle itself.
var rootFiles = []string{
	"/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Alpine
	"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
	"/etc/ssl/ca-bundle.pem",             // SUSE
	"/etc/ssl/cert.pem",                  // macOS, BSD
}

// systemRoots returns the roots that the system trusts, in PEM form; nothing when no known file has them.
func systemRoots() []byte {
	for _, path := range rootFiles {
		if data, err := os.ReadFile(path); err == nil {
			return data
		}
	}
	return nil
}
