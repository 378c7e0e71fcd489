package main

import (
	"syscall"
	"unsafe"

	"github.com/chatd/chatd/internal/devca"
)

// systemRoots returns what is in the root store of the user and the machine, in PEM form. Go has no portable way
// to list the roots: x509.SystemCertPool leaves verification to Windows.
func systemRoots() (roots []byte) {
	name, err := syscall.UTF16PtrFromString("ROOT")
	if err != nil {
		return nil
	}
	store, err := syscall.CertOpenSystemStore(0, name)
	if err != nil {
		return nil
	}
	defer syscall.CertCloseStore(store, 0) //nolint:errcheck // it was only read
	var cert *syscall.CertContext
	for {
		if cert, err = syscall.CertEnumCertificatesInStore(store, cert); err != nil || cert == nil {
			return roots
		}
		roots = append(roots, devca.PEM(certificateBlock, unsafe.Slice(cert.EncodedCert, cert.Length))...)
	}
}
