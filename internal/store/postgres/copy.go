package postgres

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/internal/store/sqldb"
)

func (e *engine) Snapshot(ctx context.Context, do func(sqldb.Conn) error) error {
	return e.atLength(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", func(tx *transaction) error { return do(tx) })
}

func (e *engine) Load(ctx context.Context, tables []string, do func(sqldb.Loader) error) error {
	return e.atLength(ctx, begin, func(tx *transaction) error {
		tx.queue("LOCK TABLE " + strings.Join(tables, ", ") + " IN EXCLUSIVE MODE")
		return do(tx)
	})
}

// atLength runs a transaction once, without the limits that transact has.
func (e *engine) atLength(ctx context.Context, begin string, do func(*transaction) error) error {
	c, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // which closes a connection that is still in a transaction
	tx := &transaction{ctx: ctx, on: c.Conn()}
	tx.queue(begin)
	tx.queue("SELECT set_config('idle_in_transaction_session_timeout', '0', true), set_config('statement_timeout', '0', true), set_config('lock_timeout', '5s', true)")
	if err = do(tx); err == nil {
		tx.queue("COMMIT")
		err = tx.flush()
	}
	if err != nil && !tx.on.IsClosed() && tx.on.PgConn().TxStatus() != 'I' {
		_, undo := tx.on.Exec(ctx, "ROLLBACK")
		err = errors.Join(err, undo)
	}
	return err
}

func (t *transaction) Fill(ctx context.Context, table string, columns []string, rows iter.Seq2[[]any, error]) error {
	if t.queued != nil {
		if err := t.flush(); err != nil {
			return err
		}
	}
	next, stop := iter.Pull2(rows)
	defer stop()
	var broken error // the server is told of it, and says only that it was
	_, err := t.on.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		values, err, more := next()
		if !more {
			return nil, nil
		}
		broken = err
		return values, err
	}))
	if broken != nil {
		return broken
	}
	return explain(t.on, err)
}
