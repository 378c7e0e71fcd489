package matrix_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// sdk is how the releases of one language are installed and run. Paths are absolute; folder is the release's own.
type sdk struct {
	name    string
	chat    string // its chat package
	prefix  string // of all its packages
	lock    string // path of a release's lock, by release
	tools   []string
	install func(t *testing.T, r release, lock, folder string)
	relock  func(t *testing.T, r release, lock, folder string)
	command func(t *testing.T, r release, s *server, folder string) *exec.Cmd
}

// sdkOf is by the name that releases.json uses.
func sdkOf(language string) sdk {
	return map[string]sdk{
		"js": {
			name: "JavaScript", chat: "@azure/communication-chat", prefix: "@azure/communication-",
			lock: "js/locks/%s.json", tools: []string{"node", "npm"},
			install: installJavaScript, relock: lockJavaScript, command: runJavaScript,
		},
		"python": {
			name: "Python", chat: "azure-communication-chat", prefix: "azure-communication-",
			lock: "python/locks/%s.txt", tools: []string{"python3"},
			install: installPython, relock: lockPython, command: runPython,
		},
		"java": {
			name: "Java", chat: "azure-communication-chat", prefix: "azure-communication-",
			lock: "java/locks/%s.txt", tools: []string{"java", "javac", "keytool", "mvn"},
			install: installJava, relock: lockJava, command: runJava,
		},
	}[language]
}

// requireTools ends the test unless all the tools are there: CI must have them, a desk need not.
func requireTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := exec.LookPath(name)
		if err == nil && name == "python3" { // a distribution may ship it without its venv module
			err = exec.CommandContext(t.Context(), "python3", "-c", "import venv, ensurepip").Run()
		}
		switch {
		case err == nil:
		case os.Getenv("CI") == "true" || full:
			t.Fatalf("%s is not installed: %v", name, err)
		default:
			t.Skipf("%s is not installed: %v", name, err)
		}
	}
}

// install returns the folder of the release, filled at most once for the same lock. It is ignored by git and kept.
func install(t *testing.T, r release) string {
	t.Helper()
	s := sdkOf(r.SDK)
	lock := absolute(t, fmt.Sprintf(s.lock, r.Release))
	content, err := os.ReadFile(lock)
	if full && errors.Is(err, fs.ErrNotExist) {
		s.relock(t, r, lock, t.TempDir())
		content, err = os.ReadFile(lock)
	}
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	folder := absolute(t, filepath.Join(".cache", r.SDK+"-"+r.Release+"-"+hex.EncodeToString(sum[:6])))
	stamp := filepath.Join(folder, ".installed")
	if _, err := os.Stat(stamp); err == nil {
		return folder
	}
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	s.install(t, r, lock, folder)
	write(t, stamp, nil)
	return folder
}

// versions are the release and its companions by package.
func versions(r release) map[string]string {
	all := maps.Clone(r.Packages)
	all[sdkOf(r.SDK).chat] = r.Release
	return all
}

// packageJSON depends on the exact versions of the release and its companions.
func packageJSON(t *testing.T, r release) []byte {
	t.Helper()
	manifest := map[string]any{"name": "chatd-sdk-matrix", "private": true, "dependencies": versions(r)}
	content, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func installJavaScript(t *testing.T, r release, lock, folder string) {
	content, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "package.json"), packageJSON(t, r))
	write(t, filepath.Join(folder, "package-lock.json"), content)
	run(t, folder, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund")
}

func lockJavaScript(t *testing.T, r release, lock, folder string) {
	write(t, filepath.Join(folder, "package.json"), packageJSON(t, r))
	run(t, folder, "npm", "install", "--silent", "--package-lock-only", "--omit-lockfile-registry-resolved",
		"--ignore-scripts", "--no-audit", "--no-fund")
	content, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, lock, content)
}

// The script comes by standard input: so its imports are looked up in the working directory.
func runJavaScript(t *testing.T, _ release, s *server, folder string) *exec.Cmd {
	script, err := os.ReadFile("js/conversation.mjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "--input-type=module", "-")
	cmd.Dir, cmd.Stdin = folder, bytes.NewReader(script)
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+s.ca)
	return cmd
}

