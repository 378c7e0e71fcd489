package main

import (
	"context"
	"strings"
	"testing"
)

func TestMisspeltVariables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ pair, want string }{
		{"CHATD_LISTN=:1", "variable=CHATD_LISTN meant=CHATD_LISTEN"},
		{"CHATD_ACESS_KEY_FILE=/x", "variable=CHATD_ACESS_KEY_FILE meant=CHATD_ACCESS_KEY_FILE"},
		{"CHATD_CORS_ORIGIN=*", "variable=CHATD_CORS_ORIGIN meant=CHATD_CORS_ORIGINS"},
		{"CHATD_DATABASE=x", "variable=CHATD_DATABASE\n"},
		{"CHATD_PORT=8443", "variable=CHATD_PORT"},
		{"CHATD_listen=:1", "variable=CHATD_listen"},
		{"CHATD_LISTEN_FILE=/x", `variable=CHATD_LISTEN_FILE reason="only secrets are read from files"`},
		{"CHATD_LISTEN=:1", ""},
		{"CHATD_STORE_FILE=/x", ""},
		{"CHATD_LISTN=", ""}, // compose files pass on what is not set
		{"CHAT_LISTEN=:1", ""},
		{"CHATD_SERVICE_HOST=10.0.0.1", ""},
		{"CHATD_SERVICE_PORT_HTTP=80", ""},
		{"CHATD_PORT=tcp://10.0.0.1:80", ""},
		{"CHATD_PORT_80_TCP_ADDR=10.0.0.1", ""},
		{"CHATD_PROXY_PORT=tcp://10.0.0.1:80", ""},
	} {
		log := newOutput()
		warnOfVariables(new(config).newLogger(&program{stderr: log}), []string{"PATH=/bin", tt.pair})
		if got := log.String(); (got != "") != (tt.want != "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.pair, got, tt.want)
		}
	}
}

// They are named before a command says what it misses, and by a server in the format of its log.
func TestMisspeltVariableIsNamedAtStart(t *testing.T) {
	t.Parallel()
	stdout, stderr := newOutput(), newOutput()
	if code := run(t.Context(), []string{"serve"}, noEnv, stdout, stderr, "CHATD_STOR=sqlite:x"); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	if lines := strings.Split(stderr.String(), "\n"); len(lines) != 3 || !strings.Contains(lines[0], "meant=CHATD_STORE") || !strings.Contains(lines[1], "needs --store") {
		t.Errorf("%q", lines)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stderr = newOutput()
	run(ctx, []string{"dev", "--log-format", "json", "--config-dir", t.TempDir()}, noEnv, stdout, stderr, "CHATD_STOR=sqlite:x")
	if !strings.Contains(stderr.String(), `"meant":"CHATD_STORE"`) {
		t.Errorf("%q", stderr)
	}
}
