package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	driver "modernc.org/sqlite" // registers itself as "sqlite"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// engine is the embedded engine. One connection writes; a file is read through connections of their own, a database in
// memory through the one that writes, since it exists in that connection only.
type engine struct {
	log    *slog.Logger
	path   string   // empty: in memory
	lock   *os.File // of the only server of a file; nil for others
	writer *statements
	mu     sync.Mutex // held during a transaction, and in memory during each read
	reader *reader
	pools  []*sql.DB
	queue  *sqldb.Committer[*job]
}

// job is one write that waits for its turn.
type job struct {
	ctx  context.Context
	do   func(sqldb.Tx) error
	err  error
	done chan struct{}
}

func newJob(ctx context.Context, do func(sqldb.Tx) error) *job {
	return &job{ctx: ctx, do: do, done: make(chan struct{})}
}

// Open opens "memory:" or "sqlite:PATH".
func Open(ctx context.Context, url string, o sqldb.Options) (sqldb.Engine, error) {
	path := ""
	if url != "memory:" {
		scheme, rest, _ := strings.Cut(url, ":")
		path = strings.TrimPrefix(rest, "//")
		if scheme != "sqlite" || path == "" || path == ":memory:" { // which is a database for each connection
			return nil, sqldb.ErrURL
		}
		if o.AsIs {
			if _, err := os.Stat(path); err != nil {
				return nil, fmt.Errorf("store file %s: %w", path, reason(err))
			}
		}
	}
	e := &engine{log: o.Log, path: path}
	if path != "" {
		if err := prepareFile(path); err != nil {
			return nil, err
		}
		if o.Server {
			whole, err := filepath.EvalSymlinks(path) // as SQLite names its log
			if err == nil {
				e.lock, err = lockFile(whole + "-lock")
			}
			if err != nil {
				return nil, fmt.Errorf("store file %s: %w", path, reason(err))
			}
		}
	}
	writer, err := e.pool(ctx, path, 1, "")
	if err != nil {
		return nil, err
	}
	only, err := writer.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), e.closePools())
	}
	e.writer = newStatements(only)
	e.reader = &reader{e: e, on: e.writer, turns: true}
	if path != "" {
		reads, err := e.pool(ctx, path, max(4, runtime.GOMAXPROCS(0)), "&_pragma=query_only(1)")
		if err != nil {
			return nil, errors.Join(err, e.closePools())
		}
		e.reader = &reader{e: e, on: newStatements(reads)}
	}
	e.queue = sqldb.NewCommitter(e.commit)
	return e, nil
}

var errLocked = errors.New("another chatd server has it open; a file is for one server, several need Postgres")

// prepareFile makes a new file readable by its owner alone, as signing keys are in it; the log beside it gets the same
// permissions from SQLite. It says in one line what is wrong with a path, where the driver would only say "unable to open".
func prepareFile(path string) error {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("store file %s: %w", path, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("store file %s: %s is not a folder", path, filepath.Dir(path))
	}
	// A file that is there is not opened: to close it would drop the locks that a connection of this process holds on it.
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

// reason leaves out of an error of a file the call and the path.
func reason(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func (e *engine) pool(ctx context.Context, path string, size int, more string) (*sql.DB, error) {
	// The transaction of a batch rolls single writes back, for which even memory needs its journal.
	dsn := "file::memory:?_pragma=journal_mode(memory)"
	if path != "" {
		// FULL syncs the log at each commit: an acknowledged write survives the loss of power.
		dsn = "file:" + (&url.URL{Path: filepath.Clean(path)}).EscapedPath() + // of two slashes the second would begin a host
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
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), e.closePools())
	}
	return db, nil
}

// ping opens the first connection. The busy timeout does not cover the switch of a new file to the log, so that processes
// that start together on it have to wait for each other here.
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

func (e *engine) Read() sqldb.Conn { return e.reader }

var dialect = &sqldb.Dialect{
	Name:       "sqlite",
	Columns:    "SELECT name, type FROM pragma_table_info($1)",
	LastNumber: "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = $1 AND $2 <> ''",
	ResetSequence: []string{
		"DELETE FROM sqlite_sequence WHERE name = $1 AND $2 <> '' AND $3 > 0",
		"INSERT INTO sqlite_sequence (name, seq) SELECT $1, $3 WHERE $2 <> ''",
	},
}

// settled has no bound: writes are one after the other, so the order of positions is that of commits.
func (e *engine) Settled(context.Context) (chat.Position, error) { return math.MaxInt64, nil }

// Notify does nothing, since there is no other server.
func (e *engine) Notify() {}

func (e *engine) SingleServer() bool { return true }

