package main

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree lists what is in a folder.
func tree(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		found = append(found, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Commands beside a server make nothing: they refuse what is not there, and what is there but is not the server's, as on a host
// where the server runs as a service and its operator has used chatd dev.
func TestCommandsOnlyRead(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	home, none, gone := filepath.Join(base, "home"), filepath.Join(base, "none"), filepath.Join(base, "gone")
	dev(t, home).stop()
	of := func(i *instance) string { return strings.TrimPrefix(i.labels["Endpoint"], "https://") }
	service := of(dev(t, filepath.Join(base, "service")))
	lost := dev(t, gone)
	if err := os.RemoveAll(gone); err != nil {
		t.Fatal(err)
	}
	given := filepath.Join(base, "given")
	cfg := &config{tlsCert: given + ".pem", tlsKey: given + ".key"}
	giveCertificate(t, cfg, "localhost")
	withCert := of(dev(t, given, "--tls-cert", cfg.tlsCert, "--tls-key", cfg.tlsKey))
	store := "sqlite:" + filepath.Join(base, "none.db")

	before := tree(t, base)
	for _, tt := range []struct{ name, command, dir, listen, want string }{
		{"cert, nothing there", "cert", none, "off", "there is no CA in " + none},
		{"cert of the operator", "cert", home, service, "uses another CA than that in " + home},
		{"print, of the operator", "cert --print", home, service, "uses another CA"},
		{"cert, only the server's", "cert", none, service, "is not in " + none},
		{"cert, folder gone", "cert", gone, of(lost), "if that was removed, restart the server"},
		{"cert of a server without", "cert", home, withCert, "was given to it"},
		{"env, nothing there", "env", none, "localhost:1", "there is no CA in " + none},
		{"env of the operator", "env", home, service, "uses another CA than that in " + home},
		{"env, folder gone", "env", gone, of(lost), "if that was removed, restart the server"},
		{"token, nothing there", "token", none, "off", "no server has made a signing key in " + none},
		{"token, folder gone", "token", gone, of(lost), "no server has made a signing key in " + gone},
		{"token of the operator", "token", home, service, "has other signing keys"},
		{"token, no store", "token --store " + store, none, "off", "no such file"},
		{"keys of the operator", "keys list", home, service, "has other signing keys"},
		{"rotate those of the operator", "keys rotate", home, service, "has other signing keys"},
		{"health, nothing there", "health", none, service, "there is no CA in " + none},
		{"health of the operator", "health", home, service, "not of the CA in " + home},
		{"online token of the operator", "token --endpoint https://" + service, home, service, "certificate"},
	} {
		args := append(strings.Fields(tt.command), "--config-dir", tt.dir, "--listen", tt.listen)
		code, stdout, stderr := once(t, noEnv, args...)
		if code != exitFailure || stdout != "" || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %q", tt.name, code, stdout, stderr, tt.want)
		}
	}
	if after := tree(t, base); !slices.Equal(after, before) {
		t.Errorf("before there was %v, afterwards %v", before, after)
	}
	// What a server shows can be had, with a word about it.
	code, stdout, stderr := once(t, noEnv, "cert", "--print", "--config-dir", none, "--listen", service)
	if code != exitOK || stdout != string(read(t, filepath.Join(base, "service", "ca.pem"))) || !strings.Contains(stderr, "nobody vouches for it") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// With the settings of the server all of them work.
func TestCommandsBesideTheirServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i := dev(t, dir)
	listen := strings.TrimPrefix(i.labels["Endpoint"], "https://")
	for _, command := range []string{"cert", "cert --print", "env --shell sh", "token", "keys list", "health"} {
		args := append(strings.Fields(command), "--config-dir", dir, "--listen", listen)
		if code, stdout, stderr := once(t, noEnv, args...); code != exitOK || stdout == "" || stderr != "" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", command, code, stdout, stderr)
		}
	}
	// Another program at the port is not mistaken for a chatd.
	stranger := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	other := strings.TrimPrefix(stranger.URL, "http://")
	if code, _, stderr := once(t, noEnv, "token", "--config-dir", dir, "--listen", "off", "--http-listen", other); code != exitOK {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// The line of docs/hosting.md has the settings that deploy/chatd.service gives.
func TestCommandsOnTheHostOfTheUnit(t *testing.T) {
	t.Parallel()
	docs := string(read(t, "../../docs/hosting.md"))
	_, rest, found := strings.Cut(docs, "sudo sh -c 'set -a; ")
	line, _, _ := strings.Cut(rest, ";")
	for variable := range strings.FieldsSeq(line) {
		if unit := strings.NewReplacer("%S", "/var/lib", "%d", "/etc/chatd").Replace(string(read(t, deploy+"chatd.service"))); !strings.Contains(unit, variable) {
			t.Errorf("the line sets %s, the unit does not", variable)
		}
	}
	for _, name := range []string{"CHATD_LISTEN", "CHATD_CONFIG_DIR", "CHATD_STORE"} {
		if !found || !strings.Contains(line, name+"=") {
			t.Errorf("the line does not set %s", name)
		}
	}
	if !strings.Contains(rest, systemd(t)["EnvironmentFile"]) {
		t.Errorf("the line does not read %s", systemd(t)["EnvironmentFile"])
	}
}
