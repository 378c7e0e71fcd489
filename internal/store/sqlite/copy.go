package sqlite

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// Snapshot reads on a connection of its own, in a transaction: all that it reads is as it was when the transaction began. A
// database in memory has no other connection and cannot do it.
func (e *engine) Snapshot(ctx context.Context, do func(sqldb.Conn) error) (err error) {
	on, err := e.pools[len(e.pools)-1].Conn(ctx)
	if err != nil {
		return err
	}
	c := newStatements(on)
	defer func() { err = errors.Join(err, c.close()) }()
	if _, err := c.Exec(ctx, "BEGIN"); err != nil {
		return err
	}
	err = do(c)
	_, end := c.Exec(ctx, "ROLLBACK")
	return errors.Join(err, end)
}

// Load implements sqldb.Engine. Nothing else is written meanwhile.
func (e *engine) Load(ctx context.Context, _ []string, do func(sqldb.Loader) error) error {
	return e.Write(ctx, func(sqldb.Tx) error { return do(e.writer) })
}

// Fill implements sqldb.Loader.
func (s *statements) Fill(ctx context.Context, table string, columns []string, rows iter.Seq2[[]any, error]) error {
	sql := "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ($1" + sqldb.Placeholders(2, len(columns)) + ")"
	for values, err := range rows {
		if err != nil {
			return err
		}
		if _, err := s.Exec(ctx, sql, values...); err != nil {
			return err
		}
	}
	return nil
}
