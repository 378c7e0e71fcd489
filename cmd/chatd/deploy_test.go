package main

import (
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/httpapi"
	"github.com/chatd/chatd/internal/server"
)

func TestDeployedSettings(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, s := range settings {
		for name := range strings.SplitSeq(s.variables(), ", ") {
			known[name] = true
		}
	}
	for _, name := range regexp.MustCompile(`CHATD_\w+`).FindAllString(string(read(t, "../../docs/hosting.md")), -1) {
		if !known[name] {
			t.Errorf("docs/hosting.md speaks of %s, which is no setting", name)
		}
	}
	found := deployments(t)
	if len(found) != 5 {
		t.Errorf("%d deployments: %v", len(found), slices.Collect(maps.Keys(found)))
	}
	for name, values := range found {
		for variable := range values {
			if strings.HasPrefix(variable, "CHATD_") && !known[variable] {
				t.Errorf("%s sets %s, which is no setting", name, variable)
			}
		}
		for _, c := range commands() {
			if c.name != "serve" && c.name != "health" {
				continue
			}
			if _, err := configure(&c, nil, env(values)); err != nil {
				t.Errorf("%s: chatd %s: %v", name, c.name, err)
			}
		}
	}
}

func TestExampleOfSecretIsRefused(t *testing.T) {
	t.Parallel()
	example := readManifests(t, "secret.yaml.example")["Secret"].StringData
	values := map[string]string{
		"CHATD_STORE": example["store"], "CHATD_ACCESS_KEY": example["access-key"], "CHATD_RESOURCE_ID": example["resource-id"],
	}
	if _, err := configure(&command{name: "serve"}, nil, env(values)); err == nil {
		t.Error("chatd serve takes the example of a secret")
	}
}

func TestComposeStartsInOrder(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for name, s := range c.Services {
		for other, on := range s.DependsOn {
			it, known := c.Services[other]
			own := len(it.Healthcheck.Test) > 1 && it.Healthcheck.Test[0] == "CMD"
			if ofImage := it.Build != nil; !known || on.Condition != "service_healthy" || own == ofImage {
				t.Errorf("%s waits for %s to be %q, which is checked by %v", name, other, on.Condition, it.Healthcheck.Test)
			}
			for _, profile := range it.Profiles {
				if !slices.Contains(s.Profiles, profile) {
					t.Errorf("%s waits for %s, which is of the profile %s only", name, other, profile)
				}
			}
		}
		if s.Build != nil && s.DependsOn["postgres"].Condition == "" {
			t.Errorf("%s: %+v", name, s)
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, named := c.Volumes[from]; !named && !strings.HasPrefix(from, "./deploy/") {
				t.Errorf("%s: there is no volume %s", name, from)
			}
		}
	}
	proxy := string(read(t, deploy+"Caddyfile"))
	for name := range c.Services["proxy"].DependsOn {
		if address := name + c.Services[name].Environment["CHATD_HTTP_LISTEN"]; !strings.Contains(proxy, address) {
			t.Errorf("the proxy does not know %s", address)
		}
	}
}

// Each probe asks what is served, at the port that is listened on.
func TestProbes(t *testing.T) {
	t.Parallel()
	deployment := readManifests(t, "chatd.yaml")["Deployment"]
	if n := deployment.Spec.Strategy.RollingUpdate.MaxUnavailable; n != 0 {
		t.Errorf("a roll-out takes %d nodes away before there are new ones", n)
	}
	c := deployment.Spec.Template.Spec.Containers[0]
	if listen := deployments(t)["kubernetes"]["CHATD_HTTP_LISTEN"]; len(c.Ports) != 1 || listen != ":"+strconv.Itoa(c.Ports[0].Number) {
		t.Errorf("ports are %v, and chatd listens on %s", c.Ports, listen)
	}
	if !slices.Equal(c.Args, readDockerfile(t).cmd) {
		t.Errorf("args: %v", c.Args)
	}
	paths := []string{c.Startup.HTTPGet.Path, c.Readiness.HTTPGet.Path, c.Liveness.HTTPGet.Path}
	if paths[1] != "/readyz" || paths[2] != "/healthz" { // one that is not ready must get no requests, and must not be restarted
		t.Errorf("readiness asks %s and liveness %s", paths[1], paths[2])
	}
	for _, m := range regexp.MustCompile(`health_uri (\S+)`).FindAllStringSubmatch(string(read(t, deploy+"Caddyfile")), -1) {
		paths = append(paths, m[1])
	}
	for _, path := range paths {
		asked := func(r httpapi.Route) bool {
			return r.Method == http.MethodGet && r.Pattern == path && r.Caller == server.Anyone
		}
		if !slices.ContainsFunc(server.Routes(), asked) {
			t.Errorf("GET %s is not served to anyone", path)
		}
	}
}

// No deployment kills chatd while it still stops in order.
func TestTimeToStop(t *testing.T) {
	t.Parallel()
	const goodbyes = 10 * time.Second // for real-time clients; see internal/notify/trouter
	given := map[string]time.Duration{
		"kubernetes":    time.Duration(readManifests(t, "chatd.yaml")["Deployment"].Spec.Template.Spec.Grace) * time.Second,
		"chatd.service": seconds(t, systemd(t)["TimeoutStopSec"]+"s"),
	}
	for name, s := range readCompose(t).Services {
		if s.Build != nil {
			given["docker-compose.yml, "+name] = seconds(t, s.Grace)
		}
	}
	for name, values := range deployments(t) {
		if d, known := given[name]; known && d <= configured(t, "serve", env(values)).stopDelay+server.DrainTimeout+goodbyes {
			t.Errorf("%s gives chatd %s to stop", name, d)
		}
	}
}

func seconds(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestServiceOfSystemd(t *testing.T) {
	t.Parallel()
	unit := systemd(t)
	if path, args, _ := strings.Cut(unit["ExecStart"], " "); path != "/usr/local/bin/chatd" || args != "serve" {
		t.Errorf("ExecStart is %s", unit["ExecStart"])
	}
	if unit["RestartPreventExitStatus"] != strconv.Itoa(exitUsage) {
		t.Errorf("no restart after %s, want %d", unit["RestartPreventExitStatus"], exitUsage)
	}
	// The only folder that the service may write.
	for _, name := range []string{"CHATD_CONFIG_DIR", "CHATD_STORE"} {
		if v := deployments(t)["chatd.service"][name]; !strings.Contains(v, "/var/lib/"+unit["StateDirectory"]+"/") {
			t.Errorf("%s is %s", name, v)
		}
	}
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	d := readDockerfile(t)
	if !d.platforms || !d.buildsPlatform {
		t.Error("not built for other platforms on the one that builds")
	}
	if id, err := strconv.Atoi(strings.Split(d.user, ":")[0]); err != nil || id == 0 { // Kubernetes cannot tell a name from root
		t.Errorf("the user is %q, want a number and not root", d.user)
	}
	if !slices.Equal(d.health, append(slices.Clone(d.entrypoint), "health")) {
		t.Errorf("the check is %v", d.health)
	}
	// A large sort of SQLite fails where it cannot make files; the root folder may be read-only.
	for _, path := range []string{d.env["SQLITE_TMPDIR"], filepath.Dir(d.env["CHATD_CONFIG_DIR"]), filepath.Dir(strings.TrimPrefix(d.env["CHATD_STORE"], "sqlite:"))} {
		if path != d.volume {
			t.Errorf("%s is not in the volume %s", path, d.volume)
		}
	}
}
