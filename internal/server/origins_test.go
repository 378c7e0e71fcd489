package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOrigins(t *testing.T) {
	t.Parallel()
	const own = "https://chat.example.com:8443"
	tests := []struct {
		setting string
		page    string
		want    string // what is answered; - where the page is refused
	}{
		{"*", "https://app.example.com", "*"},
		{"*", "null", "*"},
		{"*", "", "*"},
		{"https://app.example.com,*", "https://other.example.com", "*"},

		{"https://app.example.com", "https://app.example.com", "https://app.example.com"},
		{"https://app.example.com", "", ""},
		{"https://app.example.com", own, own},
		{"https://app.example.com", "http://chat.example.com:8443", "-"},
		{"https://app.example.com", "http://app.example.com", "-"},
		{"https://app.example.com", "https://app.example.com:8443", "-"},
		{"https://app.example.com", "https://app.example.com.evil.example", "-"},
		{"https://app.example.com", "https://evilapp.example.com", "-"},
		{"https://app.example.com", "https://app.example.com/", "-"},
		{"https://app.example.com", "null", "-"},
		{"https://app.example.com", "https://%zz", "-"},

		// What could never match before.
		{"HTTPS://App.Example.COM", "https://app.example.com", "https://app.example.com"},
		{"https://app.example.com:443", "https://app.example.com", "https://app.example.com"},
		{"http://app.example.com:80", "http://app.example.com", "http://app.example.com"},
		{"http://app.example.com:443", "http://app.example.com:443", "http://app.example.com:443"},
		{"https://app.example.com/", "https://app.example.com", "https://app.example.com"},
		{"http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000", "http://[::1]:3000"},
		{"https://app.example.com:08443", "https://app.example.com:8443", "https://app.example.com:8443"},
		{"https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example"},
		{"capacitor://localhost", "capacitor://localhost", "capacitor://localhost"},

		{"https://*.example.com", "https://app.example.com", "https://app.example.com"},
		{"https://*.example.com:443", "https://app.example.com", "https://app.example.com"},
		{"https://*.example.com", "https://a.app.example.com", "-"},
		{"https://*.example.com", "https://example.com", "-"},
		{"https://*.example.com", "https://.example.com", "-"},
		{"https://*.example.com", "http://app.example.com", "-"},
		{"https://*.example.com", "https://app.example.com:8443", "-"},
		{"https://*.example.com", "https://appexample.com", "-"},
		{"https://*.example.com", "https://app.example.com.evil.example", "-"},

		{"loopback", "http://localhost:3000", "http://localhost:3000"},
		{"loopback", "http://localhost", "http://localhost"},
		{"loopback", "https://127.0.0.1:5173", "https://127.0.0.1:5173"},
		{"loopback", "http://[::1]:8080", "http://[::1]:8080"},
		{"loopback", "http://app.localhost:3000", "http://app.localhost:3000"},
		{"loopback", "capacitor://localhost", "capacitor://localhost"},
		{"loopback", "ionic://localhost", "ionic://localhost"},
		{"loopback", "tauri://localhost", "tauri://localhost"},
		{"loopback", own, own},
		{"loopback", "", ""},
		{"loopback", "null", "-"},
		{"loopback", "file://", "-"},
		{"loopback", "https://evil.example.com", "-"},
		{"loopback", "http://localhost.evil.example.com", "-"},
		{"loopback", "http://evillocalhost", "-"},
		{"loopback", "http://127.0.0.1.evil.example.com", "-"},
		{"loopback", "http://127.1", "-"},
		{"loopback", "http://0.0.0.0:3000", "-"},
		{"loopback", "http://192.168.0.7:3000", "-"},
		{"loopback", "http://localhost:3000@evil.example.com", "-"},
		{"loopback,https://app.example.com", "https://app.example.com", "https://app.example.com"},
	}
	for _, test := range tests {
		o, err := ParseOrigins(strings.Split(test.setting, ","))
		if err != nil {
			t.Errorf("%s: %v", test.setting, err)
			continue
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if test.page != "" {
			r.Header.Set("Origin", test.page)
		}
		got, err := o.allow(r, func(*http.Request) string { return own })
		if err != nil {
			got = "-"
			if !strings.Contains(err.Error(), "--cors-origins") || !strings.Contains(err.Error(), test.page) {
				t.Errorf("%s refuses %s with %v", test.setting, test.page, err)
			}
		}
		if got != test.want {
			t.Errorf("%s answers %s with %q, want %q", test.setting, test.page, got, test.want)
		}
	}
}

// What can never match is refused at start.
func TestOriginsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"example.com", "https://", "https://example.com/path", "https://example.com?x", "https://example.com#x", "https://user@example.com", "null", "file://",
		"https://*", "https://*.*.example.com", "https://app.*.com", "https://app*.example.com", "*.example.com", "https://*example.com",
		"https://example.com:0", "https://example.com:65536", "https://example.com:x", "https://münchen.example", "https://a b", "http://127.1", "http://[fe80::1%25eth0]",
		"https://a.example.com;https://b.example.com", "https://app.example.com,example.com", "Loopback", "localhost",
	} {
		if o, err := ParseOrigins(strings.Split(setting, ",")); err == nil {
			t.Errorf("%s: %+v", setting, o)
		}
	}
}
