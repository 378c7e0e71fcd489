package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oasdiff/yaml3"
)

// What is in deploy/ is read as those read it who run it. Whether the files are what Kubernetes and Docker take is for
// test/deploy, which has their own types.
const deploy = "../../deploy/"

// installation is what deploy/make-env.sh prints.
func installation(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", deploy+"make-env.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = value
	}
	return values
}

// with returns the later values over the earlier ones.
func with(layers ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, values := range layers {
		maps.Copy(all, values)
	}
	return all
}

// dockerfile is what the last stage of deploy/Dockerfile says.
type dockerfile struct {
	env                       map[string]string
	user, volume              string
	entrypoint, cmd, health   []string
	copied                    []string // paths in the image
	platforms, buildsPlatform bool
}

func readDockerfile(t *testing.T) dockerfile {
	t.Helper()
	text := string(read(t, deploy+"Dockerfile"))
	d := dockerfile{env: map[string]string{}, buildsPlatform: strings.Contains(text, "--platform=$BUILDPLATFORM")}
	d.platforms = strings.Contains(text, "GOARCH=$TARGETARCH")
	words := func(list string) (out []string) {
		if err := json.Unmarshal([]byte(list), &out); err != nil {
			t.Fatalf("%s: %v; want the form that needs no shell", list, err)
		}
		return out
	}
	for line := range strings.Lines(text[strings.LastIndex(text, "\nFROM scratch\n"):]) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "ENV":
			for pair := range strings.FieldsSeq(rest) {
				key, value, _ := strings.Cut(pair, "=")
				d.env[key] = value
			}
		case "USER":
			d.user = rest
		case "VOLUME":
			d.volume = rest
		case "ENTRYPOINT":
			d.entrypoint = words(rest)
		case "CMD":
			d.cmd = words(rest)
		case "HEALTHCHECK":
			_, list, _ := strings.Cut(rest, " CMD ")
			d.health = words(list)
		case "COPY":
			fields := strings.Fields(rest)
			d.copied = append(d.copied, fields[len(fields)-1])
		}
	}
	return d
}

type compose struct {
	Services map[string]struct {
		Image       string
		Build       map[string]string
		Environment map[string]string
		Healthcheck struct{ Test []string }
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		Profiles    []string
		Volumes     []string
		Grace       string `yaml:"stop_grace_period"`
	}
	Volumes map[string]any
}

var interpolation = regexp.MustCompile(`\$\{(\w+)(?::([-?])([^}]*))?\}`)

func readCompose(t *testing.T, values map[string]string) compose {
	t.Helper()
	text := interpolation.ReplaceAllStringFunc(string(read(t, "../../docker-compose.yml")), func(ref string) string {
		m := interpolation.FindStringSubmatch(ref)
		switch value := values[m[1]]; {
		case value != "":
			return value
		case m[2] == "-":
			return m[3]
		default:
			t.Errorf("%s has no value after deploy/make-env.sh > .env", m[1])
			return ""
		}
	})
	var c compose
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

type manifest struct {
	Kind       string
	StringData map[string]string `yaml:"stringData"`
	Spec       struct {
		Strategy struct {
			RollingUpdate struct {
				MaxUnavailable int `yaml:"maxUnavailable"`
			} `yaml:"rollingUpdate"`
		}
		Template struct {
			Spec struct {
				Grace      int `yaml:"terminationGracePeriodSeconds"`
				Containers []struct {
					Args  []string
					Env   []struct{ Name, Value string }
					Ports []struct {
						Number int `yaml:"containerPort"`
					}
					Startup   probing `yaml:"startupProbe"`
					Readiness probing `yaml:"readinessProbe"`
					Liveness  probing `yaml:"livenessProbe"`
				}
			}
		}
	}
}

type probing struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

func readManifests(t *testing.T, name string) map[string]manifest {
	t.Helper()
	documents := yaml.NewDecoder(bytes.NewReader(read(t, deploy+"kubernetes/"+name)))
	found := map[string]manifest{}
	for {
		var m manifest
		if err := documents.Decode(&m); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[m.Kind] = m
	}
}

// systemd is the values of deploy/chatd.service by their names.
func systemd(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(string(read(t, deploy+"chatd.service"))) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			values[name] = strings.ReplaceAll(value, "%S", "/var/lib")
		}
	}
	return values
}

