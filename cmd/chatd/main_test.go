package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/auth"
)

const (
	testTimeout = 30 * time.Second
	ownKey      = "b3duIGtleSBvZiBhIHRlc3QsIDMyIGJ5dGVzIGxvbmchIQ=="
	resource    = "11111111-2222-4333-8444-555555555555"
)

// output collects what a program writes and lets a test wait for it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// instance is a running chatd.
type instance struct {
	t              *testing.T
	stdout, stderr *output
	cancel         func()
	exited         chan int
	labels         map[string]string // of the ready block
	client         *http.Client      // trusts its CA and nothing else
}

// launch runs chatd with a setting for each test: its own port and, unless named, its own config folder.
func launch(t *testing.T, args ...string) *instance {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	i := &instance{t: t, stdout: newOutput(), stderr: newOutput(), cancel: cancel, exited: make(chan int, 1)}
	go func() { i.exited <- run(ctx, args, noEnv, i.stdout, i.stderr) }()
	t.Cleanup(func() { i.stop() })
	return i
}

// dev starts chatd dev and waits until it is ready.
func dev(t *testing.T, dir string, args ...string) *instance {
	t.Helper()
	i := launch(t, append([]string{"--listen", "localhost:0", "--config-dir", dir}, args...)...)
	i.waitFor(i.stdout, "chatd dev is ready.")
	i.labels = map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^  (\S.*?) {2,}(.*)$`).FindAllStringSubmatch(i.stdout.String(), -1) {
		i.labels[row[1]] = row[2]
	}
	if path := i.labels["CA certificate"]; path != "" {
		i.client = clientTrusting(t, path)
	}
	return i
}

func (i *instance) waitFor(o *output, text string) {
	i.t.Helper()
	timeout := time.After(testTimeout)
	for !strings.Contains(o.String(), text) {
		select {
		case <-o.more:
		case code := <-i.exited:
			i.exited <- code
			i.t.Fatalf("exited with %d before it said %q; stderr: %s", code, text, i.stderr)
		case <-timeout:
			i.t.Fatalf("did not say %q; stdout: %s; stderr: %s", text, i.stdout, i.stderr)
		}
	}
}

// stop asks for a graceful stop and returns the exit code.
func (i *instance) stop() int {
	i.cancel()
	select {
	case code := <-i.exited:
		i.exited <- code
		return code
	case <-time.After(testTimeout):
		i.t.Error("did not stop")
		return -1
	}
}

// get returns status and body of a GET, with the ready block's token when it is not empty.
func (i *instance) get(url, token string) (int, string) {
	i.t.Helper()
	request, err := http.NewRequestWithContext(i.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := i.client.Do(request)
	if err != nil {
		i.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		i.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// accepts reports whether the Chat API takes the token.
func (i *instance) accepts(token string) bool {
	i.t.Helper()
	status, _ := i.get(i.labels["Endpoint"]+"/chat/threads?api-version=2024-03-07", token)
	return status == http.StatusOK
}

func clientTrusting(t *testing.T, path string) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(read(t, path)) {
		t.Fatalf("%s holds no certificate", path)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: testTimeout}
}

func noEnv(string) string { return "" }

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// once runs a command that ends by itself.
func once(t *testing.T, getenv func(string) string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	var out, err bytes.Buffer
	code = run(ctx, args, getenv, &out, &err)
	return code, out.String(), err.String()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStopOn(t *testing.T) {
	t.Parallel()
	signals := make(chan os.Signal, 2)
	stopped, exited := make(chan struct{}), make(chan int, 1)
	go stopOn(signals, func() { close(stopped) }, func(code int) { exited <- code })
	signals <- os.Interrupt
	<-stopped
	select {
	case code := <-exited:
		t.Fatalf("the first signal ended the program with %d", code)
	default:
	}
	signals <- os.Interrupt
	if code := <-exited; code != exitFailure {
		t.Errorf("the second signal ended the program with %d, want %d", code, exitFailure)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "file"), "")
	key := write(t, filepath.Join(dir, "key"), wellKnownKey)
	serve := func(more ...string) []string {
		return append([]string{"serve", "--store", "sqlite:" + dir + "/db", "--resource-id", resource}, more...)
	}
	tests := []struct {
		name string
		args []string
		env  map[string]string
		code int
		want string // part of the line
	}{
		{"unknown command", []string{"swerve"}, nil, 2, `no command "swerve"`},
		{"unknown flag", []string{"--nope"}, nil, 2, "-nope"},
		{"unknown flag of serve", []string{"serve", "--nope"}, nil, 2, "-nope"},
		{"flag of another command", []string{"cert", "--log-level", "info"}, nil, 2, "-log-level"},
		{"argument", []string{"dev", "extra"}, nil, 2, `"extra"`},
		{"address", []string{"--listen", "8443"}, nil, 2, `--listen (or CHATD_LISTEN) is "8443": want host:port, :port for all addresses of the machine, or off`},
		{"profiles for all", []string{"--profile-listen", ":6060"}, nil, 2, "another address that only this machine can connect to"},
		{"port", []string{"--listen", "localhost:x"}, nil, 2, `"localhost:x"`},
		{"address by variable", nil, map[string]string{"CHATD_HTTP_LISTEN": "nowhere"}, 2, `(or CHATD_HTTP_LISTEN) is "nowhere"`},
		{"store", []string{"--store", "mysql:x"}, nil, 2, "--store (or CHATD_STORE): want memory:, sqlite:PATH"},
		{"resource", []string{"--resource-id", "x"}, nil, 2, "want a GUID"},
		{"names", []string{"--cert-names", "a b"}, nil, 2, "--cert-names"},
		{"public url", []string{"--public-url", "https://host/path"}, nil, 2, "want https://host[:port]"},
		{"proxies", []string{"--trusted-proxies", "10.0.0.0/99"}, nil, 2, "--trusted-proxies"},
		{"proxies of IPv4 in IPv6", []string{"--trusted-proxies", "::ffff:10.0.0.0/104"}, nil, 2, "--trusted-proxies"},
		{"origins", []string{"--cors-origins", "example.com"}, nil, 2, "--cors-origins"},
		{"log level", []string{"--log-level", "loud"}, nil, 2, "want debug, info, warn or error"},
		{"log format", []string{"--log-format", "xml"}, nil, 2, "want text or json"},
		{"half a certificate", []string{"--tls-cert", file}, nil, 2, "--tls-key"},
		{"secret file", nil, map[string]string{"CHATD_ACCESS_KEY_FILE": dir + "/none"}, 2, "CHATD_ACCESS_KEY_FILE"},
		{"serve without a store", []string{"serve"}, nil, 2, "chatd serve needs --store (or CHATD_STORE)"},
		{"serve in memory", []string{"serve", "--store", "memory:"}, nil, 2, "outlives the process"},
		{"serve without a key", serve(), nil, 2, "chatd serve needs --access-key"},
		{"serve without a resource", []string{"serve", "--store", "sqlite:x", "--access-key", ownKey}, nil, 2, "chatd serve needs --resource-id"},
		{"serve with the known key", serve("--access-key", wellKnownKey), nil, 2, "not the well-known development key"},
		{"serve with the known key in a file", serve(), map[string]string{"CHATD_ACCESS_KEY_FILE": key}, 2, "not the well-known development key"},
		{"serve with the known second key", serve("--access-key", ownKey, "--access-key-secondary", wellKnownKey), nil, 2, "not the well-known"},
		{"serve with the known resource", []string{"serve", "--store", "sqlite:x", "--access-key", ownKey, "--resource-id", strings.ToUpper(wellKnownResource)}, nil, 2, "not the well-known one of chatd dev"},
		{"serve with a short Entra token", serve("--access-key", ownKey, "--entra-token", "fifteen-letters"), nil, 2, "--entra-token (or CHATD_ENTRA_TOKEN): want at least 16 characters"},
		{"serve plain http to all", serve("--access-key", ownKey, "--http-listen", ":80"), nil, 2, `--http-listen is ":80", where other machines connect without TLS: name the proxy`},
		{"serve plain http to a network", serve("--access-key", ownKey, "--listen", "off", "--http-listen", "10.0.0.1:80"), nil, 2, "--trusted-proxies"},
		{"stop delay", []string{"--stop-delay", "6m"}, nil, 2, "want a time such as 5s, at most 5m"},
		{"quota of images", []string{"--images-per-day", "-1"}, nil, 2, `--images-per-day (or CHATD_IMAGES_PER_DAY) is "-1": want 0 or a number from 1 on`},
		{"quota of endpoints", []string{"--endpoints-per-user", "99"}, nil, 2, "want 0 or a number from 100 on"},
		{"nothing to listen on", []string{"--listen", "off"}, nil, 2, "nobody could connect"},
		{"nothing to ask", []string{"health", "--listen="}, nil, 2, "nobody could connect"},
		{"scope", []string{"token", "--scope", "chat,fly"}, nil, 2, `--scope is "chat,fly"`},
		{"minutes", []string{"token", "--minutes", "5"}, nil, 2, "--minutes is 5: want 60 to 1440"},
		{"foreign user", []string{"token", "--config-dir", dir, "--user", "8:acs:" + resource + "_1"}, nil, 2, "want a user of the resource"},
		{"endpoint", []string{"token", "--endpoint", "localhost"}, nil, 2, "--endpoint"},
		{"config folder", []string{"--listen", "localhost:0", "--config-dir", file + "/sub"}, nil, 1, "not a directory"},
		{"certificate", []string{"--listen", "localhost:0", "--tls-cert", file, "--tls-key", file}, nil, 1, "--tls-cert"},
		{"store folder", []string{"--listen", "localhost:0", "--config-dir", dir + "/a", "--store", "sqlite:" + dir + "/none/db"}, nil, 1, "none"},
		{"postgres", []string{"--listen", "localhost:0", "--config-dir", dir + "/b", "--store", "postgres://u:geheim@127.0.0.1:1/d"}, nil, 1, "connection refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := once(t, env(tt.env), tt.args...)
			if code != tt.code || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit code %d, stderr %q; want %d and %q", code, stderr, tt.code, tt.want)
			}
			if !strings.HasPrefix(stderr, "chatd: ") || strings.Count(stderr, "\n") != 1 || stdout != "" {
				t.Errorf("stderr is %q and stdout %q; want one line on stderr", stderr, stdout)
			}
		})
	}
}

func TestBadSecretIsNotShown(t *testing.T) {
	t.Parallel()
	code, _, stderr := once(t, noEnv, "--access-key", "geheim")
	if code != exitUsage || !strings.Contains(stderr, "--access-key") || strings.Contains(stderr, "geheim") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"help"}, {"-h"}, {"-help"}, {"--help"}, {"serve", "-help"}, {"dev", "--help"}} {
		code, stdout, stderr := once(t, noEnv, args...)
		if code != exitOK || stderr != "" {
			t.Errorf("chatd %v: exit code %d, stderr %q", args, code, stderr)
		}
		for _, s := range settings {
			if !strings.Contains(stdout, "--"+s.name+", "+s.env()) {
				t.Errorf("chatd %v does not tell about %s", args, s.name)
			}
		}
		if strings.Contains(stdout, wellKnownKey) {
			t.Errorf("chatd %v shows a key", args)
		}
	}
	_, stdout, _ := once(t, noEnv, "token", "-help")
	if !strings.Contains(stdout, "--minutes") || strings.Contains(stdout, "--log-level") {
		t.Errorf("chatd token -help: %s", stdout)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	code, stdout, _ := once(t, noEnv, "version")
	if code != exitOK || !regexp.MustCompile(`(?s)^chatd .*\ncommit .*\ngo1\..* \w+/\w+\n$`).MatchString(stdout) {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
}

func TestVersionAsJSON(t *testing.T) {
	t.Parallel()
	var got struct{ Version, Commit, Go, Platform string }
	_, stdout, _ := once(t, noEnv, "version", "--json")
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.Commit == "" || !strings.HasPrefix(got.Go, "go1.") || got.Platform != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("%s: %+v %v", stdout, got, err)
	}
}

func connectionString(t *testing.T, i *instance) auth.ConnectionString {
	t.Helper()
	c, err := auth.ParseConnectionString(i.labels["Connection string"])
	if err != nil {
		t.Fatal(err)
	}
	return c
}