func installPython(t *testing.T, _ release, lock, folder string) {
	run(t, folder, "python3", "-m", "venv", "venv")
	run(t, folder, "venv/bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", lock)
	run(t, folder, "venv/bin/python", "-m", "pip", "check")
}

func lockPython(t *testing.T, r release, lock, folder string) {
	run(t, folder, "python3", "-m", "venv", "venv")
	install := exec.Command("venv/bin/python", "-m", "pip", "install", "--quiet")
	for name, version := range versions(r) {
		install.Args = append(install.Args, name+"=="+version)
	}
	install.Dir = folder
	output(t, install)
	freeze := exec.Command("venv/bin/python", "-m", "pip", "freeze")
	freeze.Dir = folder
	write(t, lock, output(t, freeze))
}

func runPython(t *testing.T, _ release, s *server, folder string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(folder, "venv/bin/python"), absolute(t, "python/conversation.py"))
	cmd.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE="+s.ca, "SSL_CERT_FILE="+s.ca, "PYTHONDONTWRITEBYTECODE=1")
	return cmd
}

// installJava fetches the jars and compares their names with the lock, as Maven has no lock file of its own.
func installJava(t *testing.T, r release, lock, folder string) {
	want, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	if got := fetchJars(t, r, folder); !bytes.Equal(got, want) {
		t.Fatalf("Maven came to other jars than %s has:\n%s", lock, got)
	}
}

func lockJava(t *testing.T, r release, lock, folder string) {
	write(t, lock, fetchJars(t, r, folder))
}

func fetchJars(t *testing.T, r release, folder string) []byte {
	jars := filepath.Join(folder, "jars")
	args := []string{
		"-B", "-q", "-Dstyle.color=never", "-f", absolute(t, "java/pom.xml"),
		"dependency:copy-dependencies", "-DoutputDirectory=" + jars,
	}
	for name, version := range versions(r) {
		args = append(args, "-D"+name+"="+version)
	}
	run(t, folder, "mvn", args...)
	found, err := os.ReadDir(jars)
	if err != nil {
		t.Fatal(err)
	}
	var names bytes.Buffer
	for _, jar := range found {
		fmt.Fprintln(&names, jar.Name())
	}
	return names.Bytes()
}

func runJava(t *testing.T, r release, s *server, folder string) *exec.Cmd {
	classes, truststore := t.TempDir(), filepath.Join(t.TempDir(), "truststore.p12")
	jars := filepath.Join(folder, "jars", "*")
	run(t, ".", "javac", "-Xlint:all", "-Werror", "-proc:none", "-d", classes, "-cp", jars,
		"java/Conversation.java", filepath.Join("java", r.API, "Metadata.java"))
	run(t, ".", "keytool", "-importcert", "-noprompt", "-alias", "chatd", "-file", s.ca,
		"-keystore", truststore, "-storetype", "PKCS12", "-storepass", "changeit")
	cmd := exec.Command("java", "-Djavax.net.ssl.trustStore="+truststore, "-Djavax.net.ssl.trustStorePassword=changeit",
		"-cp", classes+string(filepath.ListSeparator)+jars, "Conversation")
	cmd.Env = os.Environ()
	return cmd
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err = errors.Join(err, os.WriteFile(path, content, 0o644)); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out := bytes.TrimSpace(output(t, cmd)); len(out) > 0 {
		t.Logf("%s", out)
	}
}

// output runs the command to its end, what it says about errors in the test's log, and returns what it printed. It
// fails the test unless the command succeeds before the test's own deadline.
func output(t *testing.T, command *exec.Cmd) []byte {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	if deadline, ok := t.Deadline(); ok {
		ctx, cancel = context.WithDeadline(t.Context(), deadline.Add(-2*stopTimeout))
	}
	defer cancel()
	cmd := exec.CommandContext(ctx, command.Path, command.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Err = command.Dir, command.Env, command.Stdin, command.Err
	cmd.Stderr = t.Output()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", command.Args, errors.Join(err, context.Cause(ctx)), out)
	}
	return out
}
