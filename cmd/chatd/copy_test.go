package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

// What the copy holds is for package store to test; here is what the command says.
func TestCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := "sqlite:"+filepath.Join(dir, "from.db"), "sqlite:"+filepath.Join(dir, "to.db")
	installed(t, "--store", from)
	mint(t, "--store", from)
	code, stdout, stderr := once(t, noEnv, "copy", "--from", from, "--to", to)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != exitOK || stderr != "" || lines[len(lines)-1] != fmt.Sprintf("copied: %d tables, 2 rows; counts and checksums are equal", len(lines)-1) {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if line := regexp.MustCompile(`(?m)^users +1 rows  checksum [0-9a-f]{12}$`); !line.MatchString(stdout) || len(lines) < 10 {
		t.Errorf("no line of each table:\n%s", stdout)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--from", from, "--to", to}, exitFailure, "the target is not empty: table "},
		{[]string{"--from", filepath.Join("sqlite:"+dir, "none.db"), "--to", to}, exitFailure, "source: store file "},
		{[]string{"--from", from}, exitUsage, "needs --from and --to"},
		{[]string{"--from", from, "--to", "memory:"}, exitUsage, "--to: want a store that outlives the process"},
		{[]string{"--from", "mysql://user:secret@h/db", "--to", to}, exitUsage, "--from: want "},
		{[]string{"--from", from, "--to", "postgres://user:secret@127.0.0.1:1/db"}, exitFailure, "target: "},
	} {
		code, stdout, stderr := once(t, noEnv, append([]string{"copy"}, c.args...)...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "secret@") {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q", c.args, code, stdout, stderr)
		}
	}
}

// Text that is none is mended, and the command says so.
func TestCopySaysWhatItMended(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := "sqlite:"+filepath.Join(dir, "from.db"), "sqlite:"+filepath.Join(dir, "to.db")
	db, err := store.Open(t.Context(), from, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = db.AddImage(t.Context(), 1, &chat.Image{ID: "x", Name: "caf\xe9.png", Bytes: []byte{}}, 0)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := once(t, noEnv, "copy", "--from", from, "--to", to)
	if code != exitOK || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{`(?m)^images +1 rows  checksum [0-9a-f]{12}  1 mended$`, `(?m)^mended: 1, which were no UTF-8`, `(?m)^copied: \d+ tables, 1 rows`} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("no line %s in\n%s", want, stdout)
		}
	}
}
