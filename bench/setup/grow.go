package setup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "modernc.org/sqlite" // the driver
)

const growStep = 1000 // copies in one statement

// copies are the statements that give each thread copies of its newest message, with the next numbers, and the events of
// the copies. The order is that of a chat server's life: one message here, one there. Both databases read them.
var copies = []string{
	`INSERT INTO messages (tk, id, seq, version, type, sender, name, content, metadata, high, attachments)
		SELECT m.tk, m.id + n.i, m.seq + n.i, m.version + n.i, m.type, m.sender, m.name, m.content, m.metadata, m.high, m.attachments
		FROM threads t JOIN messages m ON m.tk = t.tk AND m.id = t.last_id CROSS JOIN n ORDER BY n.i, m.tk`,
	`INSERT INTO journal (tk, thread_id, roster, kind, at, version, actor, actor_name, message_id, seq, body)
		SELECT j.tk, j.thread_id, j.roster, j.kind, j.at, j.version + n.i, j.actor, j.actor_name, j.message_id + n.i, j.seq + n.i, j.body
		FROM threads t JOIN journal j ON j.tk = t.tk AND j.message_id = t.last_id CROSS JOIN n ORDER BY n.i, j.tk`,
}

// growth lists the statements for so many copies.
func growth(times int) []string {
	var out []string
	for from := 1; from <= times; from += growStep {
		numbers := fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", from, min(from+growStep-1, times))
		for _, s := range copies {
			out = append(out, numbers+s)
		}
	}
	return append(out, fmt.Sprintf("UPDATE threads SET seq = seq + %d, last_id = last_id + %[1]d, last_on = last_on + %[1]d", times))
}

// GrowSQLite multiplies what is in a file.
func GrowSQLite(path string) func(ctx context.Context, times int) error {
	return func(ctx context.Context, times int) error {
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(off)&_pragma=cache_size(-524288)")
		if err != nil {
			return err
		}
		for _, s := range growth(times) {
			if _, err = db.ExecContext(ctx, s); err != nil {
				break
			}
		}
		return errors.Join(err, db.Close())
	}
}

// Grow multiplies what is in a database.
func (p *Postgres) Grow(database string) func(ctx context.Context, times int) error {
	return func(ctx context.Context, times int) error {
		return execute(ctx, p.URL(database), append(growth(times), "VACUUM ANALYZE", "CHECKPOINT")...)
	}
}
