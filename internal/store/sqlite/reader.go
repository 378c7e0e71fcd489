package sqlite

import (
	"context"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// reader is a sqldb.Conn for statements outside a transaction, until the engine is closed. In memory they take turns with the
// transactions, which use the same connection.
type reader struct {
	e     *engine
	on    *statements
	turns bool
}

// Dialect implements sqldb.Conn.
func (r *reader) Dialect() *sqldb.Dialect { return dialect }

// enter keeps the engine open, and in memory reserves its connection, until leave is called; or it returns an error.
func (r *reader) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.e.committer.Enter(); err != nil {
		return err
	}
	if r.turns {
		r.e.mu.Lock()
	}
	return nil
}

// leave ends what enter began.
func (r *reader) leave() {
	if r.turns {
		r.e.mu.Unlock()
	}
	r.e.committer.Leave()
}

// Exec implements sqldb.Conn.
func (r *reader) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if err := r.enter(ctx); err != nil {
		return 0, err
	}
	defer r.leave()
	n, err := r.on.Exec(ctx, sql, args...)
	return n, r.e.classify(err)
}

// QueryRow implements sqldb.Conn.
func (r *reader) QueryRow(ctx context.Context, dest []any, sql string, args ...any) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.leave()
	return r.e.classify(r.on.QueryRow(ctx, dest, sql, args...))
}

// Query implements sqldb.Conn.
func (r *reader) Query(ctx context.Context, scan func(sqldb.Row) error, sql string, args ...any) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.leave()
	return r.e.classify(r.on.Query(ctx, scan, sql, args...))
}
