package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/auth"
)

func TestDev(t *testing.T) {
	t.Parallel()
	i := dev(t, t.TempDir())
	endpoint := i.labels["Endpoint"]
	for _, label := range []string{"User", "Token", "Node.js", "Python", "Java", ".NET (Linux), Go", "Azure CLI", "Chromium (Linux)"} {
		if i.labels[label] == "" {
			t.Errorf("the ready block has no %s: %s", label, i.stdout)
		}
	}
	if c := connectionString(t, i); c.Endpoint != endpoint || c.AccessKey != wellKnownKey {
		t.Errorf("connection string is of %s", c.Endpoint)
	}
	if !i.accepts(i.labels["Token"]) {
		t.Error("the token of the ready block is refused")
	}
	for path, want := range map[string]string{
		"/healthz":               "ok\n",
		"/readyz":                "ready\n",
		"/ca.pem":                string(read(t, i.labels["CA certificate"])),
		"/metrics":               "chatd_build_info{",
		"/version":               `"go":"go1.`,
		"/.well-known/jwks.json": `"kty":"RSA"`,
	} {
		if status, body := i.get(endpoint+path, ""); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d %s, want %s", path, status, body, want)
		}
	}
	if _, body := i.get(endpoint+"/metrics", ""); !strings.Contains(body, `chatd_store_operation_seconds_count{operation="add_user"}`) {
		t.Errorf("the store is not timed: %s", body)
	}
	if i.stderr.String() == "" || strings.Contains(i.stderr.String(), i.labels["Token"]) {
		t.Errorf("stderr: %s", i.stderr)
	}
	if code := i.stop(); code != exitOK {
		t.Errorf("exit code %d; stderr: %s", code, i.stderr)
	}
}

func TestBothLoopbackAddresses(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("this machine has no IPv6")
	} else {
		l.Close()
	}
	i := dev(t, t.TempDir())
	u, err := url.Parse(i.labels["Endpoint"])
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "[::1]", "localhost"} {
		if status, body := i.get("https://"+host+":"+u.Port()+"/healthz", ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", host, status, body)
		}
	}
}

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	i := dev(t, t.TempDir())
	dial := func(version uint16) error {
		c := i.client.Transport.(*http.Transport).TLSClientConfig.Clone()
		c.MinVersion, c.MaxVersion = version, version
		conn, err := tls.Dial("tcp", strings.TrimPrefix(i.labels["Endpoint"], "https://"), c)
		if err == nil {
			conn.Close()
		}
		return err
	}
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		if err := dial(version); (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

func TestRestartOfDev(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "config")
	first := dev(t, dir)
	ca := read(t, first.labels["CA certificate"])
	first.stop()
	second := dev(t, dir)
	const isNew = "The CA is new"
	if !strings.Contains(first.stdout.String(), isNew) || strings.Contains(second.stdout.String(), isNew) {
		t.Errorf("want the first alone to say that the CA is new; they said: %s%s", first.stdout, second.stdout)
	}
	if !bytes.Equal(ca, read(t, second.labels["CA certificate"])) {
		t.Error("the CA changed")
	}
	if !second.accepts(first.labels["Token"]) {
		t.Error("a token of the first run is refused")
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("config folder: %v %v", info.Mode(), err)
	}
	for _, name := range []string{"ca-key.pem", "leaf-key.pem", "signing-keys/1.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{
		"serve", "--listen", "localhost:0", "--http-listen", "127.0.0.1:0", "--config-dir", dir,
		"--store", "sqlite:" + filepath.Join(dir, "chatd.db"), "--access-key", ownKey,
		"--resource-id", strings.ToUpper(resource), "--entra-token", "geheim-geheim-geheim", "--log-format", "json",
	}
	i := launch(t, args...)
	i.waitFor(i.stderr, `"msg":"ready"`)
	var line struct{ Endpoint, HTTP string }
	if err := json.Unmarshal([]byte(i.stderr.String()), &line); err != nil {
		t.Fatalf("not one line: %s", i.stderr)
	}
	if want := `"connection_string":"endpoint=` + line.Endpoint + `/;accesskey=<CHATD_ACCESS_KEY>"`; !strings.Contains(i.stderr.String(), want) {
		t.Errorf("the log has no %s: %s", want, i.stderr)
	}
	for _, secret := range []string{ownKey, "geheim", "eyJ"} {
		if strings.Contains(i.stderr.String(), secret) {
			t.Errorf("the log shows a secret: %s", i.stderr)
		}
	}
	if !strings.Contains(i.stderr.String(), "ca.pem is new: clients have to trust it") {
		t.Errorf("the log does not say that the CA is new: %s", i.stderr)
	}
	if i.stdout.String() != "" {
		t.Errorf("stdout: %s", i.stdout)
	}

	// A token that is made beside the server, by the keys in its store, is good for it, over http too.
	_, out, _ := once(t, noEnv, "token", "--listen", "off", "--config-dir", dir, "--store", "sqlite:"+filepath.Join(dir, "chatd.db"), "--resource-id", resource)
	token := strings.Fields(out)[3]
	i.client, i.labels = clientTrusting(t, filepath.Join(dir, "ca.pem")), map[string]string{}
	for _, i.labels["Endpoint"] = range []string{line.Endpoint, line.HTTP} {
		if !i.accepts(token) {
			t.Errorf("%s refuses the token %s", i.labels["Endpoint"], out)
		}
	}
	if code := i.stop(); code != exitOK {
		t.Errorf("exit code %d; stderr: %s", code, i.stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "signing-keys")); err == nil {
		t.Error("the signing keys are not in the store")
	}
}

