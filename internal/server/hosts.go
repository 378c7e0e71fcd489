package server

import (
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"github.com/chatd/chatd/internal/web"
)

// hosts are the names by which clients may call a development server; any when nil. The key of such a server is public, and any
// web page can make its own name resolve to this machine (DNS rebinding): the browser then takes the server for a part of that
// page, and only the name in the request shows it. Addresses cannot be redirected that way, so they are allowed.
type hosts []string

var (
	ports = regexp.MustCompile(`(:[0-9]+)+$`) // azure-communication-common for JavaScript 2.0 to 2.4 sends two

	// Domains in which no outsider has a page: of this machine, of containers (host.docker.internal), and those of the names that
	// SDKs before 1.5.4 have built in, which docs/realtime.md makes resolve to this server.
	privateDomains = []string{"localhost", "internal", "trouter.skype.com", "edge.skype.com", "teams.microsoft.com", "teams.microsoft.us"}
)

// has reports whether the header Host of a request names this server. A request without it does not come from a browser.
func (h hosts) has(header string) bool {
	host := strings.TrimSuffix(strings.ToLower(ports.ReplaceAllString(header, "")), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	if !strings.Contains(host, ".") { // localhost, machines and containers of this network, or nothing
		return true
	}
	for _, domain := range privateDomains {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	for _, name := range h {
		name = strings.ToLower(name)
		_, rest, _ := strings.Cut(host, ".")
		if suffix, wild := strings.CutPrefix(name, "*."); host == name || wild && rest == suffix {
			return true
		}
	}
	return false
}

// guard refuses requests for other names.
func (h hosts) guard(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.has(r.Host) {
			const advice = "chatd dev is not called by this name: if it should be, name it in --cert-names (CHATD_CERT_NAMES) or --public-url"
			log.Info("request refused", "status", http.StatusMisdirectedRequest, "reason", advice, "host", web.Shortened(r.Host, 200))
			http.Error(w, advice, http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
