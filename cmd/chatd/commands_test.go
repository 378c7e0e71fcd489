package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/devca"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/migrations"
)

var tokenOutput = regexp.MustCompile(`^  User {2,}(8:acs:\S+)\n  Token {2,}(eyJ\S+)\n  Expires {2,}(20\S+Z)\n$`)

// mint runs chatd token and returns user and token.
func mint(t *testing.T, args ...string) (user, token string) {
	t.Helper()
	code, stdout, stderr := once(t, noEnv, append([]string{"token", "--listen", "off"}, args...)...)
	parts := tokenOutput.FindStringSubmatch(stdout)
	if code != exitOK || parts == nil {
		t.Fatalf("chatd token %v: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
	}
	return parts[1], parts[2]
}

// installed makes store and signing key as a server does at its first start.
func installed(t *testing.T, args ...string) {
	t.Helper()
	db, _, err := openStore(t.Context(), configured(t, "token", noEnv, args...), store.Options{})
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTokenOffline(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	installed(t, "--config-dir", dir)
	user, first := mint(t, "--config-dir", dir)
	again, second := mint(t, "--config-dir", dir, "--user", user, "--minutes", "60", "--scope", "chat.join,voip")
	if again != user {
		t.Errorf("the token is for %s, want %s", again, user)
	}
	i := dev(t, dir)
	if !i.accepts(first) || !i.accepts(second) {
		t.Error("the server refuses a token of its own keys")
	}
}

func TestTokenOnline(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i := dev(t, dir)
	user, token := mint(t, "--config-dir", dir, "--endpoint", i.labels["Endpoint"])
	if !i.accepts(token) {
		t.Error("the server refuses its own token")
	}
	if again, token := mint(t, "--config-dir", dir, "--endpoint", i.labels["Endpoint"]+"/", "--user", user, "--minutes", "90"); again != user || !i.accepts(token) {
		t.Errorf("token for %s, want %s", again, user)
	}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"wrong key", []string{"--access-key", ownKey}, "401"},
		{"foreign user", []string{"--user", "8:acs:" + resource + "_00000000-0000-0000-0000-000000000000"}, "the server refused: 40"},
		{"unknown CA", []string{"--config-dir", t.TempDir()}, "certificate"},
	}
	for _, tt := range tests {
		code, _, stderr := once(t, noEnv, append([]string{"token", "--config-dir", dir, "--endpoint", i.labels["Endpoint"]}, tt.args...)...)
		if code != exitFailure || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, stderr %q", tt.name, code, stderr)
		}
	}
}

