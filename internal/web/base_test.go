package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// behind asks for the base of a request that comes from an address with headers. The proxies at 10.0.0.0/8 and fd00::/8 are
// trusted.
func behind(log *strings.Builder, from string, headers ...string) func() string {
	base := Base("", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10")},
		slog.New(slog.NewTextHandler(log, nil)))
	r := httptest.NewRequest(http.MethodGet, "http://node.internal:8080/", nil)
	r.RemoteAddr = from
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return func() string { return base(r) }
}

func TestForwardedBase(t *testing.T) {
	t.Parallel()
	const (
		proxy = "10.0.0.2:40000"
		own   = "http://node.internal:8080"
		https = "https://node.internal:8080"
	)
	tests := []struct {
		name    string
		from    string
		headers []string
		want    string
	}{
		{"one proxy", proxy, []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: chat.example.com"}, "https://chat.example.com"},
		{"capitals", proxy, []string{"X-Forwarded-Proto: HTTPS"}, https},
		{"a websocket", proxy, []string{"X-Forwarded-Proto: wss"}, https},
		{"no scheme that we know", proxy, []string{"X-Forwarded-Proto: gopher"}, own},
		{"blanks", proxy, []string{"X-Forwarded-Proto:  https ", "X-Forwarded-Host:  chat.example.com "}, "https://chat.example.com"},
		{"an untrusted peer", "192.0.2.1:40000", []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example.com", "Forwarded: proto=https"}, own},
		{"peer of IPv6", "[fd00::1]:40000", []string{"X-Forwarded-Proto: https"}, https},
		{"peer of IPv4 on a socket of IPv6", "[::ffff:10.0.0.2]:40000", []string{"X-Forwarded-Proto: https"}, https},
		{"peer with a zone", "[fe80::1%eth0]:40000", []string{"X-Forwarded-Proto: https"}, https},

		{
			"two trusted proxies that add", proxy,
			[]string{"X-Forwarded-For: 203.0.113.9, 10.0.0.1", "X-Forwarded-Proto: https,http", "X-Forwarded-Host: chat.example.com, inner"},
			"https://chat.example.com",
		},
		{
			"the same in several lines", proxy,
			[]string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http"},
			https,
		},
		{
			"three of them, with ports", proxy,
			[]string{"X-Forwarded-For: 203.0.113.9:1, 10.0.0.9:2, [fd00::1]:3", "X-Forwarded-Proto: https, http, http"},
			https,
		},
		{
			"what the client made up is not read", proxy,
			[]string{"X-Forwarded-For: 1.2.3.4, 203.0.113.9, 10.0.0.1", "X-Forwarded-Proto: http,https,http", "X-Forwarded-Host: evil.example.com, chat.example.com, inner"},
			"https://chat.example.com",
		},
		{
			"an outer proxy that is not trusted", proxy,
			[]string{"X-Forwarded-For: 203.0.113.9, 192.0.2.7", "X-Forwarded-Proto: http,https", "X-Forwarded-Host: evil.example.com, chat.example.com"},
			"https://chat.example.com",
		},
		{
			"a client that names trusted proxies", proxy,
			[]string{"X-Forwarded-For: 10.0.0.8, 203.0.113.9", "X-Forwarded-Proto: http,https", "X-Forwarded-Host: evil.example.com, chat.example.com"},
			"https://chat.example.com",
		},
		{
			"an inner proxy that passes on", proxy,
			[]string{"X-Forwarded-For: 203.0.113.9, 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: chat.example.com"},
			"https://chat.example.com",
		},
		{"a list and no addresses", proxy, []string{"X-Forwarded-Proto: http, https"}, https},
		{"addresses that are none", proxy, []string{"X-Forwarded-For: 203.0.113.9, unknown", "X-Forwarded-Proto: http,https"}, https},
		{"empty elements", proxy, []string{"X-Forwarded-Proto: ,https,", "X-Forwarded-Host: ,"}, https},

		{"Forwarded", proxy, []string{"Forwarded: for=203.0.113.9;proto=https;host=chat.example.com;by=10.0.0.2"}, "https://chat.example.com"},
		{"Forwarded, capitals and quotes", proxy, []string{`Forwarded: For="203.0.113.9:4711"; Proto="HTTPS" ; HOST="chat.example.com:8443"`}, "https://chat.example.com:8443"},
		{"Forwarded, quoted separators", proxy, []string{`Forwarded: for="_a,b;host=evil.example.com\"";host=chat.example.com`}, "http://chat.example.com"},
		{
			"Forwarded by two trusted proxies", proxy,
			[]string{`Forwarded: for=203.0.113.9;proto=https;host=chat.example.com, for="10.0.0.1";proto=http;host=inner`},
			"https://chat.example.com",
		},
		{
			"Forwarded, the inner one says less", proxy,
			[]string{"Forwarded: for=203.0.113.9;proto=https;host=chat.example.com", `Forwarded: for="[fd00::1]:80"`},
			"https://chat.example.com",
		},
		{
			"Forwarded, made up by the client", proxy,
			[]string{"Forwarded: for=10.0.0.1;proto=http;host=evil.example.com, for=203.0.113.9;proto=https;host=chat.example.com"},
			"https://chat.example.com",
		},
		{
			"Forwarded, passed on by proxies that speak the other headers", proxy,
			[]string{"Forwarded: proto=http;host=evil.example.com", "X-Forwarded-Proto: https"},
			https,
		},

		{"a host with a path", proxy, []string{"X-Forwarded-Host: chat.example.com/evil"}, own},
		{"a host with a user", proxy, []string{"X-Forwarded-Host: a@evil.example.com"}, own},
		{"a host with markup", proxy, []string{`X-Forwarded-Host: "><script>`}, own},
		{"a host with two ports", proxy, []string{"X-Forwarded-Host: chat.example.com:80:81"}, own},
		{"a URL", proxy, []string{"X-Forwarded-Host: https://chat.example.com"}, own},
		{"a doubled port (communication-common 2.0 to 2.4)", proxy, []string{"X-Forwarded-Host: chat.example.com:8443:8443"}, "http://chat.example.com:8443"},
		{"a host of IPv6", proxy, []string{"X-Forwarded-Host: [2001:db8::1]:8443"}, "http://[2001:db8::1]:8443"},
		{"a host of IPv6 without brackets", proxy, []string{"X-Forwarded-Host: 2001:db8::1"}, own},
		{"Forwarded with a host that is none", proxy, []string{`Forwarded: host="a b"`}, own},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := behind(&strings.Builder{}, test.from, test.headers...)(); got != test.want {
				t.Errorf("the base is %s, want %s", got, test.want)
			}
		})
	}
}

