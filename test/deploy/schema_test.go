// Package deploy checks that what is in deploy/ is what those take who run it, by their own types: a misspelt field is an
// error here, and would go unnoticed there. What the values mean to chatd is tested in cmd/chatd.
package deploy

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

func TestCompose(t *testing.T) {
	t.Parallel()
	project := t.TempDir() // what a checkout is after the one command that it takes
	file, err := os.ReadFile("../../docker-compose.yml")
	err = errors.Join(err, os.WriteFile(filepath.Join(project, "docker-compose.yml"), file, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "../../deploy/make-secrets.sh", filepath.Join(project, "secrets")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for profile, want := range map[string][]string{"": {"chatd", "postgres"}, "nodes": {"chatd", "chatd2", "postgres", "proxy"}} {
		options, err := cli.NewProjectOptions([]string{filepath.Join(project, "docker-compose.yml")}, cli.WithProfiles([]string{profile}))
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := options.LoadProject(t.Context())
		if err != nil {
			t.Errorf("profile %q: %v", profile, err)
		} else if got := slices.Sorted(maps.Keys(loaded.Services)); !slices.Equal(got, want) {
			t.Errorf("profile %q has %v, want %v", profile, got, want)
		}
	}
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	kinds := map[string]any{
		"Deployment": &appsv1.Deployment{}, "Service": &corev1.Service{}, "Secret": &corev1.Secret{},
		"PodDisruptionBudget": &policyv1.PodDisruptionBudget{}, "NetworkPolicy": &networkingv1.NetworkPolicy{},
	}
	for _, name := range []string{"chatd.yaml", "secret.yaml.example"} {
		data, err := os.ReadFile("../../deploy/kubernetes/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
			var is struct{ Kind string }
			if err := yaml.Unmarshal(document, &is); err != nil || kinds[is.Kind] == nil {
				t.Fatalf("%s: kind %q: %v", name, is.Kind, err)
			}
			if err := yaml.UnmarshalStrict(document, kinds[is.Kind]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
