package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/internal/chat"
)

// Positions of the journal come from a sequence, and transactions commit in another order than the one in which they took
// their positions. So a reader that goes up to the newest position may skip one whose transaction is not committed yet, and
// never return to it. Every transaction therefore announces, by a shared advisory lock that it takes before its first
// position, a position before all of its own, and readers go no further than the lowest that is announced. The lock ends with
// the transaction, however that ends, just after its rows become visible.
//
// Why a reader misses nothing: let it take the newest position given so far (1), then the lowest announced (2), then the
// rows up to the lower of both (3). A row up to there had its position before (1), and its transaction had announced
// itself before that. At (2) the transaction was still announced, and then the row is behind what is read; or it had ended,
// and then (3) sees the row if there is one.
//
// Positions of one thread are in the order of its commits, since they are taken under the lock of its row. Failed transactions
// leave gaps, which do not matter.
//
// What it costs: a shared lock for each transaction, a query of pg_locks for each read that finds a gap, and that events
// wait for transactions that began to write just before, which is the time of one flush of the log. To hold an exclusive lock
// to the end of the transaction, which is simpler, would let the whole cluster commit one transaction at a time.
const (
	// The key of the lock is 16 bits that mark it as ours and 48 bits of position.
	announcePosition = `SELECT pg_advisory_xact_lock_shared((25444::bigint << 48) | CASE WHEN is_called THEN last_value ELSE 0 END)
		FROM journal_pos_seq`

	newestPosition  = `SELECT last_value FROM journal_pos_seq`
	lowestAnnounced = `SELECT coalesce(min(((classid::bigint & 65535) << 32) | objid::bigint), 9223372036854775807) FROM pg_locks
		WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = 25444
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
)

// Settled returns the position up to which no transaction can still add an event. It may be lower than at the last call, when
// a transaction took its position and announced itself late.
func (e *engine) Settled(ctx context.Context) (chat.Position, error) {
	var newest, lowest int64
	err := poolConn{e}.use(ctx, func(ctx context.Context, c *pgx.Conn) error {
		// One round trip. Each statement sees what was committed when it begins, in this order.
		var b pgx.Batch
		b.Queue(newestPosition).QueryRow(func(r pgx.Row) error { return r.Scan(&newest) })
		b.Queue(lowestAnnounced).QueryRow(func(r pgx.Row) error { return r.Scan(&lowest) })
		return c.SendBatch(ctx, &b).Close()
	})
	return chat.Position(min(newest, lowest)), err
}
