package httpapi

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRecipeForAnApiVersion applies the diff of CONTRIBUTING.md ("Adding an api-version") to the package and sees that it does
// what the page says: the new version has the field, in lists too, and no older one has. The files stay as they are: the go
// command takes the changed ones from an overlay.
func TestRecipeForAnApiVersion(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the package once more, which -short leaves out")
	}
	page := string(must(os.ReadFile("../../CONTRIBUTING.md"))(t))
	_, recipe, _ := strings.Cut(page, "## Adding an api-version")
	_, recipe, found := strings.Cut(recipe, "```diff\n")
	recipe, _, closed := strings.Cut(recipe, "```")
	if !found || !closed {
		t.Fatal("CONTRIBUTING.md has no diff under \"Adding an api-version\"")
	}
	here, dir := must(os.Getwd())(t), t.TempDir()
	replaced := map[string]string{filepath.Join(here, "important_test.go"): filepath.Join(here, "testdata/recipe/important_test.go")}
	for file, hunks := range hunksOf(t, recipe) {
		text := string(must(os.ReadFile(filepath.Join("../..", file)))(t))
		for _, hunk := range hunks {
			var err error
			if text, err = hunk.apply(text); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		changed := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replaced[filepath.Join(here, filepath.Base(file))] = changed
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, []byte(encoded(map[string]any{"Replace": replaced})), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "-count=1", "-overlay", overlay, "-run", "^(TestImportant|TestMessagesAreJSON)$", ".")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the package with the recipe applied: %v\n%s", err, out)
	}
	passed := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		var event struct{ Action, Test string }
		if json.Unmarshal([]byte(line), &event) == nil && event.Action == "pass" {
			passed[event.Test] = true
		}
	}
	if !passed["TestImportant"] || !passed["TestMessagesAreJSON"] {
		t.Errorf("not all tests ran:\n%s", out)
	}
}

// hunk is a part of a diff: what stands behind a line, and what takes its place.
type hunk struct{ behind, old, new string }

// hunksOf reads the diff, which names its places by a line instead of numbers.
func hunksOf(t *testing.T, diff string) map[string][]hunk {
	t.Helper()
	out := map[string][]hunk{}
	file, at := "", (*hunk)(nil)
	for line := range strings.Lines(diff) {
		switch {
		case strings.HasPrefix(line, "--- a/"):
		case strings.HasPrefix(line, "+++ b/"):
			file = strings.TrimSpace(line[len("+++ b/"):])
		case strings.HasPrefix(line, "@@ "):
			out[file] = append(out[file], hunk{behind: "\n" + strings.TrimSpace(line[len("@@ "):])})
			at = &out[file][len(out[file])-1]
		case at == nil:
			t.Fatalf("a line of the diff stands in no hunk: %q", line)
		default:
			if line[0] != '+' {
				at.old += line[1:]
			}
			if line[0] != '-' {
				at.new += line[1:]
			}
		}
	}
	if len(out) == 0 {
		t.Fatal("the diff is empty")
	}
	return out
}

// declarationEnd is the line that ends what begins with a line of a hunk.
var declarationEnd = regexp.MustCompile(`(?m)^[)}]\n`)

// apply changes the place between the line and the end of the declaration.
func (h hunk) apply(text string) (string, error) {
	i := strings.Index(text, h.behind)
	if i < 0 {
		return "", fmt.Errorf("has no line that begins with %q", h.behind[1:])
	}
	end := declarationEnd.FindStringIndex(text[i:])
	if end == nil || strings.Count(text[i:i+end[1]], h.old) != 1 {
		return "", fmt.Errorf("has not once what the diff changes in %q:\n%s", h.behind[1:], h.old)
	}
	return text[:i] + strings.Replace(text[i:], h.old, h.new, 1), nil
}
