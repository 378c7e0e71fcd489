//go:build unix

// Package browser_test runs the official browser SDKs, unmodified, in Chromium: their real-time notifications against a chatd
// process in its normal configuration. The pages come from another origin, and the browser trusts the certificate
// authority as that of a user who has installed it.
package browser_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chatd/chatd/test/process"
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
	process.RequireTools(t, "chromium", "node", "npm", "certutil")
	chromium, err := exec.LookPath("chromium")
	if err = errors.Join(err, os.RemoveAll(filepath.Join("out", "failed"))); err != nil {
		t.Fatal(err)
	}
	process.Install(t, "node_modules", func() {
		process.Run(t, "", nil, "npm", "ci", "--no-audit", "--no-fund")
	}, "package-lock.json")
	process.Run(t, "", nil, "node", "build.mjs")
	program := process.Build(t)
	env := []string{"CHATD_CHROMIUM=" + chromium}
	t.Run("one server", func(t *testing.T) { testOneServer(t, program, env) })
	t.Run("two nodes", func(t *testing.T) { testTwoNodes(t, program, env) })
}

// testOneServer runs all *.test.mjs.
func testOneServer(t *testing.T, program string, env []string) {
	path := filepath.Join("out", "chatd.log") // too long to be read in the test's own
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of chatd is in test/browser/%s", path)
		}
	})
	server := process.Start(t, program, log, "--cert-names", serviceHosts)
	env = slices.Concat(env, server.Env("CHATD_CA", "NODE_EXTRA_CA_CERTS"))
	runTests(t, append(env, "CHATD_PROGRAM="+program, "CHATD_CONFIG_DIR="+server.ConfigDir, "CHATD_HOSTS="+serviceHosts))
}

// runTests runs tests of Node.js.
func runTests(t *testing.T, env []string, args ...string) {
	t.Helper()
	process.Run(t, "", env, "node", append([]string{"--test", "--test-reporter=spec", "--test-concurrency=2"}, args...)...)
}
