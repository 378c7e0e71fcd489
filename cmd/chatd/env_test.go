package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/auth"
)

// The lines of chatd env, evaluated by a shell, give programs what the server printed, whatever is in a path.
func TestEnvIsEvaluated(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), `it's $HOME "a" \b `+"`c`")
	i := dev(t, dir)
	listen := strings.TrimPrefix(i.labels["Endpoint"], "https://")
	bundle := filepath.Join(dir, "ca-bundle.pem")
	want := strings.Join([]string{
		i.labels["Endpoint"], i.labels["Connection string"], i.labels["Connection string"], filepath.Join(dir, "ca.pem"), bundle, bundle,
	}, "\n") + "\n"
	const names = "$ENDPOINT $CONNECTION $AZURE_COMMUNICATION_CONNECTION_STRING $NODE_EXTRA_CA_CERTS $REQUESTS_CA_BUNDLE $SSL_CERT_FILE"
	code, stdout, stderr := once(t, noEnv, "env", "--shell", "sh", "--config-dir", dir, "--listen", listen)
	if code != exitOK {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	quoted := `"` + strings.ReplaceAll(names, " ", `" "`) + `"`
	for _, shell := range []string{"sh", "bash", "zsh"} {
		if _, err := exec.LookPath(shell); err != nil {
			t.Logf("not tried: %s is not installed", shell)
			continue
		}
		out, err := exec.CommandContext(t.Context(), shell, "-c", stdout+`printf '%s\n' `+quoted).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", shell, err, out, want)
		}
	}
	for shell, print := range map[string][]string{
		"fish":       {"fish", "-c", "printf '%s\\n' " + quoted},
		"powershell": {"pwsh", "-NoProfile", "-Command", strings.ReplaceAll(names, "$", "$env:")},
	} {
		if _, err := exec.LookPath(print[0]); err != nil {
			t.Logf("not tried: %s is not installed", print[0])
			continue
		}
		_, lines, _ := once(t, noEnv, "env", "--shell", shell, "--config-dir", dir, "--listen", listen)
		print[len(print)-1] = lines + strings.ReplaceAll(print[len(print)-1], " $env", "; $env")
		out, err := exec.CommandContext(t.Context(), print[0], print[1:]...).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", shell, err, out, want)
		}
	}
}

func TestQuotes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ value, sh, fish, powershell string }{
		{"/a/b.pem", `export X=/a/b.pem`, `set -gx X '/a/b.pem'`, `$env:X = '/a/b.pem'`},
		{"a b;$c", `export X='a b;$c'`, `set -gx X 'a b;$c'`, `$env:X = 'a b;$c'`},
		{`it's`, `export X='it'\''s'`, `set -gx X 'it\'s'`, `$env:X = 'it''s'`},
		{`C:\a`, `export X='C:\a'`, `set -gx X 'C:\\a'`, `$env:X = 'C:\a'`},
		{"it’s", "export X='it’s'", "set -gx X 'it’s'", "$env:X = 'it’’s'"},
		{"", "export X=''", "set -gx X ''", "$env:X = ''"},
	} {
		for shell, want := range map[string]string{"sh": tt.sh, "fish": tt.fish, "powershell": tt.powershell} {
			if got := shells[shell]("X", tt.value); got != want {
				t.Errorf("%s: %s, want %s", shell, got, want)
			}
		}
	}
	for _, tt := range [][3]string{
		{"/usr/bin/fish", "linux", "fish"},
		{"/bin/zsh", "darwin", "sh"},
		{"/usr/bin/pwsh", "linux", "powershell"},
		{"", "linux", "sh"},
		{"", "windows", "powershell"},
		{"/usr/bin/bash", "windows", "sh"},
	} {
		if got := shellOf(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%q on %s: %s, want %s", tt[0], tt[1], got, tt[2])
		}
	}
}

func TestEnvOfOtherServers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string
		code int
		want string // of stdout or stderr
	}{
		{"--listen off --http-listen localhost:8080", exitOK, "export ENDPOINT=http://localhost:8080\n"},
		{"--listen :9443 --tls-cert c.pem --tls-key k.pem", exitOK, "export ENDPOINT=https://localhost:9443\n"},
		{"--listen off --http-listen :1 --public-url https://chat.example.com", exitOK, "export ENDPOINT=https://chat.example.com\n"},
		{"--listen off --http-listen :1 --access-key " + ownKey, exitOK, "accesskey=" + ownKey + "'\n"},
		{"--listen localhost:0", exitUsage, "name the port"},
		{"--listen off", exitUsage, "name the port"},
		{"--shell tcsh", exitUsage, "want one of fish, powershell, sh"},
	} {
		code, stdout, stderr := once(t, noEnv, append([]string{"env"}, strings.Fields(tt.args)...)...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.want) || strings.Contains(stdout, "CA") && code == exitOK && strings.Contains(stdout, "NODE_EXTRA") {
			t.Errorf("%s: exit code %d, %s%s; want %s", tt.args, code, stdout, stderr, tt.want)
		}
	}
}

// With --json a command prints one object, which has what it prints otherwise.
func TestJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i := launch(t, "--listen", "localhost:0", "--http-listen", "localhost:0", "--config-dir", dir, "--json")
	i.waitFor(i.stdout, "\n")
	object := func(text string) map[string]any {
		t.Helper()
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return got
	}
	about := object(i.stdout.String())
	i.client, i.labels = clientTrusting(t, about["caCertificate"].(string)), map[string]string{"Endpoint": about["endpoint"].(string)}
	c, err := auth.ParseConnectionString(about["connectionString"].(string))
	if err != nil || c.Endpoint != about["endpoint"] || !strings.HasPrefix(about["plainHttp"].(string), "http://") || about["caIsNew"] != true ||
		!strings.HasPrefix(about["user"].(string), "8:acs:") || !i.accepts(about["token"].(string)) || about["expiresOn"] == "" {
		t.Errorf("%v %v", about, err)
	}
	listen := strings.TrimPrefix(i.labels["Endpoint"], "https://")
	_, stdout, _ := once(t, noEnv, "token", "--json", "--config-dir", dir, "--listen", listen)
	if token := object(stdout); !i.accepts(token["token"].(string)) || token["user"] == "" || token["expiresOn"] == "" {
		t.Errorf("%v", token)
	}
	_, stdout, _ = once(t, noEnv, "cert", "--json", "--config-dir", dir, "--listen", listen)
	if cert := object(stdout); cert["caCertificate"] != about["caCertificate"] || cert["caBundle"] != about["caBundle"] {
		t.Errorf("%v, want those of %v", cert, about)
	}
}
