//go:build unix

// Package browser_test runs the official browser SDKs, unmodified, in Chromium: their real-time notifications against a chatd
// process that knows nothing of being tested. The pages come from another origin, and the browser trusts the certificate
// authority as that of any user who was told to.
package browser_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
)

// serviceHosts are the names that versions of the SDK before 1.5.4 know: the service's own.
var serviceHosts = strings.Join([]string{
	"go.trouter.skype.com", "edge.skype.com", // chat 1.0.0
	"go.trouter.teams.microsoft.com", "go-eu.trouter.teams.microsoft.com", "teams.microsoft.com", // chat 1.3.2 to 1.5.2
}, ",")

func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a browser: not in -short")
	}
	chromium := requireTools(t, "chromium", "node", "npm", "certutil")
	if err := dependOn("../../go.mod", "../../cmd", "../../internal", "../../migrations", "."); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join("out", "failed")); err != nil {
		t.Fatal(err)
	}
	installPackages(t)
	run(t, nil, "node", "build.mjs")
	program := buildServer(t)
	env := []string{"CHATD_CHROMIUM=" + chromium, "NO_PROXY=localhost,127.0.0.1"}
	t.Run("one server", func(t *testing.T) { testOneServer(t, program, env) })
	t.Run("two nodes", func(t *testing.T) { testTwoNodes(t, program, env) })
}

// testOneServer runs all *.test.mjs.
func testOneServer(t *testing.T, program string, env []string) {
	server := startServer(t, program)
	runTests(t, slices.Concat(env, server.env(), []string{"CHATD_HOSTS=" + serviceHosts}))
}

// runTests runs tests of Node.js.
func runTests(t *testing.T, env []string, args ...string) {
	t.Helper()
	run(t, env, "node", append([]string{"--test", "--test-reporter=spec", "--test-concurrency=2"}, args...)...)
}

// requireTools ends the test unless all the tools are there: CI must have them, a desk need not. It returns the path of
// the first.
func requireTools(t *testing.T, names ...string) string {
	t.Helper()
	var first string
	for _, name := range names {
		path, err := exec.LookPath(name)
		switch {
		case err != nil && os.Getenv("CI") == "true":
			t.Fatal(name + " is not installed")
		case err != nil:
			t.Skip(name + " is not installed")
		case first == "":
			first = path
		}
	}
	return first
}

// installPackages installs what the lock file names, unless that was done before.
func installPackages(t *testing.T) {
	t.Helper()
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	want := hex.EncodeToString(sum[:])
	stamp := filepath.Join("node_modules", ".chatd-stamp")
	if got, err := os.ReadFile(stamp); err == nil && string(got) == want {
		return
	}
	run(t, nil, "npm", "ci", "--no-audit", "--no-fund")
	if err := os.WriteFile(stamp, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs a command to its end, its output in the test's log, and fails the test unless it succeeds. Nothing that the
// command started is left when it was stopped before its end.
func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := beforeDeadline(t)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout = t.Output()
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = stopTimeout
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v", name, args, errors.Join(err, context.Cause(ctx)))
	}
}

// beforeDeadline ends early enough before the test's own deadline that processes can still be stopped.
func beforeDeadline(t *testing.T) (context.Context, context.CancelFunc) {
	deadline, ok := t.Deadline()
	if !ok {
		return context.WithCancel(t.Context())
	}
	return context.WithDeadline(t.Context(), deadline.Add(-2*stopTimeout))
}

// dependOn looks at all files below the paths, as they are now. Go keeps the result of a test for as long as the files
// that the test looked at stay the same, and cannot know of those that are only read by the processes it starts.
func dependOn(paths ...string) error {
	made := map[string]bool{"node_modules": true, "out": true}
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case made[entry.Name()]:
				return filepath.SkipDir
			}
			_, err = os.Stat(path)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func buildServer(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "chatd")
	run(t, nil, "go", "build", "-o", program, "github.com/chatd/chatd/cmd/chatd")
	return program
}

// server is a running chatd, as told by the block that it prints when it is ready.
type server struct {
	program          string
	configDir        string
	connectionString string
	ca               string // path of the certificate authority's certificate

	cmd    *exec.Cmd
	stderr bytes.Buffer
	exited chan error // the result of the process, once
}

// startServer starts a chatd with an empty store of its own and stops it after the test.
func startServer(t *testing.T, program string) *server {
	t.Helper()
	s := &server{program: program, configDir: t.TempDir(), exited: make(chan error, 1)}
	s.cmd = exec.Command(program, "dev", "--listen", "127.0.0.1:0", "--config-dir", s.configDir, "--cert-names", serviceHosts)
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan map[string]string, 1)
	go func() {
		readReadyBlock(stdout, ready)
		s.exited <- s.cmd.Wait()
	}()
	t.Cleanup(func() { s.stop(t) })
	select {
	case values, ok := <-ready:
		if !ok {
			t.Fatal("chatd ended before it was ready")
		}
		s.connectionString, s.ca = values["Connection string"], values["CA certificate"]
	case <-time.After(readyTimeout):
		t.Fatalf("chatd was not ready within %v", readyTimeout)
	}
	return s
}

// readReadyBlock reads the program's output to its end and sends the values by label once all are there. The channel is
// closed without them when the program ends too early.
func readReadyBlock(output io.Reader, ready chan<- map[string]string) {
	line := regexp.MustCompile(`^\s*(\S.*?)\s{2,}(\S.*?)\s*$`)
	values := map[string]string{}
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		if match := line.FindStringSubmatch(scanner.Text()); match != nil {
			values[match[1]] = match[2]
		}
		if values["Token"] != "" { // the last of them
			ready <- values
			break
		}
	}
	close(ready)
	_, _ = io.Copy(io.Discard, output) // the program must not block
}

// stop asks the process to end, expects that it does so in good order, and keeps its log if the test failed.
func (s *server) stop(t *testing.T) {
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("stop chatd: %v", err)
	}
	select {
	case err = <-s.exited:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		err = errors.Join(fmt.Errorf("not within %v of SIGTERM", stopTimeout), <-s.exited)
	}
	if err != nil {
		t.Errorf("chatd did not exit with 0: %v", err)
	}
	if t.Failed() {
		s.keepLog(t)
	}
}

// keepLog writes the log, which is too long to be read in the test's own, beside what the pages saw.
func (s *server) keepLog(t *testing.T) {
	folder := filepath.Join("out", "failed")
	path := filepath.Join(folder, "chatd.log")
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(path, s.stderr.Bytes(), 0o644)); err != nil {
		t.Error(err)
	}
	t.Logf("the log of chatd is in test/browser/%s", path)
}

// env gives the tests the server, and Node.js the certificate authority.
func (s *server) env() []string {
	return []string{
		"CHATD_PROGRAM=" + s.program,
		"CHATD_CONFIG_DIR=" + s.configDir,
		"CHATD_CONNECTION_STRING=" + s.connectionString,
		"CHATD_CA=" + s.ca,
		"NODE_EXTRA_CA_CERTS=" + s.ca,
	}
}
