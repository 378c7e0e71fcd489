package main

import (
	"strings"
	"testing"
)

// What can never match is refused at start.
func TestOriginsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"example.com", "https://", "https://example.com/path", "https://example.com?x", "https://example.com#x", "https://user@example.com", "null", "file://",
		"https://*", "https://*.*.example.com", "https://app.*.com", "https://app*.example.com", "*.example.com", "https://*example.com",
		"https://example.com:0", "https://example.com:65536", "https://example.com:x", "https://münchen.example", "https://a b", "http://127.1", "http://[fe80::1%25eth0]",
		"https://a.example.com;https://b.example.com", "https://app.example.com,example.com", "Loopback", "localhost",
	} {
		code, _, stderr := once(t, noEnv, "dev", "--cors-origins", setting)
		if code != exitUsage || !strings.Contains(stderr, "--cors-origins") {
			t.Errorf("%s: %d %s", setting, code, stderr)
		}
	}
}
