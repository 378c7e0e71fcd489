package store

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// openServer opens the engine on a database, without migrating it.
func openServer(t *testing.T, url string) sqldb.Engine {
	t.Helper()
	e, err := openEngine(t.Context(), url, sqldb.Options{Log: slog.New(slog.DiscardHandler), Wake: func() {}, Listen: NoListen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// Nodes may start together on an empty database.
func TestPostgresMigrateTogether(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t, nil)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			db, err := Open(t.Context(), url, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := db.Head(t.Context()); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestPostgresMigrateRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, do string // to a store of today
		want     []string
	}{
		{"a file that was changed", "UPDATE schema_migrations SET checksum = 'other'", []string{"0001_init", "changed"}},
		{"a store of a newer chatd", "INSERT INTO schema_migrations (version, name, checksum, applied_on) VALUES (99, '0099_later', '', 0)", []string{"schema 99", "newer chatd"}},
		{"a newer store with other files", "UPDATE schema_migrations SET version = 99 WHERE version = (SELECT max(version) FROM schema_migrations)", []string{"schema 99"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Database(t, nil)
			db, err := Open(t.Context(), url, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.engine.Write(t.Context(), insert(c.do)), db.Close()); err != nil {
				t.Fatal(err)
			}
			db, err = Open(t.Context(), url, Options{})
			if err == nil {
				t.Fatalf("it was opened; closing it: %v", db.Close())
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error is %q, want one line that says %q", err, want)
				}
			}
		})
	}
}

// A migration may take longer than a node waits for anything else; the others wait for it.
func TestPostgresMigrationIsWaitedFor(t *testing.T) {
	t.Parallel()
	e := openServer(t, pgtest.Database(t, nil))
	if err := migrate(t.Context(), e, time.Now()); err != nil {
		t.Fatal(err)
	}
	ctx := sqldb.WithTimeLimit(t.Context(), migrationTimeLimit)
	var long string
	err := e.Write(ctx, func(c sqldb.Tx) error {
		return c.QueryRow(ctx, []any{&long}, "SELECT current_setting('statement_timeout') || ' ' || current_setting('lock_timeout')")
	})
	if err != nil || long != "30min 1790s" {
		t.Errorf("limits are %s (%v), want half an hour", long, err)
	}
}

// A user who may only read and write rows can run chatd on a schema that another user migrated.
func TestPostgresNeedsNoRightToMigrate(t *testing.T) {
	t.Parallel()
	address := pgtest.Database(t, nil)
	e := openServer(t, address)
	if err := migrate(t.Context(), e, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		`DO $$ BEGIN CREATE ROLE chatd_limited LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
		"REVOKE CREATE ON SCHEMA public FROM public",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO chatd_limited",
		"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO chatd_limited",
	} {
		if _, err := e.Read().Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _, _ = e.Read().Exec(context.Background(), "DROP OWNED BY chatd_limited") })
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		t.Skip("the server is not named by a URL with a user")
	}
	u.User = url.User("chatd_limited")
	db, err := Open(t.Context(), u.String(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Secret(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := db.After(t.Context(), 0, 1); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// Both engines keep the same, but for leases, which one process alone does not need.
func TestEnginesHaveTheSameColumns(t *testing.T) {
	t.Parallel()
	columns := func(e sqldb.Engine, sql string) (out []string) {
		if err := migrate(t.Context(), e, time.Now()); err != nil {
			t.Fatal(err)
		}
		err := e.Read().Query(t.Context(), func(r sqldb.Row) error {
			var table, column string
			err := r.Scan(&table, &column)
			out = append(out, table+"."+column)
			return err
		}, sql)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(out)
		return out
	}
	a := columns(openServer(t, pgtest.Database(t, nil)), "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'leases'")
	b := columns(openFile(t, ""), "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'")
	if !slices.Equal(a, b) {
		t.Errorf("Postgres has %v\nSQLite has %v", a, b)
	}
}
