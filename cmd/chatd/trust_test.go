package main

import (
	"strings"
	"testing"
)

// The README shows the lines that the server prints.
func TestTrustLinesInReadme(t *testing.T) {
	t.Parallel()
	readme := string(read(t, "../../README.md"))
	for _, line := range trustLines {
		name, _, _ := strings.Cut(line[0], " ")
		if name == "Chromium" { // which is no SDK
			continue
		}
		row := map[string]string{"Node.js": "JavaScript", ".NET": "C#", "Azure": "Azure CLI"}[name]
		if row == "" {
			row = name
		}
		_, cells, found := strings.Cut(readme, "\n| "+row+" |")
		cells, _, _ = strings.Cut(cells, "\n")
		want := strings.NewReplacer("$CA", "…/ca.pem", "$BUNDLE", "…/ca-bundle.pem", "|", `\|`).Replace(line[1])
		if !found || !strings.Contains(cells, "`"+want+"`") {
			t.Errorf("the row %s of README.md has not the line that is printed: %s", row, want)
		}
	}
}
