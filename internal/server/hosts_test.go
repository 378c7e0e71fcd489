package server

import "testing"

func TestHosts(t *testing.T) {
	t.Parallel()
	h := hosts{"Chat.example.com", "*.example.org", "10.0.0.1", "public.example.com", "dev.example.net"}
	for host, want := range map[string]bool{
		"localhost:8443": true, "localhost": true, "LOCALHOST.:8443": true, "app.localhost": true, "localhost:8443:8443": true, "": true,
		"127.0.0.1:8443": true, "[::1]:8443": true, "[::1]": true, "10.0.2.2:8443": true, "192.168.0.7": true,
		"chatd:8080": true, "host.docker.internal:8443": true, "dev.example.net:8443": true,
		"chat.example.com": true, "CHAT.example.com:8443": true, "a.example.org": true, "public.example.com:8443": true,
		"go.trouter.skype.com": true, "edge.skype.com": true, "teams.microsoft.com": true, "go-eu.trouter.teams.microsoft.com": true, "registrar.gov.teams.microsoft.us": true,
		"evil.example.com": false, "evil.example.com:8443": false, "a.b.example.org": false, "example.org": false, "localhost.evil.example.com": false,
		"127.0.0.1.evil.example.com": false, "evilteams.microsoft.com": false, "xchat.example.com": false, "127.0.0.1.": true,
	} {
		if got := h.has(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
}
