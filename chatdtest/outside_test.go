package chatdtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const outsideModule = `module example.com/app

go 1.26.0

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
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": strings.ReplaceAll(outsideModule, "ROOT", root), "go.sum": string(sums), "app_test.go": outsideTest,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
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
