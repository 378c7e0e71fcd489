package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/server"
)

func configured(t *testing.T, name string, getenv func(string) string, args ...string) *config {
	t.Helper()
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		cfg, err := configure(&c, args, getenv)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	t.Fatalf("no command %s", name)
	return nil
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := write(t, filepath.Join(t.TempDir(), "token"), "of-file\n")
	byFile := map[string]string{"CHATD_ENTRA_TOKEN_FILE": file}
	byVariable := map[string]string{"CHATD_ENTRA_TOKEN_FILE": file, "CHATD_ENTRA_TOKEN": "of-variable"}
	tests := []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"default", nil, nil, ""},
		{"file", byFile, nil, "of-file"},
		{"variable", byVariable, nil, "of-variable"},
		{"flag", byVariable, []string{"--entra-token", "of-flag"}, "of-flag"},
		{"empty flag", byVariable, []string{"--entra-token="}, ""},
		{"empty variable", map[string]string{"CHATD_ENTRA_TOKEN_FILE": file, "CHATD_ENTRA_TOKEN": ""}, nil, "of-file"},
	}
	for _, tt := range tests {
		if got := configured(t, "dev", env(tt.env), tt.args...).entraToken; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestEmptyFileCountsAsNone(t *testing.T) {
	t.Parallel()
	empty := write(t, filepath.Join(t.TempDir(), "empty"), "\n")
	all := map[string]string{"CHATD_ACCESS_KEY_FILE": empty, "CHATD_ACCESS_KEY_SECONDARY_FILE": empty}
	if got := configured(t, "dev", env(all)).keys(); !slices.Equal(got, []string{wellKnownKey}) {
		t.Errorf("keys are %v", got)
	}
	if code, _, stderr := once(t, env(with(all, map[string]string{"CHATD_STORE": "sqlite:x"})), "serve"); code != exitUsage || !strings.Contains(stderr, "needs --access-key") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestOnlySecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	file := write(t, filepath.Join(t.TempDir(), "value"), "localhost:1")
	if got := configured(t, "dev", env(map[string]string{"CHATD_LISTEN_FILE": file})).listen; got != "localhost:8443" {
		t.Errorf("listen is %s", got)
	}
}

func origins(t *testing.T, items ...string) server.Origins {
	t.Helper()
	o, err := server.ParseOrigins(items)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestDefaultsOfDev(t *testing.T) {
	t.Parallel()
	c := configured(t, "dev", noEnv)
	if c.listen != "localhost:8443" || c.httpListen != "" || c.store != "memory:" || c.accessKey != wellKnownKey ||
		c.resourceID != wellKnownResource || c.entraToken != "" || !reflect.DeepEqual(c.corsOrigins, origins(t, "loopback")) ||
		c.imagesPerDay != 1000 || c.endpointsPerUser != 1000 {
		t.Errorf("%+v", c)
	}
}

func TestEveryVariable(t *testing.T) {
	t.Parallel()
	c := configured(t, "serve", env(map[string]string{
		"CHATD_LISTEN":               ":443",
		"CHATD_HTTP_LISTEN":          "[::1]:80",
		"CHATD_STORE":                "sqlite:/x/y",
		"CHATD_ACCESS_KEY":           ownKey,
		"CHATD_ACCESS_KEY_SECONDARY": "c2Vjb25kIGtleSBvZiBhIHRlc3Q=",
		"CHATD_RESOURCE_ID":          strings.ToUpper(resource),
		"CHATD_ENTRA_TOKEN":          "sixteen-letters!",
		"CHATD_CONFIG_DIR":           "/etc/chatd",
		"CHATD_CERT_NAMES":           "chat.example.com, 10.0.0.1,*.example.org",
		"CHATD_TLS_CERT":             "c.pem",
		"CHATD_TLS_KEY":              "k.pem",
		"CHATD_PUBLIC_URL":           "https://chat.example.com:8443/",
		"CHATD_TRUSTED_PROXIES":      "10.0.0.0/8,::1",
		"CHATD_CORS_ORIGINS":         "https://a.example.com,http://localhost:3000",
		"CHATD_LOG_LEVEL":            "warn",
		"CHATD_LOG_FORMAT":           "json",
		"CHATD_STOP_DELAY":           "1m30s",
		"CHATD_IMAGES_PER_DAY":       "7",
		"CHATD_ENDPOINTS_PER_USER":   "0",
	}))
	if c.listen != ":443" || c.httpListen != "[::1]:80" || c.store != "sqlite:/x/y" || c.configDir != "/etc/chatd" ||
		c.resourceID != resource || c.entraToken != "sixteen-letters!" || c.tlsCert != "c.pem" || c.tlsKey != "k.pem" ||
		c.publicURL != "https://chat.example.com:8443" || c.logLevel.String() != "WARN" || c.logFormat != "json" ||
		c.stopDelay.String() != "1m30s" || c.imagesPerDay != 7 || c.endpointsPerUser != 0 {
		t.Errorf("%+v", c)
	}
	if got := c.keys(); len(got) != 2 || got[0] != ownKey {
		t.Errorf("keys are %d", len(got))
	}
	if !slices.Equal(c.certNames, []string{"chat.example.com", "10.0.0.1", "*.example.org"}) {
		t.Errorf("names: %v", c.certNames)
	}
	if !slices.Equal(c.trustedProxies, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}) {
		t.Errorf("proxies: %v", c.trustedProxies)
	}
	if !reflect.DeepEqual(c.corsOrigins, origins(t, "https://a.example.com", "http://localhost:3000")) {
		t.Errorf("origins: %v", c.corsOrigins)
	}
}

// Any page may call a server that has its own key, as with the real service; that of chatd dev is public.
func TestDefaultOriginsOfServe(t *testing.T) {
	t.Parallel()
	c := configured(t, "serve", noEnv, "--store", "sqlite:x", "--access-key", ownKey, "--resource-id", resource)
	if !reflect.DeepEqual(c.corsOrigins, origins(t, "*")) {
		t.Errorf("origins: %+v", c.corsOrigins)
	}
}

// What is accepted can match: peers are compared as IPv4 where they are that, and without zones.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	c := configured(t, "dev", noEnv, "--trusted-proxies", "::ffff:10.0.0.7, fe80::1%eth0, fd00::/8")
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("fe80::1/128"), netip.MustParsePrefix("fd00::/8")}
	if !slices.Equal(c.trustedProxies, want) {
		t.Errorf("proxies: %v, want %v", c.trustedProxies, want)
	}
}

// The README has the table of settings between two markers.
func TestSettingsInReadme(t *testing.T) {
	t.Parallel()
	want := settingsTable()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatalf("%v; its table of settings should be:\n%s", err, want)
	}
	_, rest, begun := strings.Cut(string(readme), "<!-- settings:begin -->\n")
	got, _, ended := strings.Cut(rest, "<!-- settings:end -->")
	if !begun || !ended || strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("the table of settings in README.md is not that of the program; put this between the markers:\n%s", want)
	}
}

// The table of commands in the README has a row for each but help, in the order of chatd help.
func TestCommandsInReadme(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(string(read(t, "../../README.md")), "\n## Commands\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var got, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| (?:`chatd`, )?`chatd ([a-z]+)` \\|").FindAllStringSubmatch(section, -1) {
		got = append(got, row[1])
	}
	for _, c := range commands() {
		if c.name != "help" {
			want = append(want, c.name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("README.md has %q, chatd help %q", got, want)
	}
}
