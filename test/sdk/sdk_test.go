// Package sdk_test runs the official SDKs, unmodified and each in its own language, against a chatd process that
// knows nothing of being tested: the connection string and the certificate authority are all they are given.
package sdk_test

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
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
)

func TestJavaScript(t *testing.T) { testJavaScript(t, startServer) }

func TestPython(t *testing.T) { testPython(t, startServer) }

func TestJava(t *testing.T) { testJava(t, startServer) }

func testJavaScript(t *testing.T, start func(*testing.T) *server) {
	requireTools(t, "node", "npm")
	install(t, "js/node_modules", []string{"js/package.json", "js/package-lock.json"}, func() {
		run(t, "js", nil, "npm", "ci", "--no-audit", "--no-fund")
	})
	server := start(t)
	run(t, "js", server.env("NODE_EXTRA_CA_CERTS"), "npm", "test", "--silent")
}

func testPython(t *testing.T, start func(*testing.T) *server) {
	requireTools(t, "python3")
	requireVenv(t)
	install(t, "python/.venv", []string{"python/requirements.txt"}, func() {
		run(t, "python", nil, "python3", "-m", "venv", "--clear", ".venv")
		run(t, "python", nil, ".venv/bin/python", "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt")
	})
	server := start(t)
	env := append(server.env("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), "PYTHONDONTWRITEBYTECODE=1")
	run(t, "python", env, ".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider")
}

func testJava(t *testing.T, start func(*testing.T) *server) {
	requireTools(t, "java", "keytool", "mvn")
	run(t, "java", nil, "mvn", "-B", "-q", "test-compile")
	server := start(t)
	truststore := filepath.Join(t.TempDir(), "truststore.p12")
	run(t, "java", nil, "keytool", "-importcert", "-noprompt", "-alias", "chatd", "-file", server.ca,
		"-keystore", truststore, "-storetype", "PKCS12", "-storepass", "changeit")
	run(t, "java", server.env(), "mvn", "-B", "-ntp", "-Dstyle.color=never", "-Dchatd.truststore="+truststore, "test")
}

// requireTools ends the test unless all the tools are there: CI must have them, a desk need not.
func requireTools(t *testing.T, names ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs an SDK of another language: not in -short")
	}
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, name+" is not installed")
		}
	}
}

// requireVenv ends the test where a distribution ships Python without its venv module.
func requireVenv(t *testing.T) {
	t.Helper()
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import venv, ensurepip").Run(); err != nil {
		missing(t, "python3 has no venv module")
	}
}

func missing(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// install calls fn unless the folder was installed for locks of the same content before. The folder is ignored by
// git and kept between runs.
func install(t *testing.T, folder string, locks []string, fn func()) {
	t.Helper()
	sum := sha256.New()
	for _, lock := range locks {
		content, err := os.ReadFile(lock)
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(content)
	}
	want := hex.EncodeToString(sum.Sum(nil))
	stamp := filepath.Join(folder, ".chatd-stamp")
	if got, err := os.ReadFile(stamp); err == nil && string(got) == want {
		return
	}
	fn()
	if err := os.WriteFile(stamp, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs a command to its end, its output in the test's log, and fails the test unless it succeeds.
func run(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := beforeDeadline(t)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout = t.Output()
	cmd.Stderr = t.Output()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q in %s: %v", name, args, dir, errors.Join(err, context.Cause(ctx)))
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

// buildServer builds the program once for all tests; TestMain removes it.
var (
	buildFolder string
	buildServer = sync.OnceValues(func() (string, error) {
		if err := dependOn("../../go.mod", "../../cmd", "../../internal", "../../migrations", "."); err != nil {
			return "", err
		}
		program := filepath.Join(buildFolder, "chatd")
		out, err := exec.Command("go", "build", "-o", program, "github.com/chatd/chatd/cmd/chatd").CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("go build: %w\n%s", err, out)
		}
		return program, nil
	})
)

// dependOn looks at all files below the paths, as they are now. Go keeps the result of a test for as long as the files
// that the test looked at stay the same, and cannot know of those that are only read by the processes it starts.
func dependOn(paths ...string) error {
	installed := map[string]bool{"node_modules": true, ".venv": true, "target": true}
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case installed[entry.Name()]:
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

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if buildFolder, err = os.MkdirTemp("", "chatd-sdk-test-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(buildFolder)
		return m.Run()
	}())
}

// server is a running chatd, as told by the block that it prints when it is ready.
type server struct {
	connectionString string
	ca               string // path of the certificate authority's certificate

	cmd    *exec.Cmd
	stderr bytes.Buffer
	exited chan error // the result of the process, once
}

// startServer starts a chatd with an empty store of its own and stops it after the test.
func startServer(t *testing.T) *server {
	t.Helper()
	program, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{exited: make(chan error, 1)}
	s.cmd = exec.Command(program, "dev", "--listen", "127.0.0.1:0", "--config-dir", t.TempDir())
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
	s.waitReady(t, ready)
	return s
}

var readyLabels = []string{"Endpoint", "Connection string", "CA certificate", "User", "Token"}

// readReadyBlock reads the program's output to its end and sends the values by label once all are there. The channel
// is closed without them when the program ends too early.
func readReadyBlock(output io.Reader, ready chan<- map[string]string) {
	line := regexp.MustCompile(`^\s*(\S.*?)\s{2,}(\S.*?)\s*$`)
	values := map[string]string{}
	sent := false
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		match := line.FindStringSubmatch(scanner.Text())
		if sent || match == nil {
			continue
		}
		values[match[1]] = match[2]
		if hasAll(values, readyLabels) {
			ready <- values
			sent = true
		}
	}
	close(ready)
	_, _ = io.Copy(io.Discard, output) // a line too long for the scanner must not block the program
}

func hasAll(values map[string]string, labels []string) bool {
	for _, label := range labels {
		if values[label] == "" {
			return false
		}
	}
	return true
}

func (s *server) waitReady(t *testing.T, ready <-chan map[string]string) {
	t.Helper()
	select {
	case values, ok := <-ready:
		if !ok {
			t.Fatalf("chatd ended before it was ready; its output must hold %q", readyLabels)
		}
		s.connectionString = values["Connection string"]
		s.ca = values["CA certificate"]
	case <-time.After(readyTimeout):
		t.Fatalf("chatd was not ready within %v; its output must hold %q", readyTimeout, readyLabels)
	}
}

// stop asks the process to end, expects that it does so in good order, and shows its log if the test failed.
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
		t.Logf("log of chatd:\n%s", s.stderr.Bytes())
	}
}

// env gives an SDK's runtime the connection string, and the certificate authority by the runtime's own variables.
func (s *server) env(caVariables ...string) []string {
	env := []string{"CHATD_CONNECTION_STRING=" + s.connectionString, "NO_PROXY=localhost,127.0.0.1"}
	for _, name := range caVariables {
		env = append(env, name+"="+s.ca)
	}
	return env
}
