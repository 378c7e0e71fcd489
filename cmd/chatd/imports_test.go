package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/chatd/chatd/"

// pure packages compute; time, randomness and the network are handed to them.
var (
	pure    = []string{"internal/chat", "internal/delivery"}
	notPure = []string{"crypto/rand", "math/rand", "math/rand/v2", "net", "net/http", "os", "log/slog"}
)

// everything stands in the table for a package that may import all others.
const everything = "everything"

var (
	tableRow    = regexp.MustCompile("(?m)^\\| ((?:`[a-z/]+`(?:, )?)+) \\| [^|]+ \\| ([^|]+) \\|$")
	tableName   = regexp.MustCompile("`([a-z/]+)`")
	parentheses = regexp.MustCompile(`\([^)]*\)`)
)

// importTable reads the table of packages in ARCHITECTURE.md: what each may import from this module, its tests aside. A name
// in its last column is that of a package, with or without internal/ before it.
func importTable(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Packages")
	section, _, _ = strings.Cut(section, "\n## ")
	table := map[string][]string{}
	for _, row := range tableRow.FindAllStringSubmatch(section, -1) {
		for _, name := range tableName.FindAllStringSubmatch(row[1], -1) {
			table[name[1]] = []string{}
		}
	}
	for _, row := range tableRow.FindAllStringSubmatch(section, -1) {
		var may []string
		for item := range strings.SplitSeq(parentheses.ReplaceAllString(row[2], ""), ",") {
			item = strings.Trim(item, " `")
			if _, internal := table["internal/"+item]; internal {
				item = "internal/" + item
			}
			if _, known := table[item]; !known && item != "nothing" && item != everything {
				t.Errorf("the row of %s names %q, which is no package of the table", row[1], item)
			}
			may = append(may, item)
		}
		for _, name := range tableName.FindAllStringSubmatch(row[1], -1) {
			table[name[1]] = may
		}
	}
	return table
}

func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	table := importTable(t)
	packages := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(p.ImportPath, "/node_modules/") { // what npm brings is not ours
			continue
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		may, known := table[name]
		if !known {
			t.Errorf("package %s is not in the table of ARCHITECTURE.md", name)
		}
		for _, problem := range importProblems(name, may, p.Imports) {
			t.Error(problem)
		}
		delete(table, name)
	}
	for name := range table {
		t.Errorf("package %s of the table of ARCHITECTURE.md does not exist", name)
	}
}

func importProblems(name string, may, imports []string) (problems []string) {
	for _, full := range imports {
		path, ours := strings.CutPrefix(full, module)
		switch {
		case ours && strings.HasPrefix(path, "cmd/"):
			problems = append(problems, name+" imports "+path+", which is a program")
		case ours && !slices.Contains(may, everything) && !slices.Contains(may, path):
			problems = append(problems, name+" may not import "+path)
		case slices.Contains(pure, name) && slices.Contains(notPure, path):
			problems = append(problems, name+" is pure and may not import "+path)
		}
	}
	return problems
}

var fileNames = regexp.MustCompile("`((?:internal|cmd)/[a-z_/]+\\.go)`")

// The files that ARCHITECTURE.md names exist.
func TestArchitectureNamesFiles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	names := fileNames.FindAllStringSubmatch(string(text), -1)
	if len(names) < 30 {
		t.Errorf("%d files are named, want at least 30", len(names))
	}
	for _, name := range names {
		if _, err := os.Stat("../../" + name[1]); err != nil {
			t.Error(err)
		}
	}
}

// maxLines is how long a file of Go may be. A longer one holds a second thing, which gets a file of its own.
const maxLines = 400

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}
{{end}}{{range .TestGoFiles}}{{$dir}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$dir}}/{{.}}
{{end}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(string(out), "\n") {
		if name == "" || strings.Contains(name, "/node_modules/") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n >= maxLines {
			t.Errorf("%s has %d lines, want less than %d", name, n, maxLines)
		}
	}
}

func TestImportProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path string
		want       int
	}{
		{"internal/auth", module + "internal/chat", 0},
		{"internal/auth", module + "internal/store", 1},
		{"internal/auth", "crypto/rand", 0},
		{"internal/chat", "crypto/rand", 1},
		{"internal/chat", "strings", 0},
		{"internal/auth", module + "cmd/chatd", 1},
	} {
		if got := importProblems(c.name, []string{"internal/chat"}, []string{c.path}); len(got) != c.want {
			t.Errorf("%s imports %s: %q", c.name, c.path, got)
		}
	}
	if got := importProblems("test/x", []string{everything}, []string{module + "internal/store"}); len(got) != 0 {
		t.Error(got)
	}
}
