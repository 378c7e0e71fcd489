package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/store/pgtest"
)

// kids are the IDs of the keys that a server publishes.
func kids(t *testing.T, i *instance) []string {
	t.Helper()
	_, body := i.get(i.labels["Endpoint"]+"/.well-known/jwks.json", "")
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal([]byte(body), &set); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	found := map[string]bool{}
	for _, k := range set.Keys {
		found[k.Kid] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// Signing keys are rotated and retired beside running servers, which take tokens of a new key before they have read it.
func TestKeys(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "chatd.db") },
		"postgres": func(t *testing.T) string { return pgtest.Database(t, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store := []string{"--store", database(t), "--config-dir", dir}
			var nodes []*instance
			for range map[string]int{"sqlite": 1, "postgres": 2}[name] {
				i := launch(t, append([]string{"serve", "--listen", "localhost:0", "--access-key", ownKey, "--resource-id", resource, "--log-format", "json"}, store...)...)
				i.waitFor(i.stderr, `"msg":"ready"`)
				var line struct{ Endpoint string }
				if err := json.NewDecoder(strings.NewReader(i.stderr.String())).Decode(&line); err != nil {
					t.Fatal(err)
				}
				i.client, i.labels = clientTrusting(t, filepath.Join(dir, "ca.pem")), map[string]string{"Endpoint": line.Endpoint}
				nodes = append(nodes, i)
			}
			offline := func() string {
				_, token := mint(t, append([]string{"--resource-id", resource}, store...)...)
				return token
			}
			keys := func(want string, words ...string) {
				t.Helper()
				code, stdout, stderr := once(t, noEnv, slices.Concat([]string{"keys"}, words, store, []string{"--listen", "off"})...)
				if got := stdout + stderr; !regexp.MustCompile("^"+want+"$").MatchString(got) || (code == exitOK) != (stderr == "") {
					t.Errorf("chatd keys %v: exit code %d, %s; want %s", words, code, got, want)
				}
			}
			first := offline()
			keys(`  1  +made 20\S+Z, active\n`, "list")
			keys(`chatd: signing key "1" is the active one: rotate first\n`, "retire", "1")
			keys(`key 2 is active: .*\n`, "rotate")
			keys(`  1  +made 20\S+Z, verifies until 20\S+Z\n  2  +made 20\S+Z, active\n`, "list")
			second := offline()
			for _, i := range nodes {
				if !i.accepts(second) || !i.accepts(first) {
					t.Error("a token is refused after the rotation")
				}
				if got := kids(t, i); !slices.Equal(got, []string{"1", "2"}) {
					t.Errorf("published are %v", got)
				}
			}
			// An allocation of Trouter stands for the token that it was given for: old SDKs show it alone.
			var allocation struct{ Connectparams map[string]string }
			bodiless(t, nodes[0], http.MethodPost, "/v4/a", "X-Skypetoken", first, &allocation)
			query := url.Values{}
			for name, value := range allocation.Connectparams {
				query.Set(name, value)
			}
			handshake := func() int {
				return bodiless(t, nodes[0], http.MethodGet, "/socket.io/1/?"+query.Encode(), "X-Skypetoken", "", nil)
			}
			if status := handshake(); status != http.StatusOK {
				t.Errorf("handshake: %d", status)
			}
			keys(`key 1 is retired: .*\n`, "retire", "1")
			keys(`chatd: there is no signing key "1"\n`, "retire", "1")
			keys(`  2  +made 20\S+Z, active\n`, "list")
			keys(`key 3 is active: .*\n`, "rotate")
			third := offline()
			for _, i := range nodes {
				if !i.accepts(third) || !i.accepts(second) || i.accepts(first) { // the third made it read the keys again
					t.Error("want the tokens of keys 2 and 3 accepted and that of key 1 refused")
				}
				if !strings.Contains(i.stderr.String(), "[signing key is retired]") {
					t.Errorf("the log does not say why: %s", i.stderr)
				}
			}
			if status := handshake(); status != http.StatusUnauthorized {
				t.Errorf("handshake by an allocation of a token that ended: %d", status)
			}
		})
	}
}

// With a store in memory the keys are in the config folder.
func TestKeysOfDev(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i := dev(t, dir)
	if code, _, stderr := once(t, noEnv, "keys", "rotate", "--config-dir", dir, "--listen", "off"); code != exitOK {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	_, token := mint(t, "--config-dir", dir)
	if !i.accepts(token) || !i.accepts(i.labels["Token"]) {
		t.Error("a token is refused after the rotation")
	}
}

func TestKeysMistakes(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"keys", exitUsage, "list, rotate or retire"},
		{"keys remove", exitUsage, "list, rotate or retire"},
		{"keys retire", exitUsage, "list, rotate or retire"},
		{"keys list 1", exitUsage, "list, rotate or retire"},
		{"keys retire 1 2", exitUsage, `takes no argument "2"`},
		{"keys list --config-dir " + none, exitFailure, "no server has made a signing key in " + none},
		{"keys rotate --config-dir " + none, exitFailure, "no server has made a signing key in " + none},
		{"keys rotate --store sqlite:" + none, exitFailure, "no such file"},
	} {
		code, _, stderr := once(t, noEnv, strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, %q; want %q", tt.args, code, stderr, tt.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Dir(none) + "/*"); len(left) > 0 {
		t.Errorf("made: %v", left)
	}
}
