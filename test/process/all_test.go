//go:build unix

package process

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// On a machine with Go and git alone, where nothing may be installed, test/all.sh lists in one go what is missing and runs the
// rest. Programs that only write down how they were called take the place of Go and git.
func TestAllListsWhatIsMissing(t *testing.T) {
	t.Parallel()
	bin, home := t.TempDir(), t.TempDir()
	calls := filepath.Join(home, "calls")
	for _, name := range []string{"bash", "dirname", "xargs"} {
		path, err := exec.LookPath(name)
		if err = errors.Join(err, os.Symlink(path, filepath.Join(bin, name))); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range map[string]string{
		"go": `echo "go $*" >> ` + calls, "git": "", "gofmt": "", "id": "echo 1000", "cc": "",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "bash"), "../all.sh")
	cmd.Env = []string{"PATH=" + bin, "HOME=" + home}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"nodejs", "npm", "python3", "python3-venv", "default-jdk-headless", "maven", "chromium", "libnss3-tools", "pgbouncer"} {
		if !strings.Contains(string(out), "\n  "+want+": ") {
			t.Errorf("%s is not listed as missing: %s", want, out)
		}
	}
	called, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"mod tidy -diff", "vet ./...", "golangci-lint run", "go test -timeout 20m ./...", "go test -C test/deploy", "go test -race -short ./..."} {
		if !strings.Contains(string(called), want) {
			t.Errorf("%s was not run: %s", want, called)
		}
	}
}