// deployments are the environments in which chatd serve is run by what is in deploy/.
func deployments(t *testing.T) map[string]map[string]string {
	t.Helper()
	own := installation(t)
	image := readDockerfile(t).env
	all := map[string]map[string]string{"Dockerfile": with(image, own)}
	for name, s := range readCompose(t, own).Services {
		if s.Build != nil {
			all["docker-compose.yml, "+name] = with(image, s.Environment)
		}
	}
	secret := readManifests(t, "secret.yaml.example")["Secret"].StringData
	for name := range secret {
		if own[name] != "" {
			secret[name] = own[name]
		}
	}
	for _, c := range readManifests(t, "chatd.yaml")["Deployment"].Spec.Template.Spec.Containers {
		env := with(image, secret)
		for _, e := range c.Env {
			env[e.Name] = e.Value
		}
		all["kubernetes"] = env
	}
	all["chatd.service"] = map[string]string{}
	for pair := range strings.FieldsSeq(systemd(t)["Environment"]) {
		name, value, _ := strings.Cut(pair, "=")
		all["chatd.service"][name] = value
	}
	all["chatd.service"] = with(all["chatd.service"], own)
	return all
}

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
	values := readManifests(t, "secret.yaml.example")["Secret"].StringData
	if _, err := configure(&command{name: "serve"}, nil, env(values)); err == nil {
		t.Error("chatd serve takes the example of a secret")
	}
}

func TestComposeStartsInOrder(t *testing.T) {
	t.Parallel()
	c := readCompose(t, installation(t))
	for name, s := range c.Services {
		for other, on := range s.DependsOn {
			it, known := c.Services[other]
			if !known || on.Condition != "service_healthy" || len(it.Healthcheck.Test) < 2 || it.Healthcheck.Test[0] != "CMD" {
				t.Errorf("%s waits for %s to be %q, which is checked by %v", name, other, on.Condition, it.Healthcheck.Test)
			}
			for _, profile := range it.Profiles {
				if !slices.Contains(s.Profiles, profile) {
					t.Errorf("%s waits for %s, which is of the profile %s only", name, other, profile)
				}
			}
		}
		if s.Build != nil && (s.DependsOn["postgres"].Condition == "" || !slices.Equal(s.Healthcheck.Test[1:], readDockerfile(t).health)) {
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
	if paths[1] != "/readyz" || paths[2] != "/healthz" { // one that is not ready shall get no requests, but not be restarted
		t.Errorf("readiness asks %s and liveness %s", paths[1], paths[2])
	}
	for _, m := range regexp.MustCompile(`health_uri (\S+)`).FindAllStringSubmatch(string(read(t, deploy+"Caddyfile")), -1) {
		paths = append(paths, m[1])
	}
	for _, path := range paths {
		if w := newOps(nil).answer("GET", path); w.Code != http.StatusOK {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
}

// Nobody kills chatd while it says goodbye.
func TestTimeToStop(t *testing.T) {
	t.Parallel()
	const goodbyes = 10 * time.Second // for real-time clients; see internal/notify/trouter
	given := map[string]time.Duration{
		"kubernetes":    time.Duration(readManifests(t, "chatd.yaml")["Deployment"].Spec.Template.Spec.Grace) * time.Second,
		"chatd.service": seconds(t, systemd(t)["TimeoutStopSec"]+"s"),
	}
	for name, s := range readCompose(t, installation(t)).Services {
		if s.Build != nil {
			given["docker-compose.yml, "+name] = seconds(t, s.Grace)
		}
	}
	for name, values := range deployments(t) {
		if d, known := given[name]; known && d <= configured(t, "serve", env(values)).stopDelay+drainTime+goodbyes {
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
