package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/chatd/chatd/"

// allowed is the direction of the packages: what each may import from this module, its tests aside. A new package, or
// an arrow that is not here, is a decision to be written down here and in ARCHITECTURE.md.
var allowed = map[string][]string{
	"cmd/chatd":                nil, // everything
	"internal/chat":            {},
	"internal/auth":            {"internal/chat"},
	"internal/store":           {"internal/chat", "internal/auth", "migrations"},
	"internal/store/pgtest":    {},
	"internal/store/storetest": {"internal/chat", "internal/auth", "internal/store"},
	"internal/httpapi":         {"internal/chat", "internal/auth"},
	"internal/notify":          {"internal/chat"},
	"internal/notify/trouter":  {"internal/chat", "internal/notify"},
	"internal/notify/native":   {"internal/chat", "internal/notify"},
	"client":                   {},
	"bench":                    {"bench/fanout", "bench/limit", "bench/load", "bench/report", "bench/setup"},
	"bench/fanout":             {"bench/limit", "bench/load", "bench/setup"},
	"bench/limit":              {"bench/load"},
	"bench/load":               {},
	"bench/report":             {},
	"bench/setup":              {"bench/load", "internal/auth", "internal/store/pgtest"}, // to sign requests, and to have a Postgres
	"migrations":               {},
	"test/browser":             {},
	"test/chatdtest":           {},
	"test/cluster":             {"internal/store/pgtest", "test/chatdtest"},
	"test/compose":             {},
	"test/sdk":                 {},
	"test/sdk/matrix":          {},
}

func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.ImportPath, "/node_modules/") { // what npm brings is not ours
			checkImports(t, strings.TrimPrefix(p.ImportPath, module), p.Imports)
		}
	}
}

func checkImports(t *testing.T, name string, imports []string) {
	t.Helper()
	may, known := allowed[name]
	if !known {
		t.Errorf("package %s is not in the table", name)
	}
	for _, path := range imports {
		path, ours := strings.CutPrefix(path, module)
		switch {
		case ours && strings.HasPrefix(path, "cmd/"):
			t.Errorf("%s imports %s, which wires the others", name, path)
		case ours && may != nil && !slices.Contains(may, path):
			t.Errorf("%s may not import %s", name, path)
		}
	}
}
