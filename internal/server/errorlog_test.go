package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestErrorLog(t *testing.T) {
	t.Parallel()
	const from = "http: TLS handshake error from [::1]:4711: "
	for _, test := range []struct{ line, level, want string }{
		{from + "remote error: tls: unknown certificate authority\n", "INFO", "client=[::1]:4711"},
		{from + "remote error: tls: unknown certificate\n", "INFO", "chatd cert"},
		{from + "remote error: tls: bad certificate\n", "INFO", "cause="},
		{from + "remote error: tls: handshake failure\n", "DEBUG", ""},
		{from + "EOF\n", "DEBUG", ""},
		{"http: superfluous response.WriteHeader call: bad certificate\n", "DEBUG", ""},
	} {
		var out bytes.Buffer
		log := newErrorLog("chatd cert", slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		log.Print(test.line)
		if got := out.String(); !strings.Contains(got, "level="+test.level) || !strings.Contains(got, test.want) {
			t.Errorf("%q is logged as %s", test.line, got)
		}
	}
	var out bytes.Buffer
	newErrorLog("look at the certificate of --tls-cert", slog.New(slog.NewTextHandler(&out, nil))).Print(from + "remote error: tls: bad certificate\n")
	if got := out.String(); !strings.Contains(got, "--tls-cert") || strings.Contains(got, "chatd cert") {
		t.Errorf("a given certificate: %s", got)
	}
}
