package store

import (
	"context"
	"encoding/json"
	"math"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// threadColumns are the columns of a thread t for a user with the latest stay p, which may be missing. A user who left gets the
// thread as it was then, which the row of the stay keeps. The fields follow in the order of threadFields.
const threadColumns = `t.tk, t.id, CASE WHEN p.gone > 0 THEN p.left_topic ELSE t.topic END, t.created_by, t.created_on, t.deleted_on,
	CASE WHEN p.gone > 0 THEN p.left_metadata ELSE t.metadata END,
	CASE WHEN p.gone > 0 THEN p.left_retention_kind ELSE t.retention_kind END,
	CASE WHEN p.gone > 0 THEN p.left_retention_days ELSE t.retention_days END,
	t.seq, CASE WHEN p.gone > 0 THEN p.until ELSE t.last_id END, CASE WHEN p.gone > 0 THEN p.until ELSE t.last_on END,
	t.edited, t.roster, t.present, CASE WHEN p.gone > 0 THEN p.left_text_only ELSE t.text_only END`

// threadFields are the destinations of threadColumns.
func threadFields(t *chat.Thread, metadata *string) []any {
	return []any{
		(*int64)(&t.Key), (*string)(&t.ID), &t.Topic, (*string)(&t.CreatedBy), (*int64)(&t.CreatedOn), (*int64)(&t.DeletedOn), metadata,
		&t.Retention.Kind, &t.Retention.Days, &t.Seq, (*int64)(&t.LastID), (*int64)(&t.LastOn), &t.Edited, (*int64)(&t.Roster), &t.Present, &t.TextOnly,
	}
}

// accessOf reads a thread and the latest stay of a user in it by one statement, since every request does this first.
func accessOf(ctx context.Context, c sqldb.Conn, id chat.ThreadID, user chat.Identity) (chat.Access, error) {
	var a chat.Access
	var p chat.Participant
	var metadata, stayed, roles string
	into := append(threadFields(&a.Thread, &metadata), (*string)(&p.Identity), &p.DisplayName, (*int64)(&p.ShareFrom), &stayed, &roles,
		(*int64)(&p.Joined), (*int64)(&p.Left), (*int64)(&p.Until))
	err := c.QueryRow(ctx, into, "SELECT "+threadColumns+`, coalesce(p.user_id, ''), coalesce(p.name, ''), coalesce(p.share_from, 0),
		coalesce(p.metadata, ''), coalesce(p.roles, ''), coalesce(p.joined, 0), coalesce(p.gone, 0), coalesce(p.until, 0)
		FROM threads t LEFT JOIN participants p ON p.tk = t.tk AND p.user_id = $2
		AND p.joined = (SELECT max(joined) FROM participants WHERE tk = t.tk AND user_id = $2) WHERE t.id = $1`, string(id), string(user))
	if err != nil {
		return a, err
	}
	if a.Thread.Metadata, err = parseMap(metadata); err != nil || p.Identity == "" {
		return a, err
	}
	// Present or not: a user who left has a stay too, and reads by it.
	a.Stay = &p
	if p.Metadata, err = parseMap(stayed); err == nil {
		p.Roles, err = parseList[string](roles)
	}
	return a, err
}

// Access returns a thread and a user's latest stay. See chat.Store.
func (db *DB) Access(ctx context.Context, id chat.ThreadID, user chat.Identity) (chat.Access, error) {
	var a chat.Access
	err := db.read("access", func(c sqldb.Conn) (err error) {
		a, err = accessOf(ctx, c, id, user)
		return err
	})
	return a, err
}

// participantColumns are in the order of scanParticipant. gone is the roster version of leaving, 0 for those who are present.
const participantColumns = "user_id, name, share_from, metadata, roles, joined, gone, until"

// scanParticipant reads participantColumns, and further columns of the query into more.
func scanParticipant(r sqldb.Row, more ...any) (chat.Participant, error) {
	var p chat.Participant
	var metadata, roles string
	err := r.Scan(append([]any{
		(*string)(&p.Identity), &p.DisplayName, (*int64)(&p.ShareFrom), &metadata, &roles, (*int64)(&p.Joined), (*int64)(&p.Left), (*int64)(&p.Until),
	}, more...)...)
	if err == nil {
		p.Metadata, err = parseMap(metadata)
	}
	if err == nil {
		p.Roles, err = parseList[string](roles)
	}
	return p, err
}

// messageColumns are in the order of scanMessage.
const messageColumns = "id, seq, version, type, sender, name, content, metadata, high, attachments, edited_on, deleted_on"

// scanMessage reads messageColumns.
func scanMessage(r sqldb.Row) (chat.Message, error) {
	var m chat.Message
	var content, metadata, attachments string
	err := r.Scan((*int64)(&m.ID), &m.Seq, &m.Version, (*string)(&m.Type), (*string)(&m.Sender), &m.SenderName, &content, &metadata, &m.High, &attachments,
		(*int64)(&m.EditedOn), (*int64)(&m.DeletedOn))
	if err != nil {
		return m, err
	}
	if m.Metadata, err = parseMap(metadata); err != nil {
		return m, err
	}
	if m.Type.User() { // its content is the plain text, which spares most messages a JSON document
		m.Content.Text = content
		records, err := parseList[attachmentRecord](attachments)
		m.Content.Attachments = attachmentsOf(records)
		return m, err
	}
	var record contentRecord
	err = json.Unmarshal([]byte(content), &record)
	m.Content = contentOf(record)
	return m, err
}

// messageOf returns a message, or an error of kind NotFound.
func messageOf(ctx context.Context, c sqldb.Conn, thread chat.ThreadKey, id chat.MessageID) (*chat.Message, error) {
	var out *chat.Message
	err := c.Query(ctx, func(r sqldb.Row) error {
		m, err := scanMessage(r)
		out = &m
		return err
	}, "SELECT "+messageColumns+" FROM messages WHERE tk = $1 AND id = $2", int64(thread), int64(id))
	if err == nil && out == nil {
		err = &chat.Error{Kind: chat.NotFound, Reason: "no such message"}
	}
	return out, err
}

// Message returns one message. See chat.Store.
func (db *DB) Message(ctx context.Context, thread chat.ThreadKey, id chat.MessageID) (*chat.Message, error) {
	var out *chat.Message
	err := db.read("message", func(c sqldb.Conn) (err error) {
		out, err = messageOf(ctx, c, thread, id)
		return err
	})
	return out, err
}

// lastOf returns the newest id that a query may return.
func lastOf(q chat.MessageQuery) chat.MessageID {
	last := chat.MessageID(math.MaxInt64)
	if q.To != 0 {
		last = q.To
	}
	if q.Before != 0 {
		last = min(last, q.Before-1)
	}
	return last
}

// Messages returns messages newest first. Those that the query's state of the thread has cached are returned from memory: callers
// must not change them. See chat.Store.
func (db *DB) Messages(ctx context.Context, thread chat.ThreadKey, q chat.MessageQuery) ([]chat.Message, error) {
	if q.Left != 0 { // few do this, so it is not cached
		return db.messagesAsLeft(ctx, thread, q)
	}
	found, ok, older := db.pages.find(thread, q)
	if ok {
		return found, ctx.Err()
	}
	last := lastOf(q)
	if older != nil { // mostly one message was posted since, so that little has to be read
		later, err := db.messages(ctx, thread, older.newest+1, q.Newest, maxPage)
		if err != nil {
			return nil, err
		}
		if fresh, ok := older.with(later, q.Newest); ok {
			db.pages.put(thread, fresh)
			if found, ok := fresh.answer(q); ok {
				return found, nil
			}
		}
	}
	found, err := db.messages(ctx, thread, q.From, last, q.Limit)
	// A page has to begin with the newest message of its state.
	if err == nil && q.Newest != 0 && last == q.Newest && q.Limit <= maxPage {
		fresh := &page{newest: q.Newest, edited: q.Edited, from: q.From, messages: found}
		if len(found) == q.Limit {
			fresh.from = found[q.Limit-1].ID // there may be older ones that were not read
		}
		db.pages.put(thread, fresh)
	}
	return found, err
}

// messages reads a range of the primary key. Ids are times, so that a range of time needs no other index.
func (db *DB) messages(ctx context.Context, thread chat.ThreadKey, first, last chat.MessageID, limit int) ([]chat.Message, error) {
	var out []chat.Message
	err := db.read("messages", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error {
			m, err := scanMessage(r)
			out = append(out, m)
			return err
		}, "SELECT "+messageColumns+" FROM messages WHERE tk = $1 AND id >= $2 AND id <= $3 ORDER BY id DESC LIMIT $4 + 0",
			int64(thread), int64(first), int64(last), limit)
	})
	return out, err
}

