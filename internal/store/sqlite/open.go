package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	driver "modernc.org/sqlite" // registers itself as "sqlite"

	"github.com/chatd/chatd/internal/store/sqldb"
)

const memoryURL = "memory:"

// Open opens "memory:", a new database that ends with the process, or "sqlite:PATH", a file.
func Open(ctx context.Context, url string, o sqldb.Options) (sqldb.Engine, error) {
	e := &engine{log: o.Log}
	if url != memoryURL {
		var err error
		if e.path, err = pathOf(url); err != nil {
			return nil, err
		}
		if e.lock, err = openFile(e.path, o); err != nil {
			return nil, err
		}
	}
	writes, err := e.pool(ctx, 1, "")
	if err != nil {
		return nil, err
	}
	conn, err := writes.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", e.path, err), e.closePools())
	}
	e.writer = newStatements(conn)
	e.reader = &reader{e: e, on: e.writer, turns: true}
	if e.path != "" {
		reads, err := e.pool(ctx, max(4, runtime.GOMAXPROCS(0)), "&_pragma=query_only(1)")
		if err != nil {
			return nil, errors.Join(err, e.closePools())
		}
		e.reader = &reader{e: e, on: newStatements(reads)}
	}
	e.committer = sqldb.NewCommitter(e.commit)
	return e, nil
}

// pathOf returns the path in a URL sqlite:PATH, where two slashes before it are accepted.
func pathOf(url string) (string, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	path := strings.TrimPrefix(rest, "//")
	if scheme != "sqlite" || path == "" || path == ":memory:" { // to SQLite, a database for each connection
		return "", sqldb.ErrURL
	}
	return path, nil
}

// openFile makes the file if it may, and for a server takes its lock.
func openFile(path string, o sqldb.Options) (lock *os.File, err error) {
	if o.AsIs {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("store file %s: %w", path, reason(err))
		}
	}
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	if o.Server {
		resolved, err := filepath.EvalSymlinks(path) // as SQLite names its log
		if err == nil {
			lock, err = lockFile(resolved + "-lock")
		}
		if err != nil {
			return nil, fmt.Errorf("store file %s: %w", path, reason(err))
		}
	}
	return lock, nil
}

var errLocked = errors.New("another chatd server has it open; a file is for one server, several need Postgres")

// prepareFile makes a new file that only its owner may read, as signing keys are in it; SQLite gives the log beside it the same
// permissions. It says in one line what is wrong with a path, where the driver says only "unable to open".
func prepareFile(path string) error {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("store file %s: %w", path, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("store file %s: %s is not a folder", path, filepath.Dir(path))
	}
	// A file that exists is not opened: closing it would drop the locks that a connection of this process holds on it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("store file %s: %w: its folder has to be writable for user %d, by which chatd runs", path, reason(err), os.Getuid())
	case err != nil:
		return fmt.Errorf("store file %s: %w", path, reason(err))
	}
	return f.Close()
}

// reason leaves the call and the path out of an error of a file.
func reason(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// pool opens connections to the database, with more parameters for the driver.
func (e *engine) pool(ctx context.Context, size int, more string) (*sql.DB, error) {
	// Savepoints are rolled back by the rollback journal, which is why even memory has one.
	dsn := "file::memory:?_pragma=journal_mode(memory)"
	if e.path != "" {
		// FULL syncs the log at each commit: an acknowledged write survives the loss of power.
		dsn = "file:" + (&url.URL{Path: filepath.Clean(e.path)}).EscapedPath() + // after two slashes would come a host
			"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)" + more
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	e.pools = append(e.pools, db)
	if err := ping(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", e.path, err), e.closePools())
	}
	return db, nil
}

// ping opens the first connection. SQLite's busy timeout does not cover the switch of a new file to the write-ahead log, so
// processes that start together on a new file have to wait for each other here.
func ping(ctx context.Context, db *sql.DB) error {
	const busy = 5 // SQLITE_BUSY
	for wait := time.Millisecond; ; wait *= 2 {
		err := db.PingContext(ctx)
		var e *driver.Error
		if !errors.As(err, &e) || e.Code()&0xff != busy || wait > time.Second {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
