package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// hosts are the names by which clients call a development server. The key of such a server is known to everybody, and a web
// page of anywhere can have its own name lead to this machine (DNS rebinding): then the browser takes the server for a part of
// that page, and only the name tells. Addresses cannot be made to lead elsewhere, so they are good.
type hosts struct {
	named []string // may begin with a wildcard
}

func hostsOf(cfg *config) hosts {
	h := hosts{named: slices.Clone(cfg.certNames)}
	if u, err := url.Parse(cfg.publicURL); err == nil {
		h.named = append(h.named, u.Hostname())
	}
	for _, address := range []string{cfg.listen, cfg.httpListen} {
		if host, _, err := net.SplitHostPort(address); err == nil {
			h.named = append(h.named, host)
		}
	}
	return h
}

var (
	ports = regexp.MustCompile(`(:[0-9]+)+$`) // azure-communication-common for JavaScript 2.0 to 2.4 sends two

	// Domains in which no stranger has a page: of this machine, of containers (host.docker.internal), and those of the names that
	// SDKs before 1.5.4 have built in, which docs/realtime.md has lead here.
	privateDomains = []string{"localhost", "internal", "trouter.skype.com", "edge.skype.com", "teams.microsoft.com", "teams.microsoft.us"}
)

// has reports whether the header Host of a request names this server. One without it is no browser's.
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
	for _, name := range h.named {
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
			log.Info("request refused", "status", http.StatusMisdirectedRequest, "reason", advice, "host", shortened(r.Host))
			http.Error(w, advice, http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func shortened(text string) string { return text[:min(len(text), 200)] }
