package sqldb

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// Conn runs statements. SQL uses $1 parameters. A limit is written as $1 + 0: SQLite looks at the value of a bare one when it
// plans, and so would plan the statement again for each call.
type Conn interface {
	// Exec runs a statement and returns how many rows it changed.
	Exec(ctx context.Context, sql string, args ...any) (int64, error)
	// QueryRow scans the only row into dest, or returns a bare ErrNoRow.
	QueryRow(ctx context.Context, dest []any, sql string, args ...any) error
	// Query calls scan for every row. The row is valid until scan returns.
	Query(ctx context.Context, scan func(Row) error, sql string, args ...any) error
	Dialect() *Dialect
}

// Tx is a Conn inside a transaction.
type Tx interface {
	Conn
	// Queue is for a statement of which only the error matters. An engine may send it together with the next statement that is
	// waited for, or with the commit, and returns its error there.
	Queue(ctx context.Context, sql string, args ...any) error
}

// Row is one row of a result.
type Row interface{ Scan(dest ...any) error }

// Dialect is the SQL that engines say differently. An empty field means that the engine needs no such statement.
type Dialect struct {
	Name             string // of the engine, and of the folder of its migrations
	LockClause       string // ends a SELECT whose rows no other transaction may change before the transaction ends
	AnnouncePosition string // statement before the first event of a transaction: see Engine.Settled
	MigrationLock    string // statement that lets one migration of a database run at a time

	// For a copy. $1 is a table, $2 its column whose numbers the database gives.
	Columns       string   // query for names and types of the columns
	LastNumber    string   // query for the last number that was given; 0: none
	ResetSequence []string // statements after which new numbers are greater than $3
}

// Engine is a database. Its methods may be called from several goroutines.
type Engine interface {
	// Read returns a Conn for statements outside a transaction.
	Read() Conn
	// Write runs do in a transaction and returns when that is durable. do may run more than once, each time on what was there
	// before; when it fails, nothing of it stays. A context that ends before do has begun cancels it; later it does not, so
	// that the outcome is known.
	Write(ctx context.Context, do func(Tx) error) error
	// Settled returns a position of the journal: all events up to it that will ever be there can be read.
	Settled(ctx context.Context) (chat.Position, error)
	// Notify tells the other servers of the database that events were written.
	Notify()
	// Lease reports whether this server is to do what only one may do now. If so, the others are refused for the duration.
	Lease(ctx context.Context, name string, d time.Duration) (bool, error)
	// SingleServer reports whether no other server can have the database at the same time.
	SingleServer() bool
	// Durable reports whether what was written outlives the process.
	Durable() bool
	// Ready reports whether the database answers and can be written to.
	Ready(ctx context.Context) error
	// Snapshot runs do on what the database holds at one moment, however long do takes.
	Snapshot(ctx context.Context, do func(Conn) error) error
	// Load runs do in one transaction, during which no other transaction writes to the tables. When do fails, nothing of it stays.
	Load(ctx context.Context, tables []string, do func(Loader) error) error
	// Close waits for the writes that are under way. It may be called twice.
	Close() error
}

// Loader is a transaction that fills tables.
type Loader interface {
	Tx
	// Fill inserts rows, each with a value for every column.
	Fill(ctx context.Context, table string, columns []string, rows iter.Seq2[[]any, error]) error
}

// Poster is an engine with a faster way to post messages than a transaction for each.
type Poster interface {
	// Post stores a message with its event, and returns the place that it gave it. It returns chat.ErrStale when roster version
	// or policy of the thread are not those of the post, or the thread is not there.
	Post(ctx context.Context, p Post) (seq int64, id chat.MessageID, err error)
}

// Post is a message that has no place in its thread yet, with its event, as the columns keep them.
type Post struct {
	Thread   chat.ThreadKey
	ThreadID chat.ThreadID
	Roster   chat.RosterVersion // what the decision relied on, with TextOnly
	TextOnly bool
	At       chat.Time // of arrival

	Type, Sender, Name, Content, Metadata, Attachments string
	High                                               bool

	EventKind, EventBody string
}

// Options of an engine; Log and Wake must be set.
type Options struct {
	Log *slog.Logger
	// Wake is called after another server has written events.
	Wake func()

	// These are as in store.Options.
	Listen              string
	Async, AsIs, Server bool
}

// NoListen as Options.Listen makes an engine not listen for what other servers write.
const NoListen = "none"
