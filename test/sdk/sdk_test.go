//go:build unix

// Package sdk_test runs the official SDKs, unmodified and each in its own language, against a chatd process that
// runs in its normal configuration: the connection string and the certificate authority are all they are given.
package sdk_test

import (
	"path/filepath"
	"testing"

	"github.com/chatd/chatd/test/cluster"
	"github.com/chatd/chatd/test/process"
)

func TestSDKs(t *testing.T) {
	if testing.Short() {
		t.Skip("runs SDKs of other languages: not in -short")
	}
	program := process.Build(t)
	starts := map[string]func(*testing.T) process.Endpoint{
		"one server": func(t *testing.T) process.Endpoint { return process.Start(t, program, nil).Endpoint },
		// An SDK does not notice that each of its requests may be answered by another node.
		"two nodes": func(t *testing.T) process.Endpoint { return cluster.Start(t, program, 2).Balance(t) },
	}
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			t.Run("JavaScript", func(t *testing.T) { testJavaScript(t, start) })
			t.Run("Python", func(t *testing.T) { testPython(t, start) })
			t.Run("Java", func(t *testing.T) { testJava(t, start) })
		})
	}
}

func testJavaScript(t *testing.T, start func(*testing.T) process.Endpoint) {
	installJavaScript(t)
	process.Run(t, "js", start(t).Env("NODE_EXTRA_CA_CERTS"), "npm", "test", "--silent")
}

func installJavaScript(t *testing.T) {
	t.Helper()
	process.RequireTools(t, "node", "npm")
	process.Install(t, "js/node_modules", func() {
		process.Run(t, "js", nil, "npm", "ci", "--no-audit", "--no-fund")
	}, "js/package.json", "js/package-lock.json")
}

func testPython(t *testing.T, start func(*testing.T) process.Endpoint) {
	interpreter := installPython(t)
	env := append(start(t).Env("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), "PYTHONDONTWRITEBYTECODE=1")
	process.Run(t, "python", env, interpreter, "-m", "pytest", "-p", "no:cacheprovider")
}

// installPython returns the interpreter that has the SDKs.
func installPython(t *testing.T) string {
	t.Helper()
	process.RequireTools(t, "python3")
	process.Install(t, "python/.venv", func() {
		process.Run(t, "python", nil, "python3", "-m", "venv", ".venv")
		process.Run(t, "python", nil, ".venv/bin/python", "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt")
	}, "python/requirements.txt")
	interpreter, err := filepath.Abs("python/.venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	return interpreter
}

func testJava(t *testing.T, start func(*testing.T) process.Endpoint) {
	process.RequireTools(t, "java", "keytool", "mvn")
	process.Run(t, "java", nil, "mvn", "-B", "-q", "test-compile")
	at := start(t)
	truststore := filepath.Join(t.TempDir(), "truststore.p12")
	process.Run(t, "java", nil, "keytool", "-importcert", "-noprompt", "-alias", "chatd", "-file", at.CA,
		"-keystore", truststore, "-storetype", "PKCS12", "-storepass", "changeit")
	process.Run(t, "java", at.Env(), "mvn", "-B", "-ntp", "-Dstyle.color=never", "-Dchatd.truststore="+truststore, "test")
}
