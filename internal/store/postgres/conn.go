package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// acquire returns a connection of the pool. It waits as long as the caller does, and no longer than connectTimeout.
func (e *engine) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c, err := e.pool.Acquire(limited)
	switch {
	case err == nil:
		return c, nil
	case e.closed.Load():
		return nil, sqldb.ErrClosed
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		return nil, &sqldb.UnavailableError{Cause: err}
	}
}

// detach returns the context for what is sent to the database, which is finished also when the caller has gone: pgx would
// close the connection, and leave open what became of a write.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), sqldb.TimeLimit(ctx))
}

// poolConn is a sqldb.Conn whose statements run outside a transaction, each on a connection of the pool.
type poolConn struct{ e *engine }

// Dialect implements sqldb.Conn.
func (p poolConn) Dialect() *sqldb.Dialect { return dialect }

// Exec implements sqldb.Conn.
func (p poolConn) Exec(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = p.use(ctx, func(ctx context.Context, c *pgx.Conn) error {
		tag, err := c.Exec(ctx, sql, args...)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// QueryRow implements sqldb.Conn.
func (p poolConn) QueryRow(ctx context.Context, dest []any, sql string, args ...any) error {
	return scanOne(dest, func(scan func(sqldb.Row) error) error { return p.Query(ctx, scan, sql, args...) })
}

// Query asks a second time when the connection was lost before a row came: after a restart of the database, all connections
// of the pool are dead.
func (p poolConn) Query(ctx context.Context, scan func(sqldb.Row) error, sql string, args ...any) error {
	scanned := false
	query := func(ctx context.Context, c *pgx.Conn) error {
		rows, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func(row sqldb.Row) error {
			scanned = true
			return scan(row)
		})
	}
	err := p.use(ctx, query)
	if unavailable := (*sqldb.UnavailableError)(nil); errors.As(err, &unavailable) && unavailable.ConnLost && !scanned {
		err = p.use(ctx, query)
	}
	return err
}

// use runs do on a connection.
func (p poolConn) use(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	c, err := p.e.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	ctx, cancel := detach(ctx)
	defer cancel()
	return classify(c.Conn(), do(ctx, c.Conn()))
}

// scanAll reads all rows and closes them.
func scanAll(rows pgx.Rows, scan func(sqldb.Row) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanOne scans the only row of a query. It reads to the end, since pgx reports some errors only there.
func scanOne(dest []any, query func(scan func(sqldb.Row) error) error) error {
	found := false
	err := query(func(r sqldb.Row) error {
		if found {
			return nil
		}
		found = true
		return r.Scan(dest...)
	})
	if err == nil && !found {
		return sqldb.ErrNoRow
	}
	return err
}
