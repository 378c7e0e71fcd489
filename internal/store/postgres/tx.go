package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// limits keep a transaction whose node is frozen from holding its locks, and those who wait for a lock from waiting for
// ever. They are set in the transaction since a pooler may give each one another connection.
const limits = `SELECT set_config('idle_in_transaction_session_timeout', '3s', true), set_config('lock_timeout', $1, true),
	set_config('statement_timeout', $2, true)`

// lockTime is how long a transaction waits for a lock. Locks are held for some round trips, by a frozen node for 3 s.
const lockTime = 5 * time.Second

// write runs do in a transaction of its own. It is tried again when it certainly did nothing; a connection that is lost
// while it commits leaves open what became of it, which the caller is told as Unavailable.
func (e *engine) Write(ctx context.Context, do func(sqldb.Tx) error) error {
	const attempts = 3
	for n := 1; ; n++ {
		err := e.transact(ctx, do)
		if err == nil || n == attempts || !harmless(err) {
			return err
		}
	}
}

func (e *engine) transact(ctx context.Context, do func(sqldb.Tx) error) error {
	c, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // which closes a connection that is still in a transaction
	ctx, cancel := begun(ctx)
	defer cancel()
	tx := &transaction{ctx: ctx, on: c.Conn()}
	tx.queue(begin)
	long := sqldb.TimeLimit(ctx)
	tx.queue(limits, milliseconds(max(lockTime, long-sqldb.DefaultTimeLimit)), milliseconds(long))
	err = sqldb.Guard(e.log, tx, do)
	if err == nil {
		tx.queue("COMMIT")
		err = tx.flush()
	}
	if err != nil && !tx.on.IsClosed() && tx.on.PgConn().TxStatus() != 'I' {
		_, undo := tx.on.Exec(ctx, "ROLLBACK")
		err = errors.Join(err, undo)
	}
	return err
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// transaction is a sqldb.Tx. It sends what may be sent later together with the next statement whose answer is wanted,
// so that a transaction takes as many round trips as it has answers to wait for, and one for all that it writes in the
// end.
type transaction struct {
	ctx    context.Context
	on     *pgx.Conn
	queued *pgx.Batch
}

func (t *transaction) Dialect() *sqldb.Dialect { return dialect }

func (t *transaction) queue(sql string, args ...any) {
	if t.queued == nil {
		t.queued = &pgx.Batch{}
	}
	t.queued.Queue(sql, args...)
}

// send sends what is queued; last, if not nil, reads the answer of the last statement.
func (t *transaction) send(last func(pgx.BatchResults) error) error {
	n := t.queued.Len()
	results := t.on.SendBatch(t.ctx, t.queued)
	t.queued = nil
	var err error
	for i := 0; i < n && err == nil; i++ {
		if i == n-1 && last != nil {
			err = last(results)
		} else {
			_, err = results.Exec()
		}
	}
	if end := results.Close(); err == nil {
		err = end
	}
	return explain(t.on, err)
}

func (t *transaction) flush() error { return t.send(nil) }

func (t *transaction) Queue(_ context.Context, sql string, args ...any) error {
	t.queue(sql, args...)
	return nil
}

func (t *transaction) Exec(_ context.Context, sql string, args ...any) (n int64, err error) {
	t.queue(sql, args...)
	err = t.send(func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

func (t *transaction) QueryRow(ctx context.Context, dest []any, sql string, args ...any) error {
	return scanOne(dest, func(scan func(sqldb.Row) error) error { return t.Query(ctx, scan, sql, args...) })
}

func (t *transaction) Query(_ context.Context, scan func(sqldb.Row) error, sql string, args ...any) error {
	t.queue(sql, args...)
	return t.send(func(r pgx.BatchResults) error {
		rows, err := r.Query()
		if err != nil {
			return err
		}
		return scanAll(rows, scan)
	})
}

// explain tells what concerns the database as a whole from what is wrong with one statement.
func explain(on *pgx.Conn, err error) error {
	var answer *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case on.IsClosed():
		return &sqldb.UnavailableError{Cause: err, ConnLost: true}
	case errors.As(err, &answer) && answer.Code == "53100":
		return &sqldb.UnavailableError{Cause: fmt.Errorf("%w: %w", sqldb.ErrFull, err)}
	case errors.As(err, &answer) && (troubles[answer.Code] || troubles[answer.Code[:2]]):
		return &sqldb.UnavailableError{Cause: err}
	default:
		return err
	}
}

// troubles are those of the codes and classes of codes in appendix A of Postgres's manual that concern the whole database,
// or go by by themselves.
var troubles = map[string]bool{
	"08":    true, // connection exception
	"25006": true, // read-only transaction
	"25P03": true, // idle in transaction for too long: this process was frozen
	"25P04": true, // transaction timeout
	"40001": true, // serialization failure
	"40P01": true, // deadlock
	"53":    true, // insufficient resources: disk full, out of memory, too many connections
	"55P03": true, // a lock was waited for too long
	"57":    true, // operator intervention: shutdown, crash of another backend, cancelled or too long
	"58":    true, // error of the system: input and output
}

// harmless tells of an error that nothing was done, and that it may go better at once.
func harmless(err error) bool {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		switch answer.Code {
		case "40001", "40P01", "25P03":
			return true
		}
		return false
	}
	return pgconn.SafeToRetry(err)
}
