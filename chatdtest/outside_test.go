package chatdtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// outsideModule is the go.mod of the application. It has the requirements of this module too, as go mod tidy would write them,
// since to work them out takes files that Go does not keep for this module.
const outsideModule = `module example.com/app

require github.com/chatd/chatd v0.0.0

replace github.com/chatd/chatd => ROOT

`

const outsideTest = `package app

import (
	"net/http"
	"testing"
	"time"

	"github.com/chatd/chatd/chatdtest"
)

func TestApp(t *testing.T) {
	server := chatdtest.Start(t)
	alice := server.NewUser(t, "chat")
	threads := func() int {
		request, err := http.NewRequestWithContext(t.Context(), "GET", server.Endpoint+"/chat/threads?api-version=2025-03-15", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+alice.Token)
		answer, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	if got := threads(); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	var clock *chatdtest.Clock = server.Clock
	clock.Advance(25 * time.Hour)
	if got := threads(); got != http.StatusUnauthorized {
		t.Errorf("status %d after the token expired", got)
	}
}
`

// A module outside this repository uses the package with nothing but what Go has in its cache for this one.
func TestOutsideModule(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var own [2]string
	for i, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		own[i] = string(text)
	}
	_, requirements, _ := strings.Cut(own[0], "\n") // behind the line module
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": strings.ReplaceAll(outsideModule, "ROOT", root) + requirements, "go.sum": own[1], "app_test.go": outsideTest,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if out := run("test", "-count=1", "-v", "./..."); !strings.Contains(out, "--- PASS: TestApp") {
		t.Error(out)
	}
}
