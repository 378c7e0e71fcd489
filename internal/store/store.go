package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/postgres"
	"github.com/chatd/chatd/internal/store/sqldb"
	"github.com/chatd/chatd/internal/store/sqlite"
)

// Options of a DB. All may be left out.
type Options struct {
	Log *slog.Logger
	// Observe is called after each operation with its name, such as "post", and how long it took.
	Observe func(operation string, took time.Duration)
	// Listen is the URL of Postgres by which notifications of other nodes are received; empty: that of the store. Where that
	// leads to a pooler in transaction mode, Listen has to lead past it, or be NoListen.
	Listen string
	// Async lets Postgres acknowledge a write before it is on disk: if its machine stops, the writes of the last hundreds of
	// milliseconds are lost. Other engines ignore it.
	Async bool
	// AsIs refuses a file that does not exist and a schema of another version, which otherwise would be made or migrated. It is
	// for commands that run beside a server. A store in memory ignores it.
	AsIs bool
	// Server is set by a process that serves clients. Only one may do so with a file at a time: Open refuses a second one.
	// Commands may read and write the file beside it.
	Server bool
	// Endpoints is how many endpoints a user may have; 0: any number. Beyond that the least recently seen are removed.
	Endpoints int
}

// NoListen as Options.Listen turns notifications of other nodes off. Readers of the journal then have to poll for what those
// write.
const NoListen = sqldb.NoListen

// DB is an open store. It implements chat.Store, auth.KeyStore and auth.UserStore. It is safe for concurrent use.
type DB struct {
	engine  sqldb.Engine
	log     *slog.Logger
	observe func(string, time.Duration)
	quota   int // Options.Endpoints

	watchers watchers
	failing  atomic.Bool // a write failed for a reason that concerns all, and Ready has not found since that it has gone

	// Caches: see Clear.
	recent recent
	pages  pages
	newest atomic.Int64 // position of the journal that After has returned
}

// ErrFull is in the errors of writes for which the disk has no room.
var ErrFull = sqldb.ErrFull

// Open opens the store of a URL and migrates its schema to that of this version. "memory:" is a store that ends with the
// process, "sqlite:PATH" one in a file, "postgres://…" one that several nodes may share. An error is one line and leaves out
// passwords.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration) {}
	}
	db := &DB{observe: o.Observe, log: o.Log, quota: o.Endpoints}
	e, err := openEngine(ctx, url, sqldb.Options{Log: o.Log, Wake: db.watchers.wake, Listen: o.Listen, Async: o.Async, AsIs: o.AsIs, Server: o.Server})
	if err != nil {
		return nil, err
	}
	db.engine = e
	if o.AsIs && e.Durable() {
		err = checkCurrent(ctx, e)
	} else {
		err = migrate(ctx, e, time.Now())
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return db, nil
}

// engines are the functions that open a database, by the scheme of its URL. Another engine is another line.
var engines = map[string]func(ctx context.Context, url string, o sqldb.Options) (sqldb.Engine, error){
	"memory":     sqlite.Open,
	"sqlite":     sqlite.Open,
	"postgres":   postgres.Open,
	"postgresql": postgres.Open,
}

func openEngine(ctx context.Context, url string, o sqldb.Options) (sqldb.Engine, error) {
	scheme, _, _ := strings.Cut(url, ":")
	open := engines[scheme]
	if open != nil {
		e, err := open(ctx, url, o)
		if !errors.Is(err, sqldb.ErrURL) {
			return e, err
		}
	}
	// A URL may hold a secret, and where is not known when it cannot be understood.
	return nil, fmt.Errorf("store %q: want memory:, sqlite:PATH or postgres://…", scheme)
}

// Ready reports whether the store answers. After a write has failed for a reason that concerns all writes, such as a full disk,
// Ready also writes, so that it fails until writes succeed again.
func (db *DB) Ready(ctx context.Context) error {
	err := db.engine.Ready(ctx)
	if err == nil && db.failing.Load() {
		if err = db.engine.Write(ctx, testWrite(ctx)); err == nil && db.failing.Swap(false) {
			db.log.Info("the store can be written to again")
		}
	}
	return translate("ready", err)
}

