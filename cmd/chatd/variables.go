package main

import (
	"log/slog"
	"regexp"
	"strings"
)

// ofKubernetes are the variables that a container gets beside a service named chatd or chatd-something, unless enableServiceLinks
// is false: CHATD_SERVICE_HOST, CHATD_PORT=tcp://…, CHATD_PORT_80_TCP_ADDR and the like.
var ofKubernetes = regexp.MustCompile(`_SERVICE_(HOST|PORT)|_PORT_\d+_|_PORT=tcp://|_PORT=udp://`)

// warnOfVariables warns of environment variables that look like settings but are not, each with the setting that
// may be meant. They are no error, since other programs may read variables that begin with CHATD_ too. Values are
// not logged: a misspelt secret is still one.
func warnOfVariables(log *slog.Logger, environ []string) {
	known := map[string]bool{}
	for _, s := range settings {
		for name := range strings.SplitSeq(s.variables(), ", ") {
			known[name] = true
		}
	}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if value == "" || known[name] || !strings.HasPrefix(name, "CHATD_") || ofKubernetes.MatchString(pair) {
			continue
		}
		about := []any{"variable", name}
		if setting, file := strings.CutSuffix(name, "_FILE"); file && known[setting] {
			about = append(about, "reason", "only secrets are read from files")
		} else if near := nearest(name, known); near != "" {
			about = append(about, "meant", near)
		}
		log.Warn("an environment variable is no setting", about...)
	}
}

// nearest is the known name with the smallest distance, if that is at most a third of the letters after the
// prefix; of several the first in alphabetical order, so that the warning does not change between runs.
func nearest(name string, known map[string]bool) string {
	const prefix = len("CHATD_")
	best, found := (len(name)-prefix)/3+1, ""
	for other := range known {
		if d := distance(name[prefix:], other[prefix:]); d < best || d == best && found != "" && other < found {
			best, found = d, other
		}
	}
	return found
}

// distance is the number of insertions, deletions and replacements of a letter between two words (Levenshtein),
// with one row of the usual table in memory.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
