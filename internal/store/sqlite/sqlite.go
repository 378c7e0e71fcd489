// Package sqlite is the embedded engine, over modernc.org/sqlite: a database in memory, or in a file.
//
// One connection writes, since SQLite lets one transaction write at a time. It applies what was queued meanwhile as one
// transaction, each write in a savepoint of its own. A file is read through other connections; a database in memory through
// the one that writes, since it exists in that connection only.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// engine implements sqldb.Engine. It has no Poster: in its batches a post costs no more than any other write.
type engine struct {
	log       *slog.Logger
	path      string   // empty: in memory
	lock      *os.File // held by the only server of a file; nil for others
	writer    *statements
	mu        sync.Mutex // held during a transaction, and in memory during each read
	reader    *reader
	pools     []*sql.DB
	committer *sqldb.Committer[*job]
}

// dialect needs no locks, since only one transaction writes. sqlite_sequence has the last number of each AUTOINCREMENT column; its
// statements take the parameter for the column, which Postgres needs, and always find it set.
var dialect = &sqldb.Dialect{
	Name:       "sqlite",
	Columns:    "SELECT name, type FROM pragma_table_info($1)",
	LastNumber: "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = $1 AND $2 <> ''",
	ResetSequence: []string{
		"DELETE FROM sqlite_sequence WHERE name = $1 AND $2 <> '' AND $3 > 0",
		"INSERT INTO sqlite_sequence (name, seq) SELECT $1, $3 WHERE $2 <> ''",
	},
}

// Read implements sqldb.Engine.
func (e *engine) Read() sqldb.Conn { return e.reader }

// Settled has no bound: one write comes after the other, so positions are in the order of commits.
func (e *engine) Settled(context.Context) (chat.Position, error) { return math.MaxInt64, nil }

// Notify does nothing, since there is no other server.
func (e *engine) Notify() {}

// Lease is always granted, since there is no other server.
func (e *engine) Lease(context.Context, string, time.Duration) (bool, error) { return true, nil }

// SingleServer implements sqldb.Engine. Servers hold a lock on the file; commands may use it beside them.
func (e *engine) SingleServer() bool { return true }

// Durable implements sqldb.Engine.
func (e *engine) Durable() bool { return e.path != "" }

// Ready implements sqldb.Engine. Whether the disk takes writes shows in the next write only.
func (e *engine) Ready(ctx context.Context) error {
	var n int
	return e.reader.QueryRow(ctx, []any{&n}, "SELECT 1")
}

// Close implements sqldb.Engine.
func (e *engine) Close() error {
	if !e.committer.Close() {
		return nil
	}
	return errors.Join(e.writer.close(), e.closePools())
}

// closePools also releases the lock of the file.
func (e *engine) closePools() error {
	var err error
	for _, p := range e.pools {
		err = errors.Join(err, p.Close())
	}
	if e.lock != nil {
		err = errors.Join(err, e.lock.Close())
	}
	return err
}
