package web

import "bytes"

// WithoutBOM returns a JSON text without the byte order mark that it may begin with. RFC 8259 lets readers pass over it, and
// those of .NET do.
func WithoutBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }
