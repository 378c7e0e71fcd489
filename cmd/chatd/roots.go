package main

import (
	"bytes"
	"slices"
)

// bundleFile has the CA and the system's roots, for runtimes that trust exactly one file.
const bundleFile = "ca-bundle.pem"

// bundle adds the CA to the roots that this system trusts, as far as they can be found. Where none are found it is
// the CA alone: clients then reach chatd and no other https server.
func bundle(ca []byte) []byte {
	roots := systemRoots()
	if len(roots) > 0 {
		roots = append(bytes.TrimSpace(roots), '\n')
	}
	return slices.Concat(roots, ca)
}
