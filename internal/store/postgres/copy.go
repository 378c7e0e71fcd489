package postgres

import (
	"context"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// Snapshot implements sqldb.Engine.
func (e *engine) Snapshot(ctx context.Context, do func(sqldb.Conn) error) error {
	return e.runLong(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", func(tx *transaction) error { return do(tx) })
}

// Load implements sqldb.Engine. Other nodes may read the tables meanwhile.
func (e *engine) Load(ctx context.Context, tables []string, do func(sqldb.Loader) error) error {
	return e.runLong(ctx, beginSQL, func(tx *transaction) error {
		tx.queue("LOCK TABLE " + strings.Join(tables, ", ") + " IN EXCLUSIVE MODE")
		return do(tx)
	})
}

// runLong runs a transaction once and without the time limits of Write: a copy takes as long as its data does.
func (e *engine) runLong(ctx context.Context, begin string, do func(*transaction) error) error {
	c, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release() // which closes a connection that is still in a transaction
	tx := &transaction{ctx: ctx, conn: c.Conn()}
	tx.queue(begin)
	tx.queue("SELECT set_config('idle_in_transaction_session_timeout', '0', true), set_config('statement_timeout', '0', true), set_config('lock_timeout', '5s', true)")
	err = do(tx)
	return tx.end(ctx, err)
}

// Fill implements sqldb.Loader by COPY.
func (t *transaction) Fill(ctx context.Context, table string, columns []string, rows iter.Seq2[[]any, error]) error {
	if t.queued != nil {
		if err := t.flush(); err != nil {
			return err
		}
	}
	next, stop := iter.Pull2(rows)
	defer stop()
	var failed error // of rows: the driver reports only that the client ended the copy
	_, err := t.conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		values, err, more := next()
		if !more {
			return nil, nil
		}
		failed = err
		return values, err
	}))
	if failed != nil {
		return failed
	}
	return classify(t.conn, err)
}
