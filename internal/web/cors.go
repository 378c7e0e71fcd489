package web

import "net/http"

// OriginPolicy decides whether the web page that a request comes from may call, and what Access-Control-Allow-Origin answers:
// "*", the page's origin, or "" when no page is behind the request. The error says why the page may not; it is for the log.
type OriginPolicy func(*http.Request) (allow string, err error)

// preflightSeconds is how long a browser may remember the answer to a preflight; Chromium remembers none for longer.
const preflightSeconds = "7200"

// AllowOrigin lets pages of an origin read the answer. Errors need it too: without it a page sees a network error instead of
// the status.
func AllowOrigin(h http.Header, origin string) { h.Set("Access-Control-Allow-Origin", origin) }

// AllowPreflight lets a page send what its browser asked for in a preflight: these methods and headers, each a list with
// commas. "*" would not cover authorization (Fetch, "CORS protocol and HTTP").
func AllowPreflight(h http.Header, methods, headers string) {
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Max-Age", preflightSeconds)
}
