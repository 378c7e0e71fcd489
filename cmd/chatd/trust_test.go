package main

import (
	"regexp"
	"strings"
	"testing"
)

// README's table shows for each runtime the line that the program prints, and no other. Whether the lines work is tested in
// test/sdk, which runs them.
func TestReadmeShowsThePrintedLines(t *testing.T) {
	t.Parallel()
	rows := map[string]string{ // the row of the table by the label of the line
		"Node.js": "JavaScript", "Python": "Python", "Java": "Java", ".NET (Linux), Go": "C#, Go", "Azure CLI": "Azure CLI",
		"Chromium (Linux)": "Chromium",
	}
	const dir = "/config"
	lines := trust(dir)
	if len(lines) != len(rows) {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	readme := string(read(t, "../../README.md"))
	for _, line := range lines {
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(rows[line[0]]) + ` \|.*$`).FindString(readme)
		if want := "`" + strings.NewReplacer(dir, "…", "|", `\|`).Replace(line[1]) + "`"; !strings.Contains(row, want) {
			t.Errorf("README has for %s\n%s\nwant\n%s", line[0], row, want)
		}
	}
}
