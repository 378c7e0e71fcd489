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
	// Observe is told how long each operation took, by its name.
	Observe func(operation string, took time.Duration)
	// Listen is the URL of Postgres for hearing of what other nodes write; empty: that of the store. Where that one leads to
	// a pooler in transaction mode, it is to be one that does not, or NoListen.
	Listen string
	// Async lets Postgres acknowledge a write that it has not yet on disk: if its machine stops, the last writes of some
	// hundred milliseconds are lost. Other engines take no notice.
	Async bool
	// AsIs refuses a file that is not there and a schema that is not this version's, where else both would be made: for commands
	// that work beside a server. A store in memory takes no notice.
	AsIs bool
	// Server tells that this process serves clients, as only one may from a file at a time: another one is refused. Others
	// may read and write the file beside it.
	Server bool
	// Endpoints is how many endpoints a user may have: of more, those that were not seen for longest are forgotten. 0: any number.
	Endpoints int
}

// NoListen as Options.Listen says that other nodes are not heard of; who reads the journal then finds what they wrote when it
// looks by itself.
const NoListen = sqldb.NoListen

// DB is an open store. It implements chat.Store, auth.KeyStore and auth.UserStore.
type DB struct {
	engine   sqldb.Engine
	observe  func(string, time.Duration)
	watchers watchers
	changed  <-chan struct{} // see Changed
	recent   recent
	pages    pages
	seen     atomic.Int64 // newest position of the journal that was read
	log      *slog.Logger
	quota    int         // Options.Endpoints
	failing  atomic.Bool // a write failed, and none was tried since to see whether the next one would
}

// ErrFull is in the errors of writes for which the disk has no room.
var ErrFull = sqldb.ErrFull

// Open opens the store that the URL names and brings its schema up to date: "memory:" lives as long as the process,
// "sqlite:PATH" in a file, "postgres://…" in a database that several nodes may share.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration) {}
	}
	db := &DB{observe: o.Observe, log: o.Log, quota: o.Endpoints}
	db.changed, _ = db.Watch()
	e, err := openEngine(ctx, url, sqldb.Options{Log: o.Log, Wake: db.watchers.wake, Listen: o.Listen, Async: o.Async, AsIs: o.AsIs, Server: o.Server})
	if err != nil {
		return nil, err
	}
	db.engine = e
	if o.AsIs && url != "memory:" {
		err = current(ctx, e)
	} else {
		err = migrate(ctx, e, time.Now())
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return db, nil
}

// engines are the functions that open a database, by the scheme of its URL.
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

// Ready reports whether the store answers, and whether it can be written to if a write has failed.
func (db *DB) Ready(ctx context.Context) error {
	err := db.engine.Ready(ctx)
	if err == nil && db.failing.Load() {
		if err = db.engine.Write(ctx, tryOut(ctx)); err == nil && db.failing.Swap(false) {
			db.log.Info("the store can be written to again")
		}
	}
	return translate("ready", err)
}

// tryOut writes as much as a large message takes, and removes it.
func tryOut(ctx context.Context) func(sqldb.Tx) error {
	return func(tx sqldb.Tx) error {
		name, value := "try "+rand.Text(), make([]byte, 64<<10)
		rand.Read(value) // zeros would be compressed
		if err := tx.Queue(ctx, "INSERT INTO secrets (name, value) VALUES ($1, $2)", name, value); err != nil {
			return err
		}
		return tx.Queue(ctx, "DELETE FROM secrets WHERE name = $1", name)
	}
}

// note keeps whether a write has failed for a reason that the next one will meet too.
func (db *DB) note(operation string, err error) {
	if gone := (*sqldb.UnavailableError)(nil); errors.As(err, &gone) && !db.failing.Swap(true) {
		db.log.Error("the store cannot be written to", "operation", operation, "error", sqldb.OneLine(err))
	}
}

// Clear empties all caches of the store, which ARCHITECTURE.md lists. It is for who changes the database by other means than
// this DB, such as a reset or an import. Requests that are under way may put back what they have read before.
func (db *DB) Clear() {
	db.recent.clear()
	db.pages.clear()
	db.seen.Store(0)
}

// Close ends the store after the writes that are under way. It may be called twice.
func (db *DB) Close() error { return db.engine.Close() }

// Secret returns 32 random bytes of that name, made at the first call and the same ever after.
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

// Lease reports whether this node is to do what only one of all nodes is to do now. When it is, no other is told so for the
// duration.
func (db *DB) Lease(ctx context.Context, name string, d time.Duration) (bool, error) {
	granted, err := db.engine.Lease(ctx, name, d)
	return granted, translate("lease", err)
}

// write runs a transaction, times it, and translates what the driver says.
func (db *DB) write(ctx context.Context, operation string, do func(sqldb.Tx) error) error {
	start := time.Now()
	err := db.engine.Write(ctx, do)
	db.observe(operation, time.Since(start))
	db.note(operation, err)
	return translate(operation, err)
}

// publish is a write that journals events.
func (db *DB) publish(ctx context.Context, operation string, do func(sqldb.Tx) error) error {
	start := time.Now()
	return db.published(operation, start, db.engine.Write(ctx, do))
}

// published ends a write that journals events: when it was done, the readers of the journal are woken.
func (db *DB) published(operation string, start time.Time, err error) error {
	db.observe(operation, time.Since(start))
	db.note(operation, err)
	if err == nil {
		db.watchers.wake()
		db.engine.Notify()
	}
	return translate(operation, err)
}

// read runs reads outside a transaction, likewise.
func (db *DB) read(operation string, do func(sqldb.Conn) error) error {
	start := time.Now()
	err := do(db.engine.Read())
	db.observe(operation, time.Since(start))
	return translate(operation, err)
}

// translate is the border between drivers and chat: errors of a driver become *chat.Error that name the operation, others
// pass.
func translate(operation string, err error) error {
	var known *chat.Error
	var gone *sqldb.UnavailableError
	switch {
	case errors.As(err, &gone):
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
