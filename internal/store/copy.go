package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// copied are the tables that a copy takes over: all except schema_migrations, which the target has, and leases, which run out.
var copied = []string{
	"secrets", "signing_keys", "users", "threads", "creations", "participants", "messages", "superseded", "images", "receipts", "journal", "endpoints",
}

// counted are the columns whose numbers must never be given twice. The target continues after the last number that the source gave,
// even if its row was removed since: clients keep positions of the journal, and caches go by the key of a thread.
var counted = map[string]string{"threads": "tk", "journal": "pos"}

// Copied reports a table that was copied.
type Copied struct {
	Table    string
	Rows     int64
	Mended   int64  // values that were not valid text in the source: see chat.ToText
	Checksum []byte // the same in every engine
}

// Copy copies all that a store holds to another one, which must be empty. It reports each table after it has filled it, read it back
// and compared. When it fails, the target stays empty. The source is read as it is at one moment, without what is written to it
// meanwhile. Invalid text, which SQLite keeps and Postgres does not, is replaced on the way and counted.
func Copy(ctx context.Context, from, to string, report func(Copied)) (err error) {
	source, err := openSource(ctx, from)
	if err != nil {
		return fmt.Errorf("source: %w", sqldb.OneLine(err))
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := openTarget(ctx, to)
	if err != nil {
		return fmt.Errorf("target: %w", sqldb.OneLine(err))
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	err = source.Snapshot(ctx, func(out sqldb.Conn) error {
		return target.engine.Load(ctx, copied, func(in sqldb.Loader) error {
			return copyAll(ctx, out, in, report)
		})
	})
	if err != nil {
		return sqldb.OneLine(err)
	}
	return nil
}

var errMemory = errors.New("memory: ends with the process that has it, want sqlite:PATH or postgres://…")

// openSource opens a store without changing it: it may be something else that was named by mistake.
func openSource(ctx context.Context, url string) (sqldb.Engine, error) {
	// AsIs, so that no file is made. A copy has no use for notifications.
	e, err := openEngine(ctx, url, sqldb.Options{Log: slog.New(slog.DiscardHandler), Wake: func() {}, Listen: NoListen, AsIs: true})
	if err != nil {
		return nil, err
	}
	if err := checkSource(ctx, e); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// checkSource refuses a source that is no store, or has another schema than the target will have.
func checkSource(ctx context.Context, e sqldb.Engine) error {
	if !e.Durable() {
		return errMemory
	}
	known, err := embedded(e)
	if err != nil {
		return err
	}
	there, err := applied(ctx, e)
	switch {
	case err != nil:
		return fmt.Errorf("it is no store of chatd: %w", err)
	case len(there) == 0:
		return errors.New("it is no store of chatd: it has no schema")
	case len(there) < len(known):
		return fmt.Errorf("it has schema %d, want %d: run chatd migrate on it first", len(there), len(known))
	}
	return compare(there, known)
}

// openTarget opens a store and migrates it. That leaves an empty store where there was nothing.
func openTarget(ctx context.Context, url string) (*DB, error) {
	db, err := Open(ctx, url, Options{Listen: NoListen})
	if err == nil && !db.engine.Durable() {
		return nil, errors.Join(errMemory, db.Close())
	}
	return db, err
}

// copyAll copies the tables inside the transactions of source and target.
func copyAll(ctx context.Context, from sqldb.Conn, to sqldb.Loader, report func(Copied)) error {
	// All tables are looked at before any is filled, so that a store in use is refused at once.
	for _, table := range copied {
		var n int
		if err := to.QueryRow(ctx, []any{&n}, "SELECT count(*) FROM (SELECT 1 FROM "+table+" LIMIT 1) AS t"); err != nil {
			return fmt.Errorf("target: table %s: %w", table, err)
		}
		if n > 0 {
			return fmt.Errorf("the target is not empty: table %s has rows. A copy wants a store that no server has used", table)
		}
	}
	for _, table := range copied {
		done, err := copyTable(ctx, from, to, table)
		if err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		report(done)
	}
	return nil
}

// copyTable copies one table and compares what it has read with what the target has then: a trigger, or a type of column that
// cuts values, must not go unnoticed.
func copyTable(ctx context.Context, from sqldb.Conn, to sqldb.Loader, table string) (Copied, error) {
	out, err := fieldsOf(ctx, from, table)
	if err != nil {
		return Copied{}, err
	}
	in, err := fieldsOf(ctx, to, table)
	if err != nil {
		return Copied{}, err
	}
	// Both have all migrations, so one of the schemas was changed by hand.
	if names(out) != names(in) {
		return Copied{}, fmt.Errorf("the source has columns %s, the target %s", names(out), names(in))
	}
	// Rows are counted behind mend, as the target is meant to keep them.
	var sent, kept tally
	var mended int64
	if err := to.Fill(ctx, table, namesOf(in), rowsFor(in, count(&sent, mend(out, &mended, readRows(ctx, from, table, out))))); err != nil {
		return Copied{}, err
	}
	for _, err := range count(&kept, readRows(ctx, to, table, in)) {
		if err != nil {
			return Copied{}, fmt.Errorf("read back: %w", err)
		}
	}
	if kept != sent {
		return Copied{}, fmt.Errorf("the target has %s, the source %s: nothing was copied", &kept, &sent)
	}
	if column := counted[table]; column != "" {
		if err := resetSequence(ctx, from, to, table, column); err != nil {
			return Copied{}, err
		}
	}
	return Copied{table, kept.rows, mended, kept.sum[:]}, nil
}

// readRows reads a table as plain values, in any order.
func readRows(ctx context.Context, c sqldb.Conn, table string, columns []field) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		err := c.Query(ctx, func(r sqldb.Row) error {
			if err := ctx.Err(); err != nil { // an engine may not look while it has rows
				return err
			}
			values, err := scanPlain(r, columns)
			if err != nil {
				return err
			}
			if !yield(values, nil) {
				return errEnough
			}
			return nil
		}, "SELECT "+names(columns)+" FROM "+table)
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// errEnough ends a query whose caller wants no more rows.
var errEnough = errors.New("no more rows are wanted")

// count adds rows to a tally on their way.
func count(sum *tally, rows iter.Seq2[[]any, error]) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for values, err := range rows {
			if err == nil {
				sum.add(values)
			}
			if !yield(values, err) {
				return
			}
		}
	}
}

// mend replaces invalid text in columns of text, and counts the values.
func mend(columns []field, mended *int64, rows iter.Seq2[[]any, error]) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for values, err := range rows {
			for i, v := range values {
				raw, ok := v.(string)
				if !ok || columns[i].kind != "text" {
					continue
				}
				if text := chat.ToText(raw); text != raw {
					values[i] = text
					*mended++
				}
			}
			if !yield(values, err) {
				return
			}
		}
	}
}

// rowsFor converts plain values to what the columns take.
func rowsFor(columns []field, rows iter.Seq2[[]any, error]) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for values, err := range rows {
			for i := range values {
				if err == nil {
					values[i], err = columns[i].take(values[i])
				}
			}
			if !yield(values, err) {
				return
			}
		}
	}
}

// resetSequence makes the target give numbers greater than those that the source gave.
func resetSequence(ctx context.Context, from sqldb.Conn, to sqldb.Loader, table, column string) error {
	var given, largest int64
	if err := from.QueryRow(ctx, []any{&given}, from.Dialect().LastNumber, table, column); err != nil {
		return err
	}
	if err := to.QueryRow(ctx, []any{&largest}, "SELECT coalesce(max("+column+"), 0) FROM "+table); err != nil {
		return err
	}
	last := max(given, largest) // rows may have been removed since, or inserted by other programs
	if last == 0 {
		return nil
	}
	for _, sql := range to.Dialect().ResetSequence {
		if _, err := to.Exec(ctx, sql, table, column, last); err != nil {
			return err
		}
	}
	return nil
}
