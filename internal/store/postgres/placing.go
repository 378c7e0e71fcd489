package postgres

import (
	"strings"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// The statements below give messages their place: they lock the threads, move those whose roster and policy are still what
// the posts were decided on, and insert messages and events. Ids and sequence numbers follow from the locked rows, so any
// number of nodes may write to one thread.
//
// They answer for each post whether its thread could be held, and its place, or zeros where the post is stale. A thread
// that is not there counts as held.

// begin makes each statement of a transaction see what is there, whatever the server's default is.
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED"

// announced is the announcement of positions as a part of a statement; what uses it comes after it.
const announced = "announced AS MATERIALIZED (" + announcePositions + ")"

// placeOne does in one row what placeMany does in many, at less cost.
var placeOne = `WITH held AS MATERIALIZED (
		SELECT tk FROM threads WHERE tk = $1 FOR NO KEY UPDATE SKIP LOCKED
	), moved AS (
		UPDATE threads SET seq = seq + 1, last_id = ` + sqldb.NextID("last_id", "$4") + `, last_on = ` + sqldb.NextID("last_id", "$4") + `
		WHERE tk = (SELECT tk FROM held) AND roster = $2 AND text_only = $3 AND deleted_on = 0
		RETURNING seq, last_id AS id
	), kept AS (
		INSERT INTO messages (tk, id, seq, version, type, sender, name, content, metadata, high, attachments)
		SELECT $1, id, seq, id, $5, $6, $7, $8, $9, $10, $11 FROM moved
	), ` + announced + `, told AS (
		INSERT INTO journal (tk, thread_id, roster, kind, at, version, actor, actor_name, message_id, seq, body)
		SELECT $1, $12, $2, $13, id, id, $6, $7, id, seq, $14 FROM announced, moved
	)
	SELECT EXISTS (SELECT FROM held) OR NOT EXISTS (SELECT FROM threads WHERE tk = $1),
		coalesce((SELECT seq FROM moved), 0), coalesce((SELECT id FROM moved), 0)`

var placeMany = `WITH post AS MATERIALIZED (
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
			$9::text[], $10::boolean[], $11::text[], $12::text[], $13::text[], $14::text[]) WITH ORDINALITY
			AS p (tk, roster, text_only, at, type, sender, name, content, metadata, high, attachments, thread_id, kind, body, n)
	), held AS MATERIALIZED (
		SELECT tk, seq, last_id, roster, text_only, deleted_on FROM threads WHERE tk = ANY ($1) ORDER BY tk FOR NO KEY UPDATE SKIP LOCKED
	), ranked AS (
		SELECT p.*, h.seq AS last_seq, h.last_id, row_number() OVER (PARTITION BY p.tk ORDER BY p.n) AS k
		FROM post p JOIN held h ON h.tk = p.tk AND h.roster = p.roster AND h.text_only = p.text_only AND h.deleted_on = 0
	), placed AS MATERIALIZED (
		SELECT *, last_seq + k AS seq, ` + sqldb.NextIDs("last_id", "at", "k", "PARTITION BY tk ORDER BY n") + ` AS id FROM ranked
	), moved AS (
		UPDATE threads t SET seq = p.seq, last_id = p.id, last_on = p.id
		FROM (SELECT tk, max(seq) AS seq, max(id) AS id FROM placed GROUP BY tk) p WHERE t.tk = p.tk
	), kept AS (
		INSERT INTO messages (tk, id, seq, version, type, sender, name, content, metadata, high, attachments)
		SELECT tk, id, seq, id, type, sender, name, content, metadata, high, attachments FROM placed
	), ` + announced + `, told AS (
		INSERT INTO journal (tk, thread_id, roster, kind, at, version, actor, actor_name, message_id, seq, body)
		SELECT tk, thread_id, roster, kind, id, id, sender, name, id, seq, body FROM announced, placed ORDER BY n
	)
	SELECT p.n, h.tk IS NOT NULL OR NOT EXISTS (SELECT FROM threads t WHERE t.tk = p.tk), coalesce(l.seq, 0), coalesce(l.id, 0)
	FROM post p LEFT JOIN held h ON h.tk = p.tk LEFT JOIN placed l ON l.n = p.n`

// placeManyPatiently waits for the threads.
var placeManyPatiently = strings.Replace(placeMany, " SKIP LOCKED", "", 1)

// columns are the parameters of placeOne.
func (j *postJob) columns() []any {
	p := &j.post
	return []any{
		int64(p.Thread), int64(p.Roster), p.TextOnly, int64(p.At), p.Type, p.Sender, p.Name, p.Content, p.Metadata, p.High,
		p.Attachments, string(p.ThreadID), p.EventKind, p.EventBody,
	}
}

// columnsOf are those of placeMany: an array for each column.
func columnsOf(batch []*postJob) []any {
	return []any{
		column(batch, func(p *sqldb.Post) int64 { return int64(p.Thread) }),
		column(batch, func(p *sqldb.Post) int64 { return int64(p.Roster) }),
		column(batch, func(p *sqldb.Post) bool { return p.TextOnly }),
		column(batch, func(p *sqldb.Post) int64 { return int64(p.At) }),
		column(batch, func(p *sqldb.Post) string { return p.Type }),
		column(batch, func(p *sqldb.Post) string { return p.Sender }),
		column(batch, func(p *sqldb.Post) string { return p.Name }),
		column(batch, func(p *sqldb.Post) string { return p.Content }),
		column(batch, func(p *sqldb.Post) string { return p.Metadata }),
		column(batch, func(p *sqldb.Post) bool { return p.High }),
		column(batch, func(p *sqldb.Post) string { return p.Attachments }),
		column(batch, func(p *sqldb.Post) string { return string(p.ThreadID) }),
		column(batch, func(p *sqldb.Post) string { return p.EventKind }),
		column(batch, func(p *sqldb.Post) string { return p.EventBody }),
	}
}

func column[T any](batch []*postJob, of func(*sqldb.Post) T) []T {
	out := make([]T, len(batch))
	for i, j := range batch {
		out[i] = of(&j.post)
	}
	return out
}
