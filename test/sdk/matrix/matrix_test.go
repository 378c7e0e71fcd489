//go:build unix

// Package matrix_test has releases of the official SDKs, from the first preview to the newest, hold one scripted
// conversation each with a chatd process. They are installed as they were published, each with the companion packages
// of its time, and told no more than the connection string and the certificate authority.
//
// releases.json names the releases. A few of them run with the other tests; CHATD_MATRIX=full runs all of them and
// writes docs/compatibility.md from the results. A new release is a row in releases.json: the full run writes its lock.
package matrix_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chatd/chatd/test/process"
)

const page = "../../../docs/compatibility.md"

var full = os.Getenv("CHATD_MATRIX") == "full"

// release is a row of releases.json.
type release struct {
	SDK         string            `json:"sdk"`
	Release     string            `json:"release"`
	API         string            `json:"api"`         // the vocabulary that its script has to use
	Packages    map[string]string `json:"packages"`    // its companions
	Chat        string            `json:"chat"`        // the api-version that it must send
	Identity    string            `json:"identity"`    // the same of its companion
	Absent      []string          `json:"absent"`      // operations that its API does not have
	Subset      bool              `json:"subset"`      // runs with the other tests
	Unavailable string            `json:"unavailable"` // why it cannot be had
}

// operations are what every conversation reports on, in the order of the page, and what passing means.
var operations = []struct{ name, means string }{
	{"create user", "ids of the right form"},
	{"issue token", "scope `chat`, valid for 24 hours"},
	{"create user and token", "in one call; the token works"},
	{"create thread", "with a second participant, none is invalid"},
	{"create thread again", "the same idempotency token gives the same thread, another token another"},
	{"get thread", "topic, creator and time, read by the other participant; in the first preview the members too"},
	{"list threads", "page by page, deleted ones set aside"},
	{"update topic", "read back by the other participant"},
	{"thread metadata", "metadata and retention policy at creation; metadata merged, retention ended by an update"},
	{"send message", "text with a sender's name; in the first preview with a priority"},
	{"send html", "read back unchanged"},
	{"message metadata", "read back; an update merges it and leaves the text"},
	{"get message", "text, type, sender, sender's name, version, sequence and times"},
	{"list messages", "newest first, whole and in pages of two"},
	{"system messages", "those of the creation and of the new topic, with initiator and participants"},
	{"update message", "new text, version and time of the edit, the sender's name stays"},
	{"delete message", "read back without text, with the time of the deletion"},
	{"images", "upload, send as an attachment, read by the other participant, delete"},
	{"typing", "accepted"},
	{"send receipt", "accepted"},
	{"list receipts", "reader, message and time"},
	{"add participants", "the new one reads the thread; a system message reports it"},
	{"list participants", "in order, with names and the time that history is shared from"},
	{"remove participant", "no longer listed; a system message reports it"},
	{"unauthorized", "401 for a token with an invalid signature and for a wrong access key"},
	{"forbidden", "403 for a removed participant and for a stranger"},
	{"not found", "404 for an unknown thread and an unknown message"},
	{"delete thread", "404 from then on"},
	{"revoke tokens", "401 for the old token, a new one works"},
	{"delete user", "401 for its token and for a new one"},
}

// outcome is what one conversation came to.
type outcome struct {
	passed   int
	failed   []string // "operation: reason", in the order of the page
	absent   []string
	chat     []string // api-versions that the server saw
	identity []string
}

func TestMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("installs and runs SDKs of other languages: not in -short")
	}
	program := process.Build(t)
	releases := readReleases(t)
	outcomes := make([]*outcome, len(releases))
	for _, language := range []string{"js", "python", "java"} {
		t.Run(language, func(t *testing.T) {
			process.RequireTools(t, sdkOf(language).tools...)
			for i, r := range releases {
				if r.SDK != language || r.Unavailable != "" || !full && !r.Subset {
					continue
				}
				t.Run(r.Release, func(t *testing.T) {
					t.Parallel()
					outcomes[i] = converse(t, program, r)
				})
			}
		})
	}
	if full {
		writePage(t, releases, outcomes)
		return
	}
	written := readPage(t)
	for i, o := range outcomes {
		if o != nil && !strings.Contains(written, row(releases[i], o)) {
			t.Errorf("docs/compatibility.md is out of date, make sdk-matrix writes it; it lacks\n%s", row(releases[i], o))
		}
	}
}

func TestPageListsEveryRelease(t *testing.T) {
	if full {
		t.Skip("the full run writes the page")
	}
	written := readPage(t)
	for _, r := range readReleases(t) {
		if !strings.Contains(written, "\n"+rowStart(r)) {
			t.Errorf("docs/compatibility.md does not list %s %s: run make sdk-matrix", r.SDK, r.Release)
		}
	}
}

// converse installs the release, has it talk to a server of its own, and returns what came of it.
func converse(t *testing.T, program string, r release) *outcome {
	folder := install(t, r)
	server := process.Start(t, program, nil, "--log-format", "json")
	cmd := sdkOf(r.SDK).command(t, r, server.Endpoint, folder)
	absent, err := json.Marshal(r.Absent)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "CHATD_API="+r.API, "CHATD_ABSENT="+string(absent))
	o := readReport(t, r, process.Output(t, cmd))
	for _, failure := range o.failed {
		t.Error(failure)
	}
	server.Stop(t)
	o.chat, o.identity = wire(t, server.Log.Bytes())
	if want := []string{r.Chat}; !slices.Equal(o.chat, want) {
		t.Errorf("Chat api-versions on the wire: %q, want %q", o.chat, want)
	}
	if want := []string{r.Identity}; !slices.Equal(o.identity, want) {
		t.Errorf("Identity api-versions on the wire: %q, want %q", o.identity, want)
	}
	return o
}