// testWrite writes as much as a large message takes, and removes it.
func testWrite(ctx context.Context) func(sqldb.Tx) error {
	return func(tx sqldb.Tx) error {
		name, value := "test "+rand.Text(), make([]byte, 64<<10)
		rand.Read(value) // Postgres would compress zeros
		if err := tx.Queue(ctx, "INSERT INTO secrets (name, value) VALUES ($1, $2)", name, value); err != nil {
			return err
		}
		return tx.Queue(ctx, "DELETE FROM secrets WHERE name = $1", name)
	}
}

// noteFailure remembers that a write failed for a reason that concerns all writes. It logs the first such failure.
func (db *DB) noteFailure(operation string, err error) {
	if unavailable := (*sqldb.UnavailableError)(nil); errors.As(err, &unavailable) && !db.failing.Swap(true) {
		db.log.Error("the store cannot be written to", "operation", operation, "error", sqldb.OneLine(err))
	}
}

// Clear empties all caches of the store, which ARCHITECTURE.md lists. It is for who changes the database by other means than
// this DB, such as a reset or an import. Requests that are under way may put back what they have read before.
func (db *DB) Clear() {
	db.recent.clear()
	db.pages.clear()
	db.newest.Store(0)
}

// Close waits for the writes that are under way and closes the store. It may be called twice. Operations fail after it, with an
// error of kind Unavailable.
func (db *DB) Close() error { return db.engine.Close() }

// Secret returns 32 random bytes by their name. They are made at the first call, by whichever node that is, and stay the same.
func (db *DB) Secret(ctx context.Context, name string) ([]byte, error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	var kept []byte
	err := db.write(ctx, "secret", func(c sqldb.Tx) error {
		if err := c.Queue(ctx, "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, fresh); err != nil {
			return err
		}
		return c.QueryRow(ctx, []any{&kept}, "SELECT value FROM secrets WHERE name = $1", name)
	})
	return kept, err
}

// Lease reports whether this node is to do what only one of all nodes may do now, such as the sweep. If so, the other nodes are
// refused until the duration has passed. There is no way to give a lease back.
func (db *DB) Lease(ctx context.Context, name string, d time.Duration) (bool, error) {
	granted, err := db.engine.Lease(ctx, name, d)
	return granted, translate("lease", err)
}

// write runs a transaction, observes how long it took, and translates its error.
func (db *DB) write(ctx context.Context, operation string, do func(sqldb.Tx) error) error {
	start := time.Now()
	err := db.engine.Write(ctx, do)
	db.observe(operation, time.Since(start))
	db.noteFailure(operation, err)
	return translate(operation, err)
}

// publish is a write that adds events to the journal.
func (db *DB) publish(ctx context.Context, operation string, do func(sqldb.Tx) error) error {
	start := time.Now()
	return db.published(operation, start, db.engine.Write(ctx, do))
}

// published ends a write that adds events: if it succeeded, it wakes the readers of the journal, here and on other nodes.
func (db *DB) published(operation string, start time.Time, err error) error {
	db.observe(operation, time.Since(start))
	db.noteFailure(operation, err)
	if err == nil {
		db.notify()
	}
	return translate(operation, err)
}

// notify wakes the readers of the journal, here and on other nodes.
func (db *DB) notify() {
	db.watchers.wake()
	db.engine.Notify()
}

// read runs statements outside a transaction, otherwise as write does.
func (db *DB) read(operation string, do func(sqldb.Conn) error) error {
	start := time.Now()
	err := do(db.engine.Read())
	db.observe(operation, time.Since(start))
	return translate(operation, err)
}

// translate makes errors of a driver *chat.Error that name the operation. Other packages see no driver's errors.
func translate(operation string, err error) error {
	var known *chat.Error
	var unavailable *sqldb.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		return &chat.Error{Kind: chat.Unavailable, Reason: operation + ": the store is not available", Cause: err}
	case err == nil, errors.As(err, &known), errors.Is(err, chat.ErrStale),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, sqldb.ErrNoRow):
		return &chat.Error{Kind: chat.NotFound, Reason: operation + ": no such row"}
	case errors.Is(err, sqldb.ErrClosed):
		return &chat.Error{Kind: chat.Unavailable, Reason: operation + ": the store is closed", Cause: err}
	default:
		return &chat.Error{Kind: chat.Internal, Reason: operation + ": the store failed", Cause: err}
	}
}
