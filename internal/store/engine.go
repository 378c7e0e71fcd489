package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// conn runs statements, on their own or inside a transaction. SQL uses $1 parameters. A limit is $1 + 0: SQLite looks at the
// value of a bare one when it plans, and so would plan the statement again for each call.
type conn interface {
	// exec runs a statement and returns how many rows it changed.
	exec(ctx context.Context, sql string, args ...any) (int64, error)
	// later is for a statement of whose outcome only an error counts: an engine may send it together with the next one
	// that is waited for, or with the end of the transaction, and report its error there.
	later(ctx context.Context, sql string, args ...any) error
	// one scans the only row, or answers errNoRow.
	one(ctx context.Context, dest []any, sql string, args ...any) error
	// each calls scan for every row; what scan does with its argument is done before the next row is read.
	each(ctx context.Context, scan func(row) error, sql string, args ...any) error
	// words are the engine's own.
	words() *words
}

type row interface{ Scan(dest ...any) error }

// words are the few pieces of SQL that engines say differently. An empty one says that nothing is needed.
type words struct {
	name     string // of the engine, and of the folder of its migrations
	hold     string // ends a SELECT whose rows nobody else may change before the transaction ends
	announce string // statement that comes before the first event of a transaction: see engine.settled
	alone    string // statement that lets only one migration of a database run at a time

	// Of a copy; $1 is a table, $2 its column whose numbers are given by the database.
	columns    string   // query for names and types of columns
	lastNumber string   // query for the last number given, 0: none was
	goOn       []string // statements after which numbers come behind $3
}

var errNoRow = errors.New("no row")

// engine is a database.
type engine interface {
	// read returns a conn for statements outside a transaction.
	read() conn
	// write runs do in a transaction and returns when it is durable. do may run more than once, on a clean slate each
	// time; when it fails nothing of it stays. A context that ends before do began cancels it, later ones do not.
	write(ctx context.Context, do func(conn) error) error
	// settled returns a position of the journal: all events up to it that will ever be there can be read.
	settled(ctx context.Context) (chat.Position, error)
	// announce tells that events were written: wakes whoever reads the journal, on other nodes too.
	announce()
	// lease reports whether this node is to do what only one is to do now, and for how long the others are not to.
	lease(ctx context.Context, name string, d time.Duration) (bool, error)
	// ready reports whether the database answers and can be written to.
	ready(ctx context.Context) error
	close() error
}

// poster is an engine that has a better way to place messages than one by one.
type poster interface {
	post(ctx context.Context, p *chat.Post) (chat.Message, error)
}

// patience is how long a transaction may take where that is not what is usual.
type patience struct{}

// patiently lets the transactions of a context take longer than others.
func patiently(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, patience{}, d)
}

// timeFor is how long a transaction or a statement may take.
func timeFor(ctx context.Context) time.Duration {
	if d, ok := ctx.Value(patience{}).(time.Duration); ok {
		return d
	}
	return workTime
}

// guard turns a panic of a write into its error: an engine serves all.
func guard(log *slog.Logger, tx conn, do func(conn) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("write panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("write panicked: %v", p)
		}
	}()
	return do(tx)
}
