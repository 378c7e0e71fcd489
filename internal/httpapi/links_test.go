package httpapi

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func linkQuery(t *testing.T, link string) url.Values {
	t.Helper()
	return must(url.Parse(link))(t).Query()
}

// nextLinks are absolute, hold the thread id unescaped, the api-version and the size (recordings of all suites).
func TestNextLink(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread(b.users(1)...)
	alice.newThread()
	for _, test := range []struct{ target, path, own string }{
		{th.path("/messages?maxPageSize=1"), th.path("/messages"), "syncState="},
		{th.path("/participants?maxPageSize=1"), th.path("/participants"), "skip=1&syncState="}, // the second is our own
		{"/chat/threads?maxPageSize=1", "/chat/threads", "syncState="},
	} {
		for _, version := range []string{newestChat, "2021-03-07"} {
			link := alice.at(version).get(test.target).is(http.StatusOK).text("nextLink")
			if !strings.HasPrefix(link, b.URL+test.path+"?") {
				t.Errorf("nextLink of %s is %s, want it to begin with %s", test.target, link, b.URL+test.path)
			}
			q := linkQuery(t, link)
			own := strings.TrimSuffix(q.Encode(), q.Get("syncState"))
			if want := "api-version=" + version + "&maxPageSize=1&" + test.own; own != want || q.Get("syncState") == "" {
				t.Errorf("nextLink of %s asks for %v, want version %s, size 1, %s", test.target, q, version, test.own)
			}
			alice.get(link).is(http.StatusOK)
		}
	}
}

// A full page of messages has a nextLink although nothing follows.
func TestFullPageOfMessagesHasNextLink(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	link := alice.get(th.path("/messages?maxPageSize=2")).holds("value.*.sequenceId", "2", "1").text("nextLink")
	alice.get(link).is(http.StatusOK).same(map[string]any{"value": []any{}})
}

// The service writes times into its nextLinks in a form of its own, and takes that back (recordings of the JavaScript
// suite), also where a plus was not escaped.
func TestStartTimeOfNextLinks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	b.clock.advance(time.Hour)
	alice.say(th, "hello")
	for raw, want := range map[string]string{
		"1%2F1%2F1970%2012%3A00%3A00%20AM%20%2B00%3A00":  "3 2 1",
		"1%2F1%2F1970%2012%3A00%3A00%20AM%20+00%3A00":    "3 2 1",
		"3%2F20%2F2025%2011%3A00%3A00%20AM%20%2B00%3A00": "3",
		"3%2F20%2F2025%201%3A00%3A00%20PM%20%2B02%3A00":  "3",
		"2025-03-20T13:00:00%2B02:00":                    "3",
		"2025-03-20T13:00:00+02:00":                      "3",
		"2025-03-20T11:00:00.0000000Z":                   "3",
		"2025-03-20t11:00z":                              "3",
		"2025-03-20T13:00+0200":                          "3",
		"2025-03-21":                                     "",
	} {
		a := alice.get(th.path("/messages?startTime=" + raw)).is(http.StatusOK)
		if got := strings.Join(a.texts("value.*.sequenceId"), " "); got != want {
			t.Errorf("startTime=%s lists %q, want %q", raw, got, want)
		}
		link := alice.get(th.path("/messages?maxPageSize=1&startTime=" + raw)).text("nextLink")
		if want != "" {
			alice.get(link).is(http.StatusOK)
		}
	}
}

// TestLinksNameTheServer checks the host in links.
func TestLinksNameTheServer(t *testing.T) {
	t.Parallel()
	trusted := func(prefixes ...string) option {
		return func(s *setup) {
			for _, p := range prefixes {
				s.proxies = append(s.proxies, netip.MustParsePrefix(p))
			}
		}
	}
	forwarded := []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: chat.example.com"}
	tests := []struct {
		name    string
		options []option
		headers []string
		want    string // %s is the address of the server
	}{
		{"as called", nil, nil, "http://%s"},
		{"over TLS", []option{withTLS}, nil, "https://%s"},
		{"Host", nil, []string{"Host: chat.example.com"}, "http://chat.example.com"},
		{"Host with a port", nil, []string{"Host: chat.example.com:8443"}, "http://chat.example.com:8443"},
		{"Host of IPv6", nil, []string{"Host: [::1]:8443"}, "http://[::1]:8443"},
		{"Host of IPv6 that ends like its port", nil, []string{"Host: [fe80::80]:80"}, "http://[fe80::80]:80"},
		{"Host of IPv6 without a port", nil, []string{"Host: [2001:db8::8443:8443]"}, "http://[2001:db8::8443:8443]"},
		{"doubled port (communication-common 2.0 to 2.4)", nil, []string{"Host: localhost:8443:8443"}, "http://localhost:8443"},
		{"doubled port of IPv6", nil, []string{"Host: [::1]:8443:8443"}, "http://[::1]:8443"},
		{"public URL", []option{withPublicURL("https://chat.example.com")}, nil, "https://chat.example.com"},
		{"public URL with a slash", []option{withPublicURL("https://chat.example.com:8443/")}, nil, "https://chat.example.com:8443"},
		{"public URL and a proxy", []option{withPublicURL("https://public.example"), trusted("127.0.0.0/8")}, forwarded, "https://public.example"},
		{"trusted proxy", []option{trusted("10.0.0.0/8", "127.0.0.1/32")}, forwarded, "https://chat.example.com"},
		{"trusted proxy, protocol only", []option{trusted("127.0.0.1/32")}, forwarded[:1], "https://%s"},
		{"trusted proxy, host only", []option{trusted("127.0.0.1/32")}, forwarded[1:], "http://chat.example.com"},
		{"trusted proxy, odd protocol", []option{trusted("127.0.0.1/32")}, []string{"X-Forwarded-Proto: gopher"}, "http://%s"},
		{"other proxy", []option{trusted("10.0.0.0/8")}, forwarded, "http://%s"},
		{"no proxy", nil, forwarded, "http://%s"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.options...)
			want := strings.ReplaceAll(test.want, "%s", b.Listener.Addr().String())
			alice := b.user()
			a := alice.post("/chat/threads", `{"topic":"lunch"}`, test.headers...).is(http.StatusCreated)
			th := thread(a.text("chatThread.id"))
			if got := a.header.Get("Location"); !strings.HasPrefix(got, want+"/chat/threads/19%3A") {
				t.Errorf("Location of the thread is %q, want it at %s", got, want)
			}
			sent := alice.post(th.path("/messages"), `{"content":"hello"}`, test.headers...)
			if got := sent.header.Get("Location"); !strings.HasPrefix(got, want+"/chat/threads/19%3A") {
				t.Errorf("Location of the message is %q, want it at %s", got, want)
			}
			page := alice.get(th.path("/messages?maxPageSize=1"), test.headers...)
			if got := page.text("nextLink"); !strings.HasPrefix(got, want+th.path("/messages?")) {
				t.Errorf("nextLink is %q, want it at %s", got, want)
			}
			version := alice.at("2019-01-01").get("/chat/threads", test.headers...).is(http.StatusBadRequest)
			version.holds("error.message", fmt.Sprintf(
				"The HTTP resource that matches the request URI '%s/chat/threads' does not support the API version '2019-01-01'.", want))
		})
	}
}