// wire reads in the log of a server, one JSON object a line, which api-versions were used, and that nothing broke.
func wire(t *testing.T, log []byte) (chat, identity []string) {
	t.Helper()
	for line := range bytes.Lines(log) {
		var entry struct {
			Msg     string
			Path    string
			Status  int
			Version string `json:"api_version"`
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatalf("not a line of the log: %q: %v", line, err)
		}
		if entry.Msg != "request" {
			continue
		}
		if entry.Status >= 500 {
			t.Errorf("the server broke: %s", line)
		}
		versions := &identity
		if strings.HasPrefix(strings.TrimLeft(entry.Path, "/"), "chat/") {
			versions = &chat
		}
		if entry.Version != "" && !slices.Contains(*versions, entry.Version) {
			*versions = append(*versions, entry.Version)
		}
	}
	return chat, identity
}

// readReport reads the lines that a conversation printed: each operation once.
func readReport(t *testing.T, r release, report []byte) *outcome {
	t.Helper()
	type line struct{ Operation, Result, Reason string }
	got := map[string]line{}
	for text := range bytes.Lines(report) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatalf("not a line of a report: %q: %v", text, err)
		}
		if _, twice := got[l.Operation]; twice {
			t.Errorf("%s: reported twice", l.Operation)
		}
		got[l.Operation] = l
	}
	o := &outcome{}
	for _, operation := range operations {
		l, ok := got[operation.name]
		delete(got, operation.name)
		switch {
		case !ok:
			o.failed = append(o.failed, operation.name+": not reported")
		case l.Result == "passed":
			o.passed++
		case l.Result == "absent" && slices.Contains(r.Absent, operation.name):
			o.absent = append(o.absent, operation.name)
		default:
			o.failed = append(o.failed, operation.name+": "+l.Reason)
		}
	}
	for name := range got {
		t.Errorf("%s: unknown operation", name)
	}
	return o
}

func readReleases(t *testing.T) []release {
	t.Helper()
	content, err := os.ReadFile("releases.json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	var releases []release
	if err := decoder.Decode(&releases); err != nil {
		t.Fatal("releases.json: ", err)
	}
	return releases
}

func readPage(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func rowStart(r release) string { return fmt.Sprintf("| %s | %s |", sdkOf(r.SDK).name, r.Release) }

// row is the line of a release in the page.
func row(r release, o *outcome) string {
	cells := []string{"", "", "", "not run", "", cell(r.Unavailable)}
	if r.Unavailable == "" {
		var companions []string
		for name, version := range r.Packages {
			companions = append(companions, strings.TrimPrefix(name, sdkOf(r.SDK).prefix)+" "+version)
		}
		slices.Sort(companions)
		cells = []string{
			strings.Join(companions, ", "), strings.Join(o.chat, ", "), strings.Join(o.identity, ", "),
			fmt.Sprintf("%d/%d", o.passed, o.passed+len(o.failed)),
			strings.Join(o.absent, ", "), cell(strings.Join(o.failed, "; ")),
		}
	}
	return rowStart(r) + " " + strings.Join(cells, " | ") + " |"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// runtimes names what the releases ran on.
func runtimes(t *testing.T) string {
	t.Helper()
	digits := regexp.MustCompile(`\d+(\.\d+)?`)
	version := func(name string, args ...string) string {
		return digits.FindString(string(process.Output(t, process.Command(t, "", nil, name, args...))))
	}
	return fmt.Sprintf("Node.js %s, Python %s and Java %s",
		version("node", "--version"), version("python3", "--version"), version("java", "--version"))
}

// writePage writes docs/compatibility.md from a full run.
func writePage(t *testing.T, releases []release, outcomes []*outcome) {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Compatibility: releases of the official SDKs

Written by ` + "`make sdk-matrix`" + `, which installs each of these releases unmodified and has it hold one scripted
conversation with a fresh chatd, over https with verified certificates. A few of them run with all other tests, which
fail when a line here is not what they come to. The api-versions are those that the server saw. Last written with
` + runtimes(t) + `.

"passed" counts the operations that the release's API has. What it has not is named in the next column.

| SDK | release of chat | with | Chat api-version | Identity api-version | passed | not in its API | failed, and why |
| --- | --- | --- | --- | --- | --- | --- | --- |
`)
	for i, r := range releases {
		if r.Unavailable == "" && outcomes[i] == nil {
			t.Errorf("no result of %s %s: docs/compatibility.md stays as it is", r.SDK, r.Release)
			return
		}
		b.WriteString(row(r, outcomes[i]) + "\n")
	}
	b.WriteString(`
Releases that were not run could not be had from the package registry; the error is its answer.

## The operations

| operation | what is checked |
| --- | --- |
`)
	for _, operation := range operations {
		fmt.Fprintf(&b, "| %s | %s |\n", operation.name, operation.means)
	}
	write(t, page, []byte(b.String()))
}
