package web

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
)

// Base returns a function that returns the scheme and host, without a slash at the end, by which the client of a request reaches
// this server: the public URL, or if that is empty, what the request says. Forwarded headers count as far as trusted proxies
// set them. Headers of a proxy that is not trusted, and invalid hosts, are ignored and logged once each.
func Base(public string, proxies []netip.Prefix, log *slog.Logger) func(*http.Request) string {
	if public = strings.TrimRight(public, "/"); public != "" {
		return func(*http.Request) string { return public }
	}
	f := &forwarding{proxies: proxies, log: log}
	return f.base
}

// forwarding finds the address in requests, when no public URL is configured.
type forwarding struct {
	proxies            []netip.Prefix
	log                *slog.Logger
	untrusted, badHost sync.Once
}

// base returns what Host and the connection say, overridden by what trusted proxies say.
func (f *forwarding) base(r *http.Request) string {
	scheme, host := "http", withoutDoubledPort(r.Host)
	if r.TLS != nil {
		scheme = "https"
	}
	if !f.trusts(r.RemoteAddr) {
		f.warn(r)
		return scheme + "://" + host
	}
	proto, outer := f.forwarded(r.Header)
	switch strings.ToLower(proto) {
	case "https", "wss": // Traefik names websockets so
		scheme = "https"
	case "http", "ws":
		scheme = "http"
	}
	switch outer = withoutDoubledPort(outer); {
	case isHost(outer):
		host = outer
	case outer != "":
		f.badHost.Do(func() {
			f.log.Warn("a trusted proxy forwards an invalid host; links have the header Host instead", "host", Shortened(outer, 100), "proxy", r.RemoteAddr)
		})
	}
	return scheme + "://" + host
}

// warn logs that forwarded headers were ignored, which is mostly a proxy that the operator forgot to name.
func (f *forwarding) warn(r *http.Request) {
	if r.Header.Get("X-Forwarded-Proto") == "" && r.Header.Get("Forwarded") == "" {
		return
	}
	f.untrusted.Do(func() {
		f.log.Warn("X-Forwarded-Proto of a proxy that is not trusted is ignored, so links may have the wrong scheme and host: "+
			"name the proxy in --trusted-proxies (CHATD_TRUSTED_PROXIES), or set --public-url", "proxy", r.RemoteAddr)
	})
}

// forwarded returns the scheme and host that the client used, "" for what the headers do not say.
//
// Each proxy appends to a list what it saw. So the last element is what the peer saw, which is trusted; the one before is what
// the peer's client saw, which counts if that is a trusted proxy too, and so on. The first element that counts is what the
// outermost trusted proxy saw: the client. A list that is shorter comes from proxies that replace it or pass it on instead of
// appending to it; its first element is the one.
func (f *forwarding) forwarded(h http.Header) (proto, host string) {
	protos, hosts := elements(h, "X-Forwarded-Proto"), elements(h, "X-Forwarded-Host")
	if len(protos)+len(hosts) == 0 { // otherwise the proxies use these headers, and Forwarded may be the client's own
		return f.standard(elements(h, "Forwarded"))
	}
	hops, clients := 1, elements(h, "X-Forwarded-For")
	for i := len(clients) - 1; i >= 0 && f.trusts(clients[i]); i-- {
		hops++
	}
	return outermost(protos, hops), outermost(hosts, hops)
}

// outermost returns the element of the outermost trusted proxy, when the last hops elements come from trusted proxies.
func outermost(list []string, hops int) string {
	if len(list) == 0 {
		return ""
	}
	return list[max(0, len(list)-hops)]
}

// standard reads the elements of Forwarded (RFC 7239) from the right, as long as trusted proxies added them.
func (f *forwarding) standard(list []string) (proto, host string) {
	for i := len(list) - 1; i >= 0; i-- {
		client := ""
		for pair := range splitOutsideQuotes(list[i], ';') {
			name, value, _ := strings.Cut(pair, "=")
			value = unquoted(strings.TrimSpace(value))
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "for":
				client = value
			case "proto":
				proto = value
			case "host":
				host = value
			}
		}
		if !f.trusts(client) {
			break
		}
	}
	return proto, host
}

// trusts reports whether an address, with a port or without, is that of a trusted proxy.
func (f *forwarding) trusts(address string) bool {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	ip, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("") // no prefix contains an address with a zone
	for _, p := range f.proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// elements returns the elements of a header that is a list, which may stand in several lines.
func elements(h http.Header, name string) []string {
	var out []string
	for e := range splitOutsideQuotes(strings.Join(h.Values(name), ","), ',') {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, e)
		}
	}
	return out
}

// splitOutsideQuotes splits at a byte that is not inside a quoted string (RFC 9110, 5.6.4).
func splitOutsideQuotes(text string, at byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case c == at && !quoted:
				if !yield(text[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(text[start:])
	}
}

// unquoted returns what a quoted string means, and other text as it is.
func unquoted(text string) string {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return text
	}
	return escapes.ReplaceAllString(text[1:len(text)-1], "$1")
}

var (
	escapes = regexp.MustCompile(`\\(.)`)
	// A name, an IPv4 or IPv6 address, and perhaps a port (RFC 3986; names as they are in certificates, and with underscores).
	hostForm = regexp.MustCompile(`^([a-zA-Z0-9_-]{1,63}(\.[a-zA-Z0-9_-]{1,63})*\.?|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$`)
)

// isHost refuses what could break out of a URL: the host goes into answers.
func isHost(text string) bool { return len(text) <= 261 && hostForm.MatchString(text) }

// withoutDoubledPort corrects "host:port:port", which azure-communication-common for JavaScript 2.0 to 2.4 sends from Node.
func withoutDoubledPort(host string) string {
	i := strings.LastIndexByte(host, ':')
	if i > 0 && strings.HasSuffix(host[:i], host[i:]) {
		return host[:i]
	}
	return host
}
