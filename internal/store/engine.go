package store

import (
	"context"
	"errors"
)

// conn runs statements, on their own or inside a transaction. SQL uses $1 parameters.
type conn interface {
	// exec runs a statement and returns how many rows it changed.
	exec(ctx context.Context, sql string, args ...any) (int64, error)
	// one scans the only row, or answers errNoRow.
	one(ctx context.Context, dest []any, sql string, args ...any) error
	// each calls scan for every row; what scan does with its argument is done before the next row is read.
	each(ctx context.Context, scan func(row) error, sql string, args ...any) error
}

type row interface{ Scan(dest ...any) error }

var errNoRow = errors.New("no row")

// engine is a database.
type engine interface {
	// read returns a conn for statements outside a transaction.
	read() conn
	// write runs do in a transaction and returns when it is durable. do may run more than once, on a clean slate each
	// time; when it fails nothing of it stays. A context that ends before do began cancels it, later ones do not.
	write(ctx context.Context, do func(conn) error) error
	// ready reports whether the database answers.
	ready(ctx context.Context) error
	// name is the folder of the engine's migrations.
	name() string
	close() error
}
