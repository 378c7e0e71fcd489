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

const (
	// beginSQL makes each statement of a transaction see what is committed when it starts, whatever the server's default is.
	beginSQL = "BEGIN ISOLATION LEVEL READ COMMITTED"

	// limitsSQL keeps the transaction of a node that is frozen from holding its locks, and others from waiting for a lock for
	// ever. It is part of the transaction, since behind a pooler each one may have another connection.
	limitsSQL = `SELECT set_config('idle_in_transaction_session_timeout', '3s', true), set_config('lock_timeout', $1, true),
	set_config('statement_timeout', $2, true)`

	// lockTimeout is how long a transaction waits for a lock. Locks are held for a few round trips; by a frozen node for 3 s.
	lockTimeout = 5 * time.Second
)

// Write runs do in a transaction of its own, and again when that certainly changed nothing. When the connection is lost
// during the commit, the write may have been applied: the error is then an UnavailableError.
func (e *engine) Write(ctx context.Context, do func(sqldb.Tx) error) error {
	const attempts = 3
	for n := 1; ; n++ {
		err := e.transact(ctx, do)
		if err == nil || n == attempts || !retryable(err) {
			return err
		}
	}
}

// transact runs one attempt. Once it has a connection, the end of the caller's context does not stop it: see detach.
func (e *engine) transact(ctx context.Context, do func(sqldb.Tx) error) error {
	c, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // which closes a connection that is still in a transaction
	ctx, cancel := detach(ctx)
	defer cancel()
	tx := &transaction{ctx: ctx, conn: c.Conn()}
	tx.queue(beginSQL)
	limit := sqldb.TimeLimit(ctx)
	tx.queue(limitsSQL, milliseconds(max(lockTimeout, limit-sqldb.DefaultTimeLimit)), milliseconds(limit))
	err = sqldb.Guard(e.log, tx, do)
	return tx.end(ctx, err)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// transaction is a sqldb.Loader. It sends queued statements together with the next one whose answer is needed. So it takes as
// many round trips as there are answers to wait for, and one for all that it writes in the end.
type transaction struct {
	ctx    context.Context
	conn   *pgx.Conn
	queued *pgx.Batch
}

// Dialect implements sqldb.Conn.
func (t *transaction) Dialect() *sqldb.Dialect { return dialect }

// queue is Queue without the error, which cannot occur.
func (t *transaction) queue(sql string, args ...any) {
	if t.queued == nil {
		t.queued = &pgx.Batch{}
	}
	t.queued.Queue(sql, args...)
}

// send sends what is queued. last, if not nil, reads the answer of the last statement.
func (t *transaction) send(last func(pgx.BatchResults) error) error {
	n := t.queued.Len()
	results := t.conn.SendBatch(t.ctx, t.queued)
	t.queued = nil
	var err error
	for i := 0; i < n && err == nil; i++ {
		if i == n-1 && last != nil {
			err = last(results)
		} else {
			_, err = results.Exec()
		}
	}
	if closing := results.Close(); err == nil {
		err = closing
	}
	return classify(t.conn, err)
}

// flush sends what is queued and reads all answers.
func (t *transaction) flush() error { return t.send(nil) }

// end commits, or rolls back when there was an error.
func (t *transaction) end(ctx context.Context, err error) error {
	if err == nil {
		t.queue("COMMIT")
		err = t.flush()
	}
	if err != nil && !t.conn.IsClosed() && t.conn.PgConn().TxStatus() != 'I' { // I: not in a transaction
		_, undo := t.conn.Exec(ctx, "ROLLBACK")
		err = errors.Join(err, undo)
	}
	return err
}

// Queue implements sqldb.Tx.
func (t *transaction) Queue(_ context.Context, sql string, args ...any) error {
	t.queue(sql, args...)
	return nil
}

// Exec implements sqldb.Conn.
func (t *transaction) Exec(_ context.Context, sql string, args ...any) (n int64, err error) {
	t.queue(sql, args...)
	err = t.send(func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// QueryRow implements sqldb.Conn.
func (t *transaction) QueryRow(ctx context.Context, dest []any, sql string, args ...any) error {
	return scanOne(dest, func(scan func(sqldb.Row) error) error { return t.Query(ctx, scan, sql, args...) })
}

// Query implements sqldb.Conn.
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

// classify makes an UnavailableError of what concerns the database as a whole. Errors of single statements pass.
func classify(conn *pgx.Conn, err error) error {
	var answer *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case conn.IsClosed():
		return &sqldb.UnavailableError{Cause: err, ConnLost: true}
	case errors.As(err, &answer) && answer.Code == "53100":
		return &sqldb.UnavailableError{Cause: fmt.Errorf("%w: %w", sqldb.ErrFull, err)}
	case errors.As(err, &answer) && (unavailableCodes[answer.Code] || unavailableCodes[answer.Code[:2]]):
		return &sqldb.UnavailableError{Cause: err}
	default:
		return err
	}
}

// unavailableCodes are the codes and classes of codes, of appendix A of Postgres's manual, that concern the whole database or
// go away without a change of the request.
var unavailableCodes = map[string]bool{
	"08":    true, // connection exception
	"25006": true, // read-only transaction
	"25P03": true, // idle in transaction for too long: this process was frozen
	"25P04": true, // transaction timeout
	"40001": true, // serialization failure
	"40P01": true, // deadlock
	"53":    true, // insufficient resources: disk full, out of memory, too many connections
	"55P03": true, // lock not available: waited for too long
	"57":    true, // operator intervention: shutdown, crash of another backend, cancelled or too long
	"58":    true, // system error: input and output
}

// retryable reports whether the transaction certainly changed nothing, and may succeed when it is run again at once.
func retryable(err error) bool {
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
