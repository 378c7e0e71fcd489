package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// From a file to Postgres and on to another file, each store shows the same to every user, and continues.
func TestCopy(t *testing.T) {
	t.Parallel()
	now := &atomic.Int64{}
	now.Store(1_700_000_000_000)
	first := install(t, "sqlite:"+filepath.Join(t.TempDir(), "first.db"), now)
	life := first.live()
	want := first.look(life)
	for _, table := range copied {
		if none := fmt.Sprint([]any{(&tally{}).String(), ""}); fmt.Sprint(want["rows of "+table]) == none {
			t.Errorf("the test fills no %s", table)
		}
	}
	from := first
	for _, url := range []string{pgtest.Database(t, nil), "sqlite:" + filepath.Join(t.TempDir(), "second.db"), "sqlite:" + filepath.Join(t.TempDir(), "third.db")} {
		var tables []string
		if err := Copy(t.Context(), from.url, url, func(c Copied) { tables = append(tables, c.Table) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tables, copied) {
			t.Errorf("reported are %v", tables)
		}
		to := install(t, url, now)
		if diff := cmp.Diff(want, to.look(life)); diff != "" {
			t.Errorf("copy to %.8s (-want +got):\n%.4000s", url, diff)
		}
		from = to
	}
	for _, i := range []*installation{first, from} {
		i.continues(life)
	}
}

// Postgres gives no number again either.
func TestCopyToPostgresGoesOn(t *testing.T) {
	t.Parallel()
	now := &atomic.Int64{}
	now.Store(1_700_000_000_000)
	first := install(t, "sqlite:"+filepath.Join(t.TempDir(), "first.db"), now)
	life := first.live()
	url := pgtest.Database(t, nil)
	if err := Copy(t.Context(), first.url, url, func(Copied) {}); err != nil {
		t.Fatal(err)
	}
	install(t, url, now).continues(life)
}

// Every table that a schema has is copied, or one of the two that are not to be.
func TestCopyTakesAllTables(t *testing.T) {
	t.Parallel()
	for url, query := range map[string]string{
		"sqlite:" + filepath.Join(t.TempDir(), "chatd.db"): "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
		pgtest.Database(t, nil):                            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
	} {
		i := install(t, url, &atomic.Int64{})
		err := i.db.engine.Read().Query(t.Context(), func(r sqldb.Row) error {
			var name string
			err := r.Scan(&name)
			if !slices.Contains(append([]string{"schema_migrations", "leases"}, copied...), name) {
				t.Errorf("table %s is not copied", name)
			}
			return err
		}, query)
		i.must(err)
	}
}

// A copy that goes wrong says so in one line and leaves nothing.
func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	now := &atomic.Int64{}
	now.Store(1_700_000_000_000)
	dir := t.TempDir()
	full := install(t, "sqlite:"+filepath.Join(dir, "full.db"), now)
	full.live()
	file := func(name string) string { return "sqlite:" + filepath.Join(dir, name) }
	prepared := func(url string, do ...string) string {
		db, err := Open(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range do {
			err = errors.Join(err, db.engine.Write(t.Context(), insert(sql)))
		}
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		return url
	}
	other := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"a source that is not there", file("none.db"), file("a.db"), "source: store file " + filepath.Join(dir, "none.db")},
		{"a source that is no store", "sqlite:" + other, file("b.db"), "source: it is no store of chatd"},
		{"an empty database as source", pgtest.Database(t, nil), file("c.db"), "source: it is no store of chatd"},
		{"a source without its schema", prepared(file("bare.db"), "DELETE FROM schema_migrations"), file("d.db"), "source: it is no store of chatd"},
		{"a source of a newer chatd", prepared(file("new.db"), "INSERT INTO schema_migrations (version, name, checksum, applied_on) VALUES (99, 'x', '', 0)"), file("d.db"), "source: the store has schema 99"},
		{"memory as source", "memory:", file("e.db"), "source: memory: ends with the process"},
		{"memory as target", full.url, "memory:", "target: memory: ends with the process"},
		{"itself as target", full.url, full.url, "not empty: table secrets has rows"},
		{"a file in use as target", full.url, prepared(file("f.db"), "INSERT INTO users (id, created_on) VALUES ('x', 1)"), "not empty: table users has rows"},
		{"a database in use as target", full.url, prepared(pgtest.Database(t, nil), "INSERT INTO journal (tk, thread_id, roster, kind, at, version, actor, actor_name, body) VALUES (1, '', 1, '', 1, 1, '', '', '')"), "not empty: table journal has rows"},
		{"a file that keeps something else", full.url, prepared(file("g.db"), "CREATE TRIGGER t AFTER INSERT ON receipts BEGIN UPDATE receipts SET read_on = read_on + 1 WHERE tk = NEW.tk AND user_id = NEW.user_id; END"), "table receipts: the target has"},
		{"a file that keeps less", full.url, prepared(file("h.db"), "CREATE TRIGGER t AFTER INSERT ON journal WHEN NEW.pos = 9 BEGIN DELETE FROM journal WHERE pos = 9; END"), "table journal: the target has"},
		{"a database that keeps something else", full.url, prepared(pgtest.Database(t, nil),
			"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.topic := NEW.topic || ' '; RETURN NEW; END $$",
			"CREATE TRIGGER t BEFORE INSERT ON threads FOR EACH ROW EXECUTE FUNCTION f()"), "table threads: the target has"},
		{"a database that refuses a row", full.url, prepared(pgtest.Database(t, nil), "ALTER TABLE messages ADD CHECK (content <> 'edited')"), "table messages: "},
		{"a table with another column", full.url, prepared(pgtest.Database(t, nil), "ALTER TABLE receipts ADD COLUMN extra TEXT"), "table receipts: the source has columns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := rowsOf(t, c.to)
			err := Copy(t.Context(), c.from, c.to, func(Copied) {})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %v, want one line with %q", err, c.want)
			}
			if after := rowsOf(t, c.to); after != before {
				t.Errorf("the target had %d rows and has %d", before, after)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("a source was made")
	}
}

// A copy that is cancelled leaves nothing either.
func TestCopyStops(t *testing.T) {
	t.Parallel()
	now := &atomic.Int64{}
	now.Store(1_700_000_000_000)
	from := install(t, "sqlite:"+filepath.Join(t.TempDir(), "full.db"), now)
	from.live()
	for _, url := range []string{"sqlite:" + filepath.Join(t.TempDir(), "chatd.db"), pgtest.Database(t, nil)} {
		ctx, cancel := context.WithCancel(t.Context())
		err := Copy(ctx, from.url, url, func(c Copied) {
			if c.Table == "messages" {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		if n := rowsOf(t, url); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	}
}

// rowsOf counts the rows of a store.
func rowsOf(t *testing.T, url string) (sum int) {
	t.Helper()
	db, err := Open(t.Context(), url, Options{Listen: NoListen})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, table := range copied {
		var n int
		if err := db.engine.Read().QueryRow(t.Context(), []any{&n}, "SELECT count(*) FROM "+table); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
