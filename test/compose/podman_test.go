//go:build unix

// Package compose_test runs docker-compose.yml by the oldest podman-compose that docs/hosting.md names. A program that only writes
// down how it was called takes the place of Podman. What Docker Compose makes of the file is tested in test/deploy.
package compose_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chatd/chatd/test/process"
)

// podman keeps the arguments of each call, one a line, with an empty line at the end, and finds all that is asked for.
const podman = `#!/bin/sh
printf '%s\n' "$@" "" >> "$CALLS"
if [ "$1" = --version ]; then echo podman version 4.3.1; fi
`

func TestPodmanCompose(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("installs podman-compose: not in -short")
	}
	process.RequireTools(t, "python3")
	process.Install(t, ".venv", func() {
		process.Run(t, "", nil, "python3", "-m", "venv", ".venv")
		process.Run(t, "", nil, ".venv/bin/python", "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt")
	}, "requirements.txt")
	program, err := filepath.Abs(".venv/bin/podman-compose")
	if err != nil {
		t.Fatal(err)
	}
	deploy, err := filepath.Abs("../../deploy")
	if err != nil {
		t.Fatal(err)
	}
	bin, project := t.TempDir(), t.TempDir()
	calls := filepath.Join(bin, "calls")
	file, err := os.ReadFile("../../docker-compose.yml")
	err = errors.Join(err, os.WriteFile(filepath.Join(project, "docker-compose.yml"), file, 0o644), os.Symlink(deploy, filepath.Join(project, "deploy")),
		os.WriteFile(filepath.Join(bin, "podman"), []byte(podman), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "CALLS=" + calls}
	process.Run(t, project, env, program, "up", "-d", "chatd")
	written, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	started := map[string][]string{}
	for call := range strings.SplitSeq(string(written), "\n\n") {
		args := strings.Split(call, "\n")
		if i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--network-alias") }); args[0] == "run" || args[0] == "create" {
			started[args[i+1]] = args
		}
	}
	if len(started) != 2 {
		t.Fatalf("%d containers were made by\n%s", len(started), written)
	}
	for name, want := range map[string][]string{
		"chatd": {
			"-m 2g", "--volume ./secrets/access-key:/run/secrets/access-key:ro,rprivate,rbind", "-e CHATD_STORE=",
			"-e CHATD_TRUSTED_PROXIES=172.31.255.8/29", "-p 127.0.0.1:8443:8443",
		},
		"postgres": {"-m 1g", "-u 999:999", "--tmpfs /run/postgresql"},
	} {
		args := started[name]
		line := strings.Join(args, " ") + " "
		for _, w := range append(want, "--read-only", "--cap-drop ALL", "--security-opt no-new-privileges:true") {
			if !strings.Contains(line, " "+w+" ") {
				t.Errorf("%s is started without %s: %s", name, w, line)
			}
		}
		if strings.Contains(line, "${") {
			t.Errorf("%s is started with a variable that has no value: %s", name, line)
		}
		// podman-compose has a shell run a check, and chatd's image has none.
		if checked := strings.Contains(line, "--healthcheck-command"); checked == (name == "chatd") {
			t.Errorf("%s: check by a shell: %t", name, checked)
		}
	}
}