// scanReceipt reads user_id, message_id and read_on.
func scanReceipt(r sqldb.Row) (chat.ReadReceipt, error) {
	var out chat.ReadReceipt
	err := r.Scan(&out.Reader, &out.MessageID, &out.ReadOn)
	return out, err
}

// Expired returns threads whose retention has ended and which are not deleted yet. See chat.Store.
func (db *DB) Expired(ctx context.Context, now chat.Time, limit int) ([]chat.ThreadID, error) {
	var out []chat.ThreadID
	err := db.read("expired", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error {
			var id chat.ThreadID
			err := r.Scan(&id)
			out = append(out, id)
			return err
		}, "SELECT id FROM threads WHERE expires_on > 0 AND deleted_on = 0 AND expires_on <= $1 ORDER BY expires_on LIMIT $2 + 0", int64(now), limit)
	})
	return out, err
}

// view implements chat.View inside the transaction of an update.
type view struct {
	ctx context.Context
	tx  sqldb.Tx
	id  chat.ThreadID
	key chat.ThreadKey
}

// openView locks the thread for the rest of the transaction.
func openView(ctx context.Context, tx sqldb.Tx, id chat.ThreadID) (*view, error) {
	v := &view{ctx: ctx, tx: tx, id: id}
	return v, tx.QueryRow(ctx, []any{(*int64)(&v.key)}, "SELECT tk FROM threads WHERE id = $1"+tx.Dialect().LockClause, string(id))
}

// Access implements chat.View.
func (v *view) Access(user chat.Identity) (*chat.Access, error) {
	a, err := accessOf(v.ctx, v.tx, v.id, user)
	return &a, err
}

// Present implements chat.View.
func (v *view) Present() ([]chat.Participant, error) {
	var out []chat.Participant
	err := v.tx.Query(v.ctx, func(r sqldb.Row) error {
		p, err := scanParticipant(r)
		out = append(out, p)
		return err
	}, "SELECT "+participantColumns+" FROM participants WHERE tk = $1 AND gone = 0 ORDER BY joined, place", int64(v.key))
	return out, err
}

// Message implements chat.View.
func (v *view) Message(id chat.MessageID) (*chat.Message, error) {
	return messageOf(v.ctx, v.tx, v.key, id)
}

// Receipt implements chat.View.
func (v *view) Receipt(reader chat.Identity) (*chat.ReadReceipt, error) {
	var out *chat.ReadReceipt
	err := v.tx.Query(v.ctx, func(r sqldb.Row) error {
		receipt, err := scanReceipt(r)
		out = &receipt
		return err
	}, "SELECT user_id, message_id, read_on FROM receipts WHERE tk = $1 AND user_id = $2", int64(v.key), string(reader))
	return out, err
}