// lease is always granted: there is no other node.
func (e *engine) Lease(context.Context, string, time.Duration) (bool, error) { return true, nil }

func (e *engine) Ready(ctx context.Context) error {
	var n int
	return e.reader.QueryRow(ctx, []any{&n}, "SELECT 1")
}

func (e *engine) Write(ctx context.Context, do func(sqldb.Tx) error) error {
	j := newJob(ctx, do)
	if err := e.queue.Add(ctx, j); err != nil {
		return err
	}
	return e.outcome(j)
}

// outcome waits for a job, also when its caller has gone: what became of a write must not be left open.
func (e *engine) outcome(j *job) error {
	<-j.done
	return e.explain(j.err)
}

// explain tells what concerns the file as a whole from what is wrong with one statement.
func (e *engine) explain(err error) error {
	var answer *driver.Error
	if !errors.As(err, &answer) {
		return err
	}
	var what error
	switch answer.Code() & 0xff {
	case 13: // SQLITE_FULL
		what = sqldb.ErrFull
	case 10: // SQLITE_IOERR, which a full disk answers too when it has no room for the log's index
		what = errors.New("the disk of the store fails")
	case 5, 8: // SQLITE_BUSY: another process writes for seconds; SQLITE_READONLY
		what = errors.New("the store cannot be written to")
	default:
		return err
	}
	return &sqldb.UnavailableError{Cause: fmt.Errorf("%w: %s: %w", what, e.path, err)}
}

// commit applies a batch. When the transaction as a whole fails, each write is tried again by itself, so that one bad
// write fails alone.
func (e *engine) commit(batch []*job) {
	if err := e.transact(batch); err != nil {
		for _, j := range batch {
			if len(batch) > 1 {
				err = e.transact([]*job{j})
			}
			if err != nil {
				j.err = err
			}
		}
	}
	for _, j := range batch {
		close(j.done)
	}
}

func (e *engine) transact(batch []*job) error {
	ctx := context.Background()
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.writer.Exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		if err := e.attempt(ctx, j); err != nil {
			_, undo := e.writer.Exec(ctx, "ROLLBACK")
			return errors.Join(err, undo)
		}
	}
	if _, err := e.writer.Exec(ctx, "COMMIT"); err != nil {
		_, undo := e.writer.Exec(ctx, "ROLLBACK")
		return errors.Join(err, undo)
	}
	return nil
}

// attempt runs one write inside the transaction; its failure undoes it alone. An error returned is one of the
// transaction.
func (e *engine) attempt(ctx context.Context, j *job) error {
	if _, err := e.writer.Exec(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	if j.err = sqldb.Guard(e.log, e.writer, j.do); j.err != nil {
		if _, err := e.writer.Exec(ctx, "ROLLBACK TO one"); err != nil {
			return errors.Join(j.err, err) // a full disk, for one, ends the transaction by itself
		}
	}
	_, err := e.writer.Exec(ctx, "RELEASE one")
	return err
}

func (e *engine) Close() error {
	if !e.queue.Close() {
		return nil
	}
	return errors.Join(e.writer.close(), e.closePools())
}

func (e *engine) closePools() error {
	var err error
	for _, p := range e.pools {
		err = errors.Join(err, p.Close())
	}
	if e.lock != nil {
		err = errors.Join(err, e.lock.Close())
	}
	return err
}

// reader runs statements outside a transaction, until the engine is closed. In memory they take turns with the
// transactions, which have the same connection.
type reader struct {
	e     *engine
	on    *statements
	turns bool
}

// enter answers nil when leave has to be called.
func (o *reader) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := o.e.queue.Enter(); err != nil {
		return err
	}
	if o.turns {
		o.e.mu.Lock()
	}
	return nil
}

func (o *reader) leave() {
	if o.turns {
		o.e.mu.Unlock()
	}
	o.e.queue.Leave()
}

func (o *reader) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if err := o.enter(ctx); err != nil {
		return 0, err
	}
	defer o.leave()
	n, err := o.on.Exec(ctx, sql, args...)
	return n, o.e.explain(err)
}

func (o *reader) Dialect() *sqldb.Dialect { return dialect }

func (o *reader) QueryRow(ctx context.Context, dest []any, sql string, args ...any) error {
	if err := o.enter(ctx); err != nil {
		return err
	}
	defer o.leave()
	return o.e.explain(o.on.QueryRow(ctx, dest, sql, args...))
}

func (o *reader) Query(ctx context.Context, scan func(sqldb.Row) error, sql string, args ...any) error {
	if err := o.enter(ctx); err != nil {
		return err
	}
	defer o.leave()
	return o.e.explain(o.on.Query(ctx, scan, sql, args...))
}
