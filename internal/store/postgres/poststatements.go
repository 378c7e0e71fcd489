package postgres

import (
	"strings"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// The statements below store messages: they lock the threads, update those whose roster version and messaging policy are still
// what the posts were decided on, and insert messages and events. Ids and sequence numbers follow from the locked rows, so any
// number of nodes may write to one thread.
//
// For each post they return whether its thread was locked, and the place of the message, or zeros when the post is stale. A
// thread that does not exist counts as locked.

// announcedSQL announces the position as a part of a statement. What inserts events has to read from it, to come after it.
const announcedSQL = "announced AS MATERIALIZED (" + announcePosition + ")"

// postOneSQL is postManySQL for one post, which is most of them on a server with little load. It costs the database less.
var postOneSQL = `WITH locked AS MATERIALIZED (
		SELECT tk FROM threads WHERE tk = $1 FOR NO KEY UPDATE SKIP LOCKED
	), updated AS (
		UPDATE threads SET seq = seq + 1, last_id = ` + sqldb.NextID("last_id", "$4") + `, last_on = ` + sqldb.NextID("last_id", "$4") + `
		WHERE tk = (SELECT tk FROM locked) AND roster = $2 AND text_only = $3 AND deleted_on = 0
		RETURNING seq, last_id AS id
	), inserted AS (
		INSERT INTO messages (tk, id, seq, version, type, sender, name, content, metadata, high, attachments)
		SELECT $1, id, seq, id, $5, $6, $7, $8, $9, $10, $11 FROM updated
	), ` + announcedSQL + `, journaled AS (
		INSERT INTO journal (tk, thread_id, roster, kind, at, version, actor, actor_name, message_id, seq, body)
		SELECT $1, $12, $2, $13, id, id, $6, $7, id, seq, $14 FROM announced, updated
	)
	SELECT EXISTS (SELECT FROM locked) OR NOT EXISTS (SELECT FROM threads WHERE tk = $1),
		coalesce((SELECT seq FROM updated), 0), coalesce((SELECT id FROM updated), 0)`

// postManySQL stores posts in the order of its arrays.
// postManySQL stores posts in the order of its arrays. The first column that it returns is the number of a post in them, from 1.
var postManySQL = `WITH post AS MATERIALIZED (
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
			$9::text[], $10::boolean[], $11::text[], $12::text[], $13::text[], $14::text[]) WITH ORDINALITY
			AS p (tk, roster, text_only, at, type, sender, name, content, metadata, high, attachments, thread_id, kind, body, n)
	), locked AS MATERIALIZED (
		SELECT tk, seq, last_id, roster, text_only, deleted_on FROM threads WHERE tk = ANY ($1) ORDER BY tk FOR NO KEY UPDATE SKIP LOCKED
	), ranked AS (
		SELECT p.*, h.seq AS last_seq, h.last_id, row_number() OVER (PARTITION BY p.tk ORDER BY p.n) AS k
		FROM post p JOIN locked h ON h.tk = p.tk AND h.roster = p.roster AND h.text_only = p.text_only AND h.deleted_on = 0
	), placed AS MATERIALIZED (
		SELECT *, last_seq + k AS seq, ` + sqldb.NextIDs("last_id", "at", "k", "PARTITION BY tk ORDER BY n") + ` AS id FROM ranked
	), updated AS (
		UPDATE threads t SET seq = p.seq, last_id = p.id, last_on = p.id
		FROM (SELECT tk, max(seq) AS seq, max(id) AS id FROM placed GROUP BY tk) p WHERE t.tk = p.tk
	), inserted AS (
		INSERT INTO messages (tk, id, seq, version, type, sender, name, content, metadata, high, attachments)
		SELECT tk, id, seq, id, type, sender, name, content, metadata, high, attachments FROM placed
	), ` + announcedSQL + `, journaled AS (
		INSERT INTO journal (tk, thread_id, roster, kind, at, version, actor, actor_name, message_id, seq, body)
		SELECT tk, thread_id, roster, kind, id, id, sender, name, id, seq, body FROM announced, placed ORDER BY n
	)
	SELECT p.n, h.tk IS NOT NULL OR NOT EXISTS (SELECT FROM threads t WHERE t.tk = p.tk), coalesce(l.seq, 0), coalesce(l.id, 0)
	FROM post p LEFT JOIN locked h ON h.tk = p.tk LEFT JOIN placed l ON l.n = p.n`

// postManyWaitingSQL waits for the locks of the threads.
var postManyWaitingSQL = strings.Replace(postManySQL, " SKIP LOCKED", "", 1)

// args are the parameters of postOneSQL.
func (j *postJob) args() []any {
	p := &j.post
	return []any{
		int64(p.Thread), int64(p.Roster), p.TextOnly, int64(p.At), p.Type, p.Sender, p.Name, p.Content, p.Metadata, p.High,
		p.Attachments, string(p.ThreadID), p.EventKind, p.EventBody,
	}
}

// argsOf are the parameters of postManySQL, an array for each column.
func argsOf(batch []*postJob) []any {
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

// column makes an array of one field of all posts.
func column[T any](batch []*postJob, of func(*sqldb.Post) T) []T {
	out := make([]T, len(batch))
	for i, j := range batch {
		out[i] = of(&j.post)
	}
	return out
}