// Behind a proxy that ends TLS no certificate is needed, and no folder for one.
func TestServeWithoutTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i := launch(t, "serve", "--listen", "off", "--http-listen", ":0", "--trusted-proxies", "127.0.0.1", "--config-dir", dir+"/none",
		"--store", "sqlite:"+filepath.Join(dir, "chatd.db"), "--access-key", ownKey, "--resource-id", resource, "--log-format", "json")
	i.waitFor(i.stderr, `"msg":"ready"`)
	var line struct{ Endpoint, HTTP string }
	if err := json.Unmarshal([]byte(i.stderr.String()), &line); err != nil || line.Endpoint != line.HTTP || !strings.HasPrefix(line.HTTP, "http://localhost:") {
		t.Fatalf("%+v %v: %s", line, err, i.stderr)
	}
	i.client = http.DefaultClient
	if status, body := i.get(line.Endpoint+"/ca.pem", ""); status != http.StatusNotFound {
		t.Errorf("GET /ca.pem: %d %s", status, body)
	}
	if _, err := os.Stat(dir + "/none"); err == nil {
		t.Error("a config folder was made")
	}
	if code := i.stop(); code != exitOK {
		t.Errorf("exit code %d; stderr: %s", code, i.stderr)
	}
}

func TestDevWithoutTLS(t *testing.T) {
	t.Parallel()
	i := launch(t, "--listen", "off", "--http-listen", "localhost:0", "--config-dir", t.TempDir())
	i.waitFor(i.stdout, "chatd dev is ready.")
	if out := i.stdout.String(); !strings.Contains(out, "endpoint=http://localhost:") || strings.Contains(out, "CA certificate") {
		t.Errorf("stdout: %s", out)
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	i := dev(t, t.TempDir(), "--public-url", "https://chat.example.com/")
	if got := connectionString(t, i).Endpoint; got != "https://chat.example.com" {
		t.Errorf("connection string is of %s", got)
	}
}

func TestWarnsOfTheKnownKey(t *testing.T) {
	t.Parallel()
	const want = "known to everybody"
	if i := dev(t, t.TempDir()); strings.Contains(i.stderr.String(), want) {
		t.Errorf("stderr: %s", i.stderr)
	}
	if i := dev(t, t.TempDir(), "--http-listen", ":0"); !strings.Contains(i.stderr.String(), want) || i.labels["Plain http"] == "" {
		t.Errorf("stdout: %s; stderr: %s", i.stdout, i.stderr)
	}
	if i := dev(t, t.TempDir(), "--http-listen", ":0", "--access-key", ownKey); strings.Contains(i.stderr.String(), want) {
		t.Errorf("stderr: %s", i.stderr)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	i := dev(t, t.TempDir())
	address := strings.TrimPrefix(i.labels["Endpoint"], "https://")
	for _, flag := range []string{"--listen", "--http-listen", "--profile-listen"} {
		code, _, stderr := once(t, noEnv, "--config-dir", t.TempDir(), "--listen", "localhost:0", flag, address)
		want := fmt.Sprintf("chatd: cannot listen on %s: address already in use; %s chooses another address\n", address, flag)
		if code != exitFailure || stderr != want {
			t.Errorf("%s: exit code %d, stderr %q, want %q", flag, code, stderr, want)
		}
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	i := dev(t, t.TempDir(), "--profile-listen", "127.0.0.1:0")
	found := regexp.MustCompile(`profiles are served" address=(\S+)`).FindStringSubmatch(i.stderr.String())
	if found == nil {
		t.Fatalf("stderr: %s", i.stderr)
	}
	if status, body := i.get("http://"+found[1]+"/debug/pprof/goroutine?debug=1", ""); status != http.StatusOK || !strings.Contains(body, "goroutine profile:") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := i.get(i.labels["Endpoint"]+"/debug/pprof/", ""); status != http.StatusNotFound {
		t.Errorf("where the APIs are: %d", status)
	}
}

func TestStopBeforeReady(t *testing.T) {
	t.Parallel()
	i := launch(t, "--listen", "localhost:0", "--config-dir", t.TempDir())
	if code := i.stop(); code != exitOK || i.stderr.String() != "" {
		t.Errorf("exit code %d; stderr: %s", code, i.stderr)
	}
}

// Stopping says one line, and that data is gone where it is.
func TestStopSaysOneLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for store, gone := range map[string]bool{"memory:": true, "sqlite:" + filepath.Join(dir, "chatd.db"): false} {
		i := dev(t, dir, "--store", store)
		before := i.stderr.String()
		i.stop()
		said := strings.TrimPrefix(i.stderr.String(), before)
		if !strings.Contains(said, "level=INFO msg=stopping") || strings.Count(said, "\n") != 1 || strings.Contains(said, "are gone") != gone {
			t.Errorf("%s: %q", store, said)
		}
	}
}

// A request that runs when the program is asked to stop is answered.
func TestDrain(t *testing.T) {
	t.Parallel()
	i := dev(t, t.TempDir(), "--log-level", "debug")
	body := `{"createTokenWithScopes":["chat"]}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.labels["Endpoint"]+"/identities?api-version=2023-10-01", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := auth.Sign(request, []byte(body), wellKnownKey, now().Std()); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(i.labels["Endpoint"], "https://")
	conn, err := tls.Dial("tcp", address, i.client.Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n",
		request.URL.RequestURI(), address, len(body))
	if err := request.Header.Write(conn); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "\r\n")
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	i.cancel()
	i.waitFor(i.stderr, "msg=stopping")
	fmt.Fprint(conn, body)
	response, err := http.ReadResponse(answers, request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		t.Errorf("status %s", response.Status)
	}
	if code := i.stop(); code != exitOK {
		t.Errorf("exit code %d; stderr: %s", code, i.stderr)
	}
}

// A proxy that asks /readyz has time to turn to another server before this one stops.
func TestStopDelay(t *testing.T) {
	t.Parallel()
	i := dev(t, t.TempDir(), "--stop-delay", "3s", "--log-level", "debug", "--http-listen", "127.0.0.1:0")
	plain := strings.TrimPrefix(i.labels["Plain http"], "http://")
	i.cancel()
	i.waitFor(i.stderr, "msg=stopping")
	if status, body := i.get(i.labels["Endpoint"]+"/readyz", ""); status != http.StatusServiceUnavailable {
		t.Errorf("GET /readyz: %d %s", status, body)
	}
	if code, _, stderr := once(t, noEnv, "health", "--config-dir", t.TempDir(), "--http-listen", plain); code != exitFailure || !strings.Contains(stderr, "stopping") {
		t.Errorf("health: exit code %d, stderr %q", code, stderr)
	}
	if !i.accepts(i.labels["Token"]) {
		t.Error("requests are refused")
	}
	if code := i.stop(); code != exitOK {
		t.Errorf("exit code %d; stderr: %s", code, i.stderr)
	}
}
