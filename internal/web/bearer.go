package web

import (
	"net/http"
	"strings"
)

// BearerToken returns the token of the header Authorization, and whether the scheme is Bearer, in any case of letters
// (RFC 9110, 11.1). The token may be empty, and nothing says that it is a token at all.
func BearerToken(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}
