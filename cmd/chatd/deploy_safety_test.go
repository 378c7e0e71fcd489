package main

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What is fetched is what it was when it was tried: by version for people, and by digest for machines.
func TestImagesAreFixed(t *testing.T) {
	t.Parallel()
	images := map[string]string{}
	for name, s := range readCompose(t).Services {
		if s.Build == nil {
			images[name] = s.Image
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(\S+)`).FindAllStringSubmatch(string(read(t, deploy+"Dockerfile")), -1) {
		if m[1] != "scratch" {
			images["Dockerfile"] = m[1]
		}
	}
	if len(images) != 3 {
		t.Errorf("%d images: %v", len(images), images)
	}
	for name, image := range images { // Podman knows no registry by default
		if !regexp.MustCompile(`^[a-z.]+(/[a-z]+)+:\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$`).MatchString(image) {
			t.Errorf("the image of %s is %s; want registry, version and digest", name, image)
		}
	}
	// chatd's own image is built by its user.
	for _, c := range readManifests(t, "chatd.yaml")["Deployment"].Spec.Template.Spec.Containers {
		if !strings.HasSuffix(c.Image, "/chatd:VERSION@sha256:DIGEST") {
			t.Errorf("the image is %s", c.Image)
		}
	}
}

// Podman 4.3 and Docker before 25 know no interval of the start of a check, and refuse it.
func TestOldEngines(t *testing.T) {
	t.Parallel()
	for _, path := range []string{deploy + "Dockerfile", "../../docker-compose.yml"} {
		if regexp.MustCompile(`start[-_]interval`).Match(read(t, path)) {
			t.Errorf("%s has an interval of the start", path)
		}
	}
}

func TestConfined(t *testing.T) {
	t.Parallel()
	for name, s := range readCompose(t).Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || s.Memory == "" {
			t.Errorf("%s: %+v", name, s)
		}
		if name != "proxy" && len(s.CapAdd) > 0 {
			t.Errorf("%s has %v", name, s.CapAdd)
		}
	}
	for _, c := range readManifests(t, "chatd.yaml")["Deployment"].Spec.Template.Spec.Containers {
		s := c.Security
		if !s.ReadOnly || s.Escalation == nil || *s.Escalation || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) || len(s.Capabilities.Add) > 0 {
			t.Errorf("kubernetes: %+v", s)
		}
	}
	unit := systemd(t)
	if bounding, there := unit["CapabilityBoundingSet"]; !there || bounding != "" || unit["NoNewPrivileges"] != "yes" || unit["ProtectSystem"] != "strict" {
		t.Errorf("chatd.service: %v", unit)
	}
}

// A node has room for as many connections as it takes (docs/hosting.md, Sizing), and Go knows how much there is.
func TestMemoryLimits(t *testing.T) {
	t.Parallel()
	const connections = 20_000 * (43 + 12) << 10
	limits := map[string]string{
		"kubernetes":    readManifests(t, "chatd.yaml")["Deployment"].Spec.Template.Spec.Containers[0].Resources.Limits.Memory,
		"chatd.service": systemd(t)["MemoryMax"],
	}
	for name, s := range readCompose(t).Services {
		if s.Build != nil {
			limits["docker-compose.yml, "+name] = s.Memory
		}
	}
	all := deployments(t)
	for name, limit := range limits {
		hard, soft := bytesOf(t, limit), bytesOf(t, all[name]["GOMEMLIMIT"])
		if soft < connections || soft < hard*8/10 || soft > hard*95/100 {
			t.Errorf("%s: at most %s, of which Go uses %s", name, limit, all[name]["GOMEMLIMIT"])
		}
	}
}

func bytesOf(t *testing.T, size string) int {
	t.Helper()
	m := regexp.MustCompile(`(?i)^(\d+)([mg])(i|ib)?$`).FindStringSubmatch(size)
	if m == nil {
		t.Fatalf("%q is no size", size)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if strings.EqualFold(m[2], "g") {
		n <<= 10
	}
	return n << 20
}

// Secrets are in files, which neither docker inspect nor a list of processes shows.
func TestSecretsAreFiles(t *testing.T) {
	t.Parallel()
	for name, values := range deployments(t) {
		if name == "Dockerfile" {
			continue // how its user gives them is not said there
		}
		for _, s := range settings {
			if v := values[s.env()]; s.secret && v != "" && !strings.HasPrefix(v, "sqlite:") {
				t.Errorf("%s has %s in its environment", name, s.env())
			}
		}
		if values["CHATD_ACCESS_KEY_FILE"] == "" {
			t.Errorf("%s has no access key", name)
		}
	}
	for name, s := range readCompose(t).Services {
		for variable := range s.Environment {
			if strings.Contains(variable, "PASSWORD") && !strings.HasSuffix(variable, "_FILE") {
				t.Errorf("%s has %s in its environment", name, variable)
			}
		}
	}
	ignored := string(read(t, "../../.dockerignore"))
	for _, path := range []string{".env", "/secrets/", "/deploy/kubernetes/secret.yaml"} {
		if !strings.Contains(ignored, "\n"+path+"\n") || !strings.Contains(string(read(t, "../../.gitignore")), "\n"+path+"\n") {
			t.Errorf("%s gets into images or into the repository", path)
		}
	}
}

func TestMakeSecrets(t *testing.T) {
	t.Parallel()
	folder := installation(t)
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	key := string(read(t, filepath.Join(folder, "access-key")))
	if err := os.Remove(filepath.Join(folder, "chatd.env")); err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), "sh", deploy+"make-secrets.sh", folder)
	again.Env = append(os.Environ(), "CHATD_RESOURCE_ID="+resource, "CHATD_ACCESS_KEY="+ownKey)
	if out, err := again.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if v := variables(t, folder); v["CHATD_ACCESS_KEY"] != key || v["CHATD_RESOURCE_ID"] != resource {
		t.Error("what is there was replaced, or what was given was not taken")
	}
	if other := string(read(t, filepath.Join(installation(t), "access-key"))); other == key {
		t.Error("two installations have the same key")
	}
}

// Only the proxy says under which address clients reach the server.
func TestDeployedProxies(t *testing.T) {
	t.Parallel()
	trusted := map[string]netip.Prefix{}
	for name, values := range deployments(t) {
		for _, p := range configured(t, "serve", env(values)).trustedProxies {
			trusted[name] = p
			for _, private := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"} {
				if p.Bits() <= netip.MustParsePrefix(private).Bits() && p.Overlaps(netip.MustParsePrefix(private)) {
					t.Errorf("%s trusts all of %s", name, private)
				}
			}
		}
	}
	c := readCompose(t)
	front := c.Networks["front"].IPAM.Config[0]
	containers, subnet := netip.MustParsePrefix(front.Range), netip.MustParsePrefix(front.Subnet)
	gateway := subnet.Masked().Addr().Next() // of whoever connects to a published port
	for name, s := range c.Services {
		if s.Build == nil {
			continue
		}
		if p := trusted["docker-compose.yml, "+name]; p != containers || p.Contains(gateway) || !subnet.Contains(p.Addr()) {
			t.Errorf("%s trusts %s, and the network is %+v", name, p, front)
		}
		for _, network := range s.Networks {
			if slices.Contains(c.Services["proxy"].Networks, network) != (network == "front") {
				t.Errorf("the proxy reaches %s by %s", name, network)
			}
		}
	}
	for _, network := range c.Services["proxy"].Networks {
		if slices.Contains(c.Services["postgres"].Networks, network) {
			t.Errorf("the proxy reaches the database by %s", network)
		}
	}
}

func TestNetworkPolicy(t *testing.T) {
	t.Parallel()
	all := readManifests(t, "chatd.yaml")
	policy, pods := all["NetworkPolicy"].Spec, all["Deployment"].Spec.Selector.Labels
	if len(pods) == 0 || policy.PodSelector.Labels["app.kubernetes.io/name"] != pods["app.kubernetes.io/name"] || !slices.Equal(policy.Types, []string{"Ingress", "Egress"}) {
		t.Errorf("%+v", policy)
	}
	for _, rule := range policy.Ingress {
		if len(rule.From) == 0 || len(rule.Ports) != 1 || rule.Ports[0].Port != "http" {
			t.Errorf("%+v lets anyone in", rule)
		}
	}
	for _, rule := range policy.Egress {
		if len(rule.Ports) == 0 {
			t.Errorf("%+v lets chatd connect to everything", rule)
		}
	}
}

// A real-time client shows what it is allowed by its query alone, so the query is not for logs.
func TestProxiesLogNoQuery(t *testing.T) {
	t.Parallel()
	filter := regexp.MustCompile(`request>uri regexp (\S+) (\S+)`).FindStringSubmatch(string(read(t, deploy+"Caddyfile")))
	if filter == nil {
		t.Fatal("Caddy logs the query")
	}
	if got := regexp.MustCompile(filter[1]).ReplaceAllString("/socket.io/1/?sig=secret&v=v4", filter[2]); strings.Contains(got, "secret") {
		t.Errorf("Caddy logs %s", got)
	}
	_, nginx, _ := strings.Cut(string(read(t, "../../docs/hosting.md")), "```nginx\n")
	nginx, _, _ = strings.Cut(nginx, "```")
	format := regexp.MustCompile(`(?m)^log_format (\w+) (.*);`).FindStringSubmatch(nginx)
	if format == nil || !regexp.MustCompile(`access_log \S+ `+format[1]+`;`).MatchString(nginx) {
		t.Fatal("nginx logs in its own format")
	}
	for _, variable := range regexp.MustCompile(`\$\w+`).FindAllString(format[2], -1) {
		if slices.Contains([]string{"$request", "$request_uri", "$args", "$query_string", "$http_referer"}, variable) {
			t.Errorf("nginx logs %s", variable)
		}
	}
}
