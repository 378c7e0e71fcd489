//go:build unix

package matrix_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chatd/chatd/test/process"
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
	command func(t *testing.T, r release, at process.Endpoint, folder string) *exec.Cmd
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

// install returns the folder of the release.
func install(t *testing.T, r release) string {
	t.Helper()
	s := sdkOf(r.SDK)
	lock := absolute(t, fmt.Sprintf(s.lock, r.Release))
	if _, err := os.Stat(lock); full && errors.Is(err, fs.ErrNotExist) {
		s.relock(t, r, lock, t.TempDir())
	}
	folder := absolute(t, filepath.Join(".cache", r.SDK+"-"+r.Release))
	process.Install(t, folder, func() { s.install(t, r, lock, folder) }, lock)
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
	process.Run(t, folder, nil, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund")
}

func lockJavaScript(t *testing.T, r release, lock, folder string) {
	write(t, filepath.Join(folder, "package.json"), packageJSON(t, r))
	process.Run(t, folder, nil, "npm", "install", "--silent", "--package-lock-only", "--omit-lockfile-registry-resolved",
		"--ignore-scripts", "--no-audit", "--no-fund")
	content, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, lock, content)
}

// The script comes by standard input: so its imports are looked up in the working directory.
func runJavaScript(t *testing.T, _ release, at process.Endpoint, folder string) *exec.Cmd {
	script, err := os.ReadFile("js/conversation.mjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := process.Command(t, folder, at.Env("NODE_EXTRA_CA_CERTS"), "node", "--input-type=module", "-")
	cmd.Stdin = bytes.NewReader(script)
	return cmd
}

func installPython(t *testing.T, _ release, lock, folder string) {
	process.Run(t, folder, nil, "python3", "-m", "venv", "venv")
	process.Run(t, folder, nil, "venv/bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", lock)
	process.Run(t, folder, nil, "venv/bin/python", "-m", "pip", "check")
}

func lockPython(t *testing.T, r release, lock, folder string) {
	process.Run(t, folder, nil, "python3", "-m", "venv", "venv")
	install := []string{"-m", "pip", "install", "--quiet"}
	for name, version := range versions(r) {
		install = append(install, name+"=="+version)
	}
	process.Run(t, folder, nil, "venv/bin/python", install...)
	write(t, lock, process.Output(t, process.Command(t, folder, nil, "venv/bin/python", "-m", "pip", "freeze")))
}

func runPython(t *testing.T, _ release, at process.Endpoint, folder string) *exec.Cmd {
	env := append(at.Env("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), "PYTHONDONTWRITEBYTECODE=1")
	return process.Command(t, "", env, filepath.Join(folder, "venv/bin/python"), absolute(t, "python/conversation.py"))
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
	process.Run(t, folder, nil, "mvn", args...)
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

func runJava(t *testing.T, r release, at process.Endpoint, folder string) *exec.Cmd {
	classes, truststore := t.TempDir(), filepath.Join(t.TempDir(), "truststore.p12")
	jars := filepath.Join(folder, "jars", "*")
	process.Run(t, "", nil, "javac", "-Xlint:all", "-Werror", "-proc:none", "-d", classes, "-cp", jars,
		"java/Conversation.java", filepath.Join("java", r.API, "Metadata.java"))
	process.Run(t, "", nil, "keytool", "-importcert", "-noprompt", "-alias", "chatd", "-file", at.CA,
		"-keystore", truststore, "-storetype", "PKCS12", "-storepass", "changeit")
	return process.Command(t, "", at.Env(), "java", "-Djavax.net.ssl.trustStore="+truststore,
		"-Djavax.net.ssl.trustStorePassword=changeit", "-cp", classes+string(filepath.ListSeparator)+jars, "Conversation")
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
