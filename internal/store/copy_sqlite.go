package store

import (
	"context"
	"errors"
	"iter"
)

// snapshot reads on a connection of its own: all that a transaction reads is as it was when it began.
func (e *sqlite) snapshot(ctx context.Context, do func(conn) error) (err error) {
	on, err := e.pools[len(e.pools)-1].Conn(ctx)
	if err != nil {
		return err
	}
	c := newStatements(on)
	defer func() { err = errors.Join(err, c.close()) }()
	if _, err := c.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	err = do(c)
	_, end := c.exec(ctx, "ROLLBACK")
	return errors.Join(err, end)
}

func (e *sqlite) load(ctx context.Context, do func(loader) error) error {
	return e.write(ctx, func(conn) error { return do(e.writer) })
}

func (s *statements) fill(ctx context.Context, table string, columns []field, rows iter.Seq2[[]any, error]) error {
	sql := "INSERT INTO " + table + " (" + names(columns) + ") VALUES ($1" + positions(2, len(columns)) + ")"
	for values, err := range rows {
		if err != nil {
			return err
		}
		if _, err := s.exec(ctx, sql, values...); err != nil {
			return err
		}
	}
	return nil
}
