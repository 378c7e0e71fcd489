package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/chatd/chatd/internal/store/sqldb"
	"github.com/chatd/chatd/migrations"
)

// openFile opens the engine on a file, with no schema yet if it is new.
func openFile(t *testing.T, path string) sqldb.Engine {
	t.Helper()
	url := "memory:"
	if path != "" {
		url = "sqlite:" + path
	}
	e, err := openEngine(t.Context(), url, sqldb.Options{Log: slog.New(slog.DiscardHandler), Wake: func() {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func files(names ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i, n := range names {
		out["sqlite/"+n] = &fstest.MapFile{Data: fmt.Appendf(nil, "CREATE TABLE t%d (a TEXT); -- the %d. table\n", i+1, i+1)}
	}
	return out
}

func migrateTo(t *testing.T, e sqldb.Engine, fs fstest.MapFS) error {
	t.Helper()
	all, err := readMigrations(fs, "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	return applyMigrations(t.Context(), e, all, time.Now())
}

// A store is opened as it is when it has the schema of this version, no older and no newer one, and nothing is made.
func TestOpenAsIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made := func(name string, change string) string {
		url := "sqlite:" + filepath.Join(dir, name)
		db, err := Open(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if change != "" {
			err = db.engine.Write(t.Context(), func(c sqldb.Tx) error { return c.Queue(t.Context(), change) })
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		return url
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, url, want string }{
		{"good", made("good", ""), ""},
		{"memory", "memory:", ""},
		{"missing", "sqlite:" + filepath.Join(dir, "missing"), "no such file"},
		{"empty", "sqlite:" + empty, "no schema"},
		{"older", made("older", "DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)"), "this chatd wants"},
		{"newer", made("newer", "INSERT INTO schema_migrations VALUES (99, 'x', 'x', 0)"), "use a newer chatd"},
	} {
		db, err := Open(t.Context(), tt.url, Options{AsIs: true})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err == nil {
			_ = db.Close()
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); err == nil {
		t.Error("a file was made")
	}
}

// tables returns the names of all tables of the schema.
func tables(t *testing.T, c sqldb.Conn) []string {
	t.Helper()
	var out []string
	err := c.Query(t.Context(), func(r sqldb.Row) error {
		var name string
		err := r.Scan(&name)
		out = append(out, name)
		return err
	}, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'schema_migrations' ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMigrationNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		files []string
		bad   string // the file that the error names; empty where they are accepted
	}{
		{"none", nil, ""},
		{"in order", []string{"0001_init.sql", "0002_more.sql", "0003_most.sql"}, ""},
		{"a gap", []string{"0001_init.sql", "0003_more.sql"}, "0003_more"},
		{"not from one", []string{"0002_more.sql"}, "0002_more"},
		{"a number twice", []string{"0001_init.sql", "0001_more.sql"}, "0001_more"},
		{"no number", []string{"0001_init.sql", "more.sql"}, "more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := readMigrations(files(c.files...), "sqlite")
			if c.bad == "" {
				if err != nil || len(got) != len(c.files) {
					t.Fatalf("%d files are read as %d migrations, %v", len(c.files), len(got), err)
				}
				for i, m := range got {
					if m.version != i+1 || m.name+".sql" != c.files[i] {
						t.Errorf("migration %d is %d %s", i+1, m.version, m.name)
					}
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.bad) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %v, want one line that names %s", err, c.bad)
			}
		})
	}
	// Files of other engines are none of ours.
	if got, err := readMigrations(files("0001_init.sql"), "postgres"); err != nil || len(got) != 0 {
		t.Errorf("another engine has %d migrations, %v; want none", len(got), err)
	}
}

func TestMigrateFreshToNewest(t *testing.T) {
	t.Parallel()
	e := openFile(t, filepath.Join(t.TempDir(), "chatd.db"))
	for range 2 { // the second time there is nothing to do
		if err := migrate(t.Context(), e, time.UnixMilli(1_700_000_000_000)); err != nil {
			t.Fatal(err)
		}
		all, err := readMigrations(migrations.Files, "sqlite")
		if err != nil {
			t.Fatal(err)
		}
		var count int
		var newest int
		var on int64
		err = e.Read().QueryRow(t.Context(), []any{&count, &newest, &on}, "SELECT count(*), max(version), max(applied_on) FROM schema_migrations")
		if err != nil || count != len(all) || newest != len(all) || on != 1_700_000_000_000 {
			t.Errorf("%d migrations noted, up to %d, on %d (%v); want %d", count, newest, on, err, len(all))
		}
	}
	want := []string{"creations", "endpoints", "images", "journal", "messages", "participants", "receipts", "secrets", "signing_keys", "superseded", "threads", "users"}
	if got := tables(t, e.Read()); !slices.Equal(got, want) {
		t.Errorf("tables are %v, want %v", got, want)
	}
}

func TestMigrateOn(t *testing.T) {
	t.Parallel()
	e := openFile(t, "")
	if err := migrateTo(t, e, files("0001_init.sql")); err != nil {
		t.Fatal(err)
	}
	if err := e.Write(t.Context(), insert("INSERT INTO t1 (a) VALUES ('kept')")); err != nil {
		t.Fatal(err)
	}
	if err := migrateTo(t, e, files("0001_init.sql", "0002_more.sql")); err != nil {
		t.Fatal(err)
	}
	if got := tables(t, e.Read()); !slices.Equal(got, []string{"t1", "t2"}) {
		t.Errorf("tables are %v", got)
	}
	var kept string
	if err := e.Read().QueryRow(t.Context(), []any{&kept}, "SELECT a FROM t1"); err != nil || kept != "kept" {
		t.Errorf("the row from before is %q, %v", kept, err)
	}
}

// insert makes a write of one statement.
func insert(sql string, args ...any) func(sqldb.Tx) error {
	return func(c sqldb.Tx) error {
		_, err := c.Exec(context.Background(), sql, args...)
		return err
	}
}

// A migration that fails leaves the schema as the one before made it, and can be tried again.
func TestMigrationFailsWhole(t *testing.T) {
	t.Parallel()
	e := openFile(t, "")
	bad := files("0001_init.sql", "0002_more.sql")
	bad["sqlite/0002_more.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE t2 (a TEXT); CREATE TABLE t1 (a TEXT);")}
	err := migrateTo(t, e, bad)
	if err == nil || !strings.Contains(err.Error(), "0002_more") || !strings.Contains(err.Error(), "t1") {
		t.Errorf("error is %v, want it to name the migration and what is wrong", err)
	}
	if got := tables(t, e.Read()); !slices.Equal(got, []string{"t1"}) {
		t.Errorf("tables are %v, want those of the first migration", got)
	}
	if err := migrateTo(t, e, files("0001_init.sql", "0002_more.sql")); err != nil {
		t.Errorf("tried again, mended: %v", err)
	}
}

func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   string // to a store of today
		want []string
	}{
		{"a file that was changed", "UPDATE schema_migrations SET checksum = 'other'", []string{"0001_init", "changed"}},
		{"a store of a newer chatd", "INSERT INTO schema_migrations (version, name, checksum, applied_on) VALUES (99, '0099_later', '', 0)", []string{"schema 99", "newer chatd"}},
		{"a newer store with changed files", "UPDATE schema_migrations SET version = 99 WHERE version = (SELECT max(version) FROM schema_migrations)", []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "chatd.db")
			db, err := Open(t.Context(), "sqlite:"+path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.engine.Write(t.Context(), insert(c.do)), db.Close()); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			db, err = Open(t.Context(), "sqlite:"+path, Options{})
			if err == nil {
				t.Fatalf("it was opened; closing it: %v", db.Close())
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error is %q, want one line that says %q", err, want)
				}
			}
			after, err := os.ReadFile(path)
			if err != nil || !slices.Equal(before, after) {
				t.Errorf("the file that was refused was written to (%v)", err)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	got := split("-- a comment; with a semicolon\nCREATE TABLE a (\n  x TEXT -- another\n);\n\nCREATE INDEX b ON a (x);\n;\n-- the end")
	want := []string{"CREATE TABLE a (\n  x TEXT\n)", "CREATE INDEX b ON a (x)"}
	if !slices.Equal(got, want) {
		t.Errorf("statements are %q, want %q", got, want)
	}
}