func TestCert(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "it's a folder")
	dev(t, dir).stop()
	path := filepath.Join(dir, "ca.pem")
	here := []string{"--config-dir", dir, "--listen", "off"}
	code, stdout, stderr := once(t, noEnv, append([]string{"cert"}, here...)...)
	if code != exitOK || !strings.Contains(stdout, path) || !strings.Contains(stdout, `NODE_EXTRA_CA_CERTS='`) {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if !strings.Contains(stdout, `it'\''s a folder/ca.pem'`) {
		t.Errorf("the path is not quoted for a shell: %s", stdout)
	}
	_, stdout, _ = once(t, noEnv, append([]string{"cert", "--print"}, here...)...)
	if block, rest := pem.Decode([]byte(stdout)); block == nil || len(rest) > 0 || stdout != string(read(t, path)) {
		t.Errorf("chatd cert --print: %q", stdout)
	}
	_, stdout, _ = once(t, noEnv, append([]string{"cert", "--bundle"}, here...)...)
	if !strings.HasSuffix(stdout, "\n"+string(read(t, path))) && len(systemRoots()) > 0 || stdout != string(read(t, filepath.Join(dir, "ca-bundle.pem"))) {
		t.Errorf("chatd cert --bundle: %.2000q", stdout)
	}
	if got, want := len(devca.PEMBlocks([]byte(stdout), certificateBlock)), len(devca.PEMBlocks(systemRoots(), certificateBlock))+1; got != want {
		t.Errorf("the bundle has %d certificates, want %d", got, want)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i := dev(t, dir, "--http-listen", "127.0.0.1:0")
	secure := strings.TrimPrefix(i.labels["Endpoint"], "https://")
	plain := strings.TrimPrefix(i.labels["Plain http"], "http://")
	_, port, _ := strings.Cut(secure, ":")
	healthy := func(args ...string) bool {
		t.Helper()
		code, stdout, stderr := once(t, noEnv, append([]string{"health"}, args...)...)
		if ok := code == exitOK && stdout == "ready\n" && stderr == ""; ok {
			return true
		}
		if code != exitFailure || strings.Count(stderr, "\n") != 1 {
			t.Errorf("health %v: exit code %d, stderr %q", args, code, stderr)
		}
		return false
	}
	if !healthy("--config-dir", dir, "--listen", secure) || !healthy("--config-dir", dir, "--listen", ":"+port) {
		t.Error("not healthy")
	}
	if !healthy("--config-dir", t.TempDir(), "--listen", secure, "--http-listen", plain) {
		t.Error("not healthy over http")
	}
	if !healthy("--config-dir", t.TempDir(), "--listen", "off", "--http-listen", plain) {
		t.Error("not healthy over http alone")
	}
	if healthy("--config-dir", t.TempDir(), "--listen", secure) {
		t.Error("trusts a server of another CA")
	}
	i.stop()
	if healthy("--config-dir", dir, "--listen", secure, "--http-listen", plain) {
		t.Error("healthy after the end")
	}
}

// With --wait the answer may come later: nothing is there yet when it begins, not even the CA.
func TestHealthWaits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	stderr, done := newOutput(), make(chan int, 1)
	go func() {
		done <- run(t.Context(), []string{"health", "--wait", "30s", "--config-dir", dir, "--listen", address}, noEnv, io.Discard, stderr)
	}()
	launch(t, "--listen", address, "--config-dir", dir)
	if code := <-done; code != exitOK {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	for wait, want := range map[string]int{"300ms": exitFailure, "-1s": exitUsage, "11m": exitUsage, "soon": exitUsage} {
		if code, _, stderr := once(t, noEnv, "health", "--wait", wait, "--config-dir", t.TempDir()); code != want {
			t.Errorf("--wait %s: exit code %d, %s", wait, code, stderr)
		}
	}
}

func TestKeyFolder(t *testing.T) {
	t.Parallel()
	dir := keyFolder(filepath.Join(t.TempDir(), "keys [1]"))
	if keys, err := dir.SigningKeys(t.Context()); err != nil || len(keys) != 0 {
		t.Fatalf("no folder: %v %v", keys, err)
	}
	for _, k := range []auth.SigningKey{{ID: "a", CreatedOn: 2}, {ID: "b/c", CreatedOn: 1}, {ID: "a", CreatedOn: 3}} {
		if err := dir.AddSigningKey(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(string(dir), ".new-1"), "half a fi")
	keys, err := dir.SigningKeys(t.Context())
	if err != nil || len(keys) != 2 || keys[0].ID != "b/c" || keys[1].ID != "a" || keys[1].CreatedOn != 2 {
		t.Errorf("%+v %v", keys, err)
	}
	for range 2 { // the second time there is nothing to remove
		if err := dir.RemoveSigningKey(t.Context(), "b/c"); err != nil {
			t.Fatal(err)
		}
	}
	if keys, err := dir.SigningKeys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("%d keys after one was removed, %v", len(keys), err)
	}
	write(t, filepath.Join(string(dir), "d.json"), "half a fi")
	if _, err := dir.SigningKeys(t.Context()); err == nil || !strings.Contains(err.Error(), "d.json") {
		t.Errorf("a broken file: %v", err)
	}
}

func TestFolderInUseKeepsItsMode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "other"), "")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := makePrivate(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		address, reachable, host string
		loopback                 bool
	}{
		{"localhost:1", "localhost:1", "localhost", true},
		{":1", "127.0.0.1:1", "localhost", false},
		{"0.0.0.0:1", "127.0.0.1:1", "localhost", false},
		{"[::]:1", "127.0.0.1:1", "localhost", false},
		{"[::1]:1", "[::1]:1", "::1", true},
		{"10.0.0.1:1", "10.0.0.1:1", "10.0.0.1", false},
		{"chat.example.com:1", "chat.example.com:1", "chat.example.com", false},
	}
	for _, tt := range tests {
		if r, h, l := reachable(tt.address), hostOf(tt.address), isLoopback(tt.address); r != tt.reachable || h != tt.host || l != tt.loopback {
			t.Errorf("%s: %s %s %t, want %+v", tt.address, r, h, l, tt)
		}
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "chatd.db") },
		"postgres": func(t *testing.T) string { return pgtest.Database(t, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			getenv := env(map[string]string{"CHATD_STORE": url(t)})
			all, err := fs.Glob(migrations.Files, name+"/*.sql")
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time there is nothing to do
				code, stdout, stderr := once(t, getenv, "migrate")
				if code != 0 || stdout != fmt.Sprintf("the schema is up to date: %d\n", len(all)) {
					t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
				}
			}
		})
	}
	for _, args := range [][]string{{"migrate"}, {"migrate", "--store", "memory:"}} {
		if code, _, stderr := once(t, noEnv, args...); code != exitUsage || !strings.Contains(stderr, "--store") {
			t.Errorf("%v: exit code %d, %q", args, code, stderr)
		}
	}
}
