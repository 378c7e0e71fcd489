package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/oasdiff/yaml3"
)

// What is in deploy/ is read as those read it who run it. Whether the files are what Kubernetes and Docker take is for
// test/deploy, which has their own types.
const deploy = "../../deploy/"

// installation is a folder that deploy/make-secrets.sh filled.
func installation(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "secrets")
	if out, err := exec.CommandContext(t.Context(), "sh", deploy+"make-secrets.sh", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return folder
}

// variables are what an installation gives to chatd where there are no files of secrets.
func variables(t *testing.T, folder string) map[string]string {
	t.Helper()
	return with(assignments(string(read(t, filepath.Join(folder, "chatd.env")))), map[string]string{
		"CHATD_ACCESS_KEY": string(read(t, filepath.Join(folder, "access-key"))),
	})
}

// assignments are NAME=value of lines or words.
func assignments(text string) map[string]string {
	values := map[string]string{}
	for word := range strings.FieldsSeq(text) {
		if name, value, ok := strings.Cut(word, "="); ok {
			values[name] = value
		}
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
		ReadOnly    bool     `yaml:"read_only"`
		CapAdd      []string `yaml:"cap_add"`
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		Memory      string   `yaml:"mem_limit"`
		EnvFile     string   `yaml:"env_file"`
		Secrets     []string
		Networks    []string
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
	Secrets map[string]struct{ File string }

	Networks map[string]struct {
		IPAM struct {
			Config []struct {
				Subnet string
				Range  string `yaml:"ip_range"`
			}
		}
	}
}

var interpolation = regexp.MustCompile(`\$\{(\w+)(?::([-?])([^}]*))?\}`)

func readCompose(t *testing.T) compose {
	t.Helper()
	text := interpolation.ReplaceAllStringFunc(string(read(t, "../../docker-compose.yml")), func(ref string) string {
		m := interpolation.FindStringSubmatch(ref)
		if m[2] != "-" || m[3] == "" { // podman-compose 1.0.3 leaves ${NAME:-} as it is
			t.Errorf("%s has no default", ref)
		}
		return m[3]
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
		Selector struct {
			Labels map[string]string `yaml:"matchLabels"`
		}
		PodSelector struct {
			Labels map[string]string `yaml:"matchLabels"`
		} `yaml:"podSelector"`
		Types   []string `yaml:"policyTypes"`
		Ingress []struct {
			From  []any
			Ports []struct{ Port string }
		}
		Egress []struct{ Ports []any }

		Strategy struct {
			RollingUpdate struct {
				MaxUnavailable int `yaml:"maxUnavailable"`
			} `yaml:"rollingUpdate"`
		}
		Template struct {
			Spec struct {
				Grace      int `yaml:"terminationGracePeriodSeconds"`
				Containers []struct {
					Image string
					Args  []string
					Env   []struct {
						Name, Value string
						From        struct {
							Secret struct{ Name, Key string } `yaml:"secretKeyRef"`
						} `yaml:"valueFrom"`
					}
					Mounts []struct {
						Name string
						Path string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
					Resources struct{ Limits struct{ Memory string } }
					Security  struct {
						Escalation   *bool `yaml:"allowPrivilegeEscalation"`
						ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
						Capabilities struct{ Add, Drop []string }
					} `yaml:"securityContext"`
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

// systemd is the values of deploy/chatd.service by their names; several of one name have a space between them.
func systemd(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(string(read(t, deploy+"chatd.service"))) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			values[name] = strings.TrimSpace(values[name] + " " + strings.ReplaceAll(value, "%S", "/var/lib"))
		}
	}
	return values
}

// deployments are the environments in which chatd serve is run by what is in deploy/. Files of secrets are those of an
// installation, where the deployment puts them into the place that its environment names.
func deployments(t *testing.T) map[string]map[string]string {
	t.Helper()
	folder := installation(t)
	own := variables(t, folder)
	image := readDockerfile(t).env
	all := map[string]map[string]string{"Dockerfile": with(image, own)}

	c := readCompose(t)
	for name, s := range c.Services {
		if s.Build == nil {
			continue
		}
		if s.EnvFile != "secrets/chatd.env" {
			t.Errorf("%s reads %s", name, s.EnvFile)
		}
		there := map[string]string{}
		for _, secret := range s.Secrets {
			if c.Secrets[secret].File == "./secrets/"+secret {
				there["/run/secrets/"+secret] = filepath.Join(folder, secret)
			}
		}
		all["docker-compose.yml, "+name] = found(with(image, assignments(string(read(t, filepath.Join(folder, "chatd.env")))), s.Environment), there)
	}

	there := map[string]string{}
	secret := readManifests(t, "secret.yaml.example")["Secret"].StringData
	for _, c := range readManifests(t, "chatd.yaml")["Deployment"].Spec.Template.Spec.Containers {
		for name := range secret {
			there[c.Mounts[0].Path+"/"+name] = filepath.Join(folder, name)
		}
		env := maps.Clone(image)
		for _, e := range c.Env {
			if env[e.Name] = e.Value; e.From.Secret.Name == "chatd" && e.From.Secret.Key == "resource-id" {
				env[e.Name] = own["CHATD_RESOURCE_ID"]
			}
		}
		all["kubernetes"] = found(env, there)
	}

	unit := systemd(t)
	there = map[string]string{}
	for credential := range strings.FieldsSeq(unit["LoadCredential"]) {
		name, from, _ := strings.Cut(credential, ":")
		there["%d/"+name] = strings.Replace(from, "/etc/chatd", folder, 1)
	}
	all["chatd.service"] = found(with(assignments(unit["Environment"]), assignments(string(read(t, filepath.Join(folder, "chatd.env"))))), there)
	return all
}

// found returns the environment with the paths of files as they are here.
func found(env, there map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range env {
		if path, ok := there[value]; ok {
			value = path
		}
		out[name] = value
	}
	return out
}