// What was passed over is logged once, and names the setting.
func TestForwardedIsPassedOverAloud(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, from, header, want string }{
		{"untrusted proxy", "192.0.2.1:40000", "X-Forwarded-Proto: https", "--trusted-proxies"},
		{"untrusted proxy of RFC 7239", "192.0.2.1:40000", "Forwarded: proto=https", "--trusted-proxies"},
		{"no host", "10.0.0.2:40000", "X-Forwarded-Host: a/b", "a/b"},
		{"no proxy", "192.0.2.1:40000", "X-Other: https", ""},
		{"a trusted proxy", "10.0.0.2:40000", "X-Forwarded-Proto: https", ""},
	} {
		log := &strings.Builder{}
		base := behind(log, test.from, test.header)
		base()
		base()
		lines := strings.Count(log.String(), "\n")
		if test.want == "" && lines != 0 || test.want != "" && (lines != 1 || !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), test.want)) {
			t.Errorf("%s: logged is %q, want %q once", test.name, log.String(), test.want)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("https,http", "chat.example.com", "10.0.0.1", `for="a\"b";proto=https`)
	f.Add(",", "[::1]:1:1", "[", `"\`)
	f.Fuzz(func(t *testing.T, proto, host, clients, standard string) {
		got := behind(&strings.Builder{}, "10.0.0.2:1", "X-Forwarded-Proto: "+proto, "X-Forwarded-Host: "+host, "X-Forwarded-For: "+clients)()
		other := behind(&strings.Builder{}, "10.0.0.2:1", "Forwarded: "+standard)()
		for _, base := range []string{got, other} {
			scheme, host, _ := strings.Cut(base, "://")
			if scheme != "http" && scheme != "https" || !isHost(host) {
				t.Errorf("the base is %q", base)
			}
		}
	})
}
