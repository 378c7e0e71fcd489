//go:build unix

package process

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// RequireTools ends the test unless all the tools are there: CI must have them, a desk need not.
func RequireTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := exec.LookPath(name)
		if err == nil && name == "python3" { // a distribution may ship it without its venv module
			err = exec.CommandContext(t.Context(), name, "-c", "import venv, ensurepip").Run()
		}
		switch {
		case err == nil:
		case os.Getenv("CI") == "true":
			t.Fatalf("%s is not installed: %v", name, err)
		default:
			t.Skipf("%s is not installed: %v", name, err)
		}
	}
}

// Install empties the folder and has fn fill it, unless that was done before for locks of the same content. The folder is
// ignored by git and kept between runs.
func Install(t *testing.T, folder string, fn func(), locks ...string) {
	t.Helper()
	var all []byte
	for _, lock := range locks {
		content, err := os.ReadFile(lock)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	want := fmt.Sprintf("%x", sha256.Sum256(all))
	stamp := filepath.Join(folder, ".chatd-stamp")
	if got, err := os.ReadFile(stamp); err == nil && string(got) == want {
		return
	}
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	fn()
	if err := os.WriteFile(stamp, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Command is a command in a folder, with more in its environment, that says what is wrong in the test's log. It ends early
// enough before the test's own deadline that processes can still be stopped, and nothing that it started is left then.
func Command(t *testing.T, dir string, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-2*stopTimeout))
		t.Cleanup(cancel)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "NO_COLOR=1"), env...)
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		t.Logf("%s: %v", name, context.Cause(ctx))
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	cmd.WaitDelay = stopTimeout
	return cmd
}

// Run runs a command to its end, its output in the test's log, and fails the test unless it succeeds.
func Run(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	cmd := Command(t, dir, env, name, args...)
	cmd.Stdout = cmd.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q in %q: %v", cmd.Args, dir, err)
	}
}

// Output runs a command to its end and returns what it printed. It fails the test unless the command succeeds.
func Output(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
	}
	return out
}
