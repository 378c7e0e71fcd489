package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Origins are the web pages that may call the APIs and the real-time protocols. The zero value is only those of the server's own
// address.
type Origins struct {
	all    bool     // any page
	local  bool     // pages of this machine
	listed []origin // a host may begin with a wildcard
}

// origin is scheme, host and port as browsers write them: in lower case, without the scheme's own port (RFC 6454).
type origin struct{ scheme, host, port string }

// ParseOrigins reads a list of origins: scheme, host and perhaps a port, where the host may begin with a wildcard; "loopback" for
// pages of this machine, "*" for all.
func ParseOrigins(items []string) (Origins, error) {
	var o Origins
	for _, item := range items {
		switch item {
		case "*":
			o.all = true
		case "loopback":
			o.local = true
		default:
			listed, err := parseOrigin(strings.TrimSuffix(item, "/"))
			if err != nil {
				return Origins{}, errors.New("*, loopback, or origins such as https://app.example.com and https://*.example.com (one label in place of the *; " +
					"names with other letters as xn--…), comma-separated")
			}
			o.listed = append(o.listed, listed)
		}
	}
	return o, nil
}

var (
	errOrigin  = errors.New("no origin")
	originHost = regexp.MustCompile(`^(\*\.)?[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?$`)
)

// parseOrigin brings an origin, of the setting or of a request, into the form that browsers send.
func parseOrigin(text string) (origin, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !strings.EqualFold(u.Scheme+"://"+u.Host, text) { // nothing before and behind
		return origin{}, errOrigin
	}
	o := origin{u.Scheme, strings.ToLower(u.Hostname()), ""}
	if ip, err := netip.ParseAddr(o.host); err == nil && ip.Zone() == "" {
		o.host = ip.String()
	} else if !originHost.MatchString(o.host) || err == nil || numeric(o.host) {
		return origin{}, errOrigin
	}
	if o.port = u.Port(); o.port != "" {
		n, err := strconv.ParseUint(o.port, 10, 16)
		if err != nil || n == 0 {
			return origin{}, errOrigin
		}
		o.port = strconv.FormatUint(n, 10)
	}
	if o.scheme == "https" && o.port == "443" || o.scheme == "http" && o.port == "80" {
		o.port = ""
	}
	return o, nil
}

// numeric reports whether browsers would parse a host as an IPv4 address, in a form other than the one they write.
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	return err == nil
}

// has reports whether a listed origin is the one of a page.
func (o origin) has(page origin) bool {
	if o.scheme != page.scheme || o.port != page.port {
		return false
	}
	if suffix, wild := strings.CutPrefix(o.host, "*."); wild {
		label, rest, found := strings.Cut(page.host, ".")
		return found && label != "" && rest == suffix
	}
	return o.host == page.host
}

// isLocalHost reports whether a name or address, in lower case, always means the machine itself: no page of another machine has it
// as its host.
func isLocalHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.Unmap().IsLoopback()
}

// allow returns what Access-Control-Allow-Origin answers to the page that a request comes from: its origin, "*" where any page may
// call, or "" where the request comes from no page. The error says why a page may not call. Pages of the server's own address always
// may. App shells have their own schemes, as capacitor://localhost; "null" can be any page.
func (o Origins) allow(r *http.Request, base func(*http.Request) string) (string, error) {
	text := r.Header.Get("Origin")
	if o.all {
		return "*", nil
	}
	if text == "" {
		return "", nil
	}
	page, err := parseOrigin(text)
	if err == nil && (o.local && isLocalHost(page.host) || slices.ContainsFunc(o.listed, func(l origin) bool { return l.has(page) })) {
		return text, nil
	}
	if own, ownErr := parseOrigin(base(r)); err == nil && ownErr == nil && own == page {
		return text, nil
	}
	return "", fmt.Errorf("web pages of %.200q may not call: name that origin in --cors-origins (CHATD_CORS_ORIGINS), * allows all", text)
}
