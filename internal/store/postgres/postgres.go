// Package postgres is the engine for several nodes, over pgx.
//
// Nodes share nothing but the database, and no node remembers what another has to know: the lock of a thread's row orders
// what they write, and journal.go describes what orders the journal. Posts, of which there are most, are stored in batches by
// posts.go; all else is a transaction each.
package postgres

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// engine implements sqldb.Engine and sqldb.Poster.
type engine struct {
	log      *slog.Logger
	pool     *pgxpool.Pool
	posts    *posts
	notifier *notifier // nil: the other nodes have to poll, and so has this one
	closed   atomic.Bool
}

// dialect locks rows by FOR NO KEY UPDATE, the lock that an UPDATE takes too. Numbers come from the sequences of identity columns.
var dialect = &sqldb.Dialect{
	Name:             "postgres",
	LockClause:       " FOR NO KEY UPDATE",
	AnnouncePosition: announcePosition,
	MigrationLock:    "SELECT pg_advisory_xact_lock(7162266011)", // any number that nothing else uses
	Columns: `SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
		WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped`,
	LastNumber:    "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence($1::text, $2::text)::regclass), 0)",
	ResetSequence: []string{"SELECT setval(pg_get_serial_sequence($1::text, $2::text)::regclass, $3::bigint)"},
}

// SingleServer implements sqldb.Engine.
func (e *engine) SingleServer() bool { return false }

// Durable implements sqldb.Engine.
func (e *engine) Durable() bool { return true }

// Read implements sqldb.Engine.
func (e *engine) Read() sqldb.Conn { return poolConn{e} }

// Ready fails also where the database cannot be written to: on a standby, or one that was set to be read-only.
func (e *engine) Ready(ctx context.Context) error {
	var readOnly bool
	err := e.Read().QueryRow(ctx, []any{&readOnly}, "SELECT current_setting('transaction_read_only')::bool")
	if err == nil && readOnly {
		err = &sqldb.UnavailableError{Cause: errors.New("the database can only be read")}
	}
	return err
}

// Lease goes by the clock of the database, the only one that all nodes share. A lease is not given back: the first node that asks
// after it has ended gets the next one. So a node that is frozen or gone delays the others by no more than d, and no connection
// is held for it, which an advisory lock would need.
func (e *engine) Lease(ctx context.Context, name string, d time.Duration) (granted bool, err error) {
	err = e.Write(ctx, func(tx sqldb.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO leases AS l (name, until)
			SELECT $1, now + $2 FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now) c
			ON CONFLICT (name) DO UPDATE SET until = excluded.until WHERE l.until <= excluded.until - $2`, name, d.Milliseconds())
		granted = n > 0
		return err
	})
	return granted, err
}

// Notify implements sqldb.Engine.
func (e *engine) Notify() {
	if e.notifier != nil {
		e.notifier.notify()
	}
}

// Close implements sqldb.Engine.
func (e *engine) Close() error {
	if !e.closed.Swap(true) {
		if e.notifier != nil {
			e.notifier.stop()
		}
		e.posts.close()
		e.pool.Close()
	}
	return nil
}
