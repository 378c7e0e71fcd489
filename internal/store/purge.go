package store

import (
	"context"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// purgeSlice is about how many rows one transaction of a purge removes. Other writes wait for it in SQLite, so it must be short.
const purgeSlice = 5000

// Purge removes threads that were deleted before the given time, endpoints that were last seen before it, and events from before
// it. It works in many small transactions, and what it has removed stays removed when it fails half-way. See chat.Store.
func (db *DB) Purge(ctx context.Context, before chat.Time) error {
	const batch = 20 // threads in one transaction
	for {
		deleted, err := db.deletedBefore(ctx, before, batch)
		if err != nil {
			return err
		}
		for _, t := range deleted {
			if t.Seq > purgeSlice { // sequence numbers count the messages
				if err := db.removeMessages(ctx, t.Key); err != nil {
					return err
				}
			}
		}
		err = db.write(ctx, "purge", func(tx sqldb.Tx) error { return removeThreads(ctx, tx, deleted) })
		if err != nil {
			return err
		}
		if len(deleted) < batch {
			break
		}
	}
	err := db.write(ctx, "purge", func(tx sqldb.Tx) error {
		return tx.Queue(ctx, "DELETE FROM endpoints WHERE seen_on < $1", int64(before))
	})
	if err != nil {
		return err
	}
	return db.removeEvents(ctx, before)
}

// deletedBefore returns key and sequence number of threads that were deleted before a time.
func (db *DB) deletedBefore(ctx context.Context, before chat.Time, limit int) ([]chat.Thread, error) {
	var out []chat.Thread
	err := db.read("purge", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error {
			var t chat.Thread
			err := r.Scan((*int64)(&t.Key), &t.Seq)
			out = append(out, t)
			return err
		}, "SELECT tk, seq FROM threads WHERE deleted_on > 0 AND deleted_on < $1 ORDER BY deleted_on LIMIT $2 + 0", int64(before), limit)
	})
	return out, err
}

// removeMessages removes the messages of a large thread, except the last slice, which goes with the thread.
func (db *DB) removeMessages(ctx context.Context, key chat.ThreadKey) error {
	return db.inSlices(ctx, `DELETE FROM messages WHERE tk = $1
		AND id < (SELECT id FROM messages WHERE tk = $1 ORDER BY id LIMIT 1 OFFSET $2)`, int64(key), purgeSlice)
}

// removeEvents removes events from before a time. The newest event stays, so that Head knows where the journal ends.
func (db *DB) removeEvents(ctx context.Context, before chat.Time) error {
	var bound int64
	err := db.read("purge", func(c sqldb.Conn) error {
		return c.QueryRow(ctx, []any{&bound}, `SELECT coalesce((SELECT pos FROM journal WHERE at >= $1 ORDER BY pos LIMIT 1),
			(SELECT max(pos) FROM journal), 0)`, int64(before))
	})
	if err != nil {
		return err
	}
	return db.inSlices(ctx, "DELETE FROM journal WHERE pos < $1 AND pos < (SELECT min(pos) FROM journal) + $2", bound, purgeSlice)
}

// PurgeTyping removes typing events from before a time: they matter for seconds only. The oldest and the newest
// event of the journal stay, since they tell where it begins and ends. See chat.Store.
func (db *DB) PurgeTyping(ctx context.Context, before chat.Time) error {
	// The kind is a literal, since the partial index on these rows is used only then.
	return db.inSlices(ctx, "DELETE FROM journal WHERE pos IN (SELECT pos FROM journal WHERE kind = '"+string(chat.TypingReceived)+`' AND at < $1
		AND pos > (SELECT min(pos) FROM journal) AND pos < (SELECT max(pos) FROM journal) ORDER BY at LIMIT $2 + 0)`, int64(before), purgeSlice)
}

// inSlices runs a statement in a transaction each until it changes nothing.
func (db *DB) inSlices(ctx context.Context, sql string, args ...any) error {
	for {
		var n int64
		err := db.write(ctx, "purge", func(tx sqldb.Tx) (err error) {
			n, err = tx.Exec(ctx, sql, args...)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// removeThreads removes all rows of threads but events, which go by their time. A new table with a column tk belongs into the list,
// which TestPurgeClearsAllTables checks. The row of the thread goes last.
func removeThreads(ctx context.Context, tx sqldb.Tx, deleted []chat.Thread) error {
	for _, t := range deleted {
		for _, table := range []string{"messages", "superseded", "receipts", "images", "participants", "creations", "threads"} {
			if err := tx.Queue(ctx, "DELETE FROM "+table+" WHERE tk = $1", int64(t.Key)); err != nil {
				return err
			}
		}
	}
	return nil
}
