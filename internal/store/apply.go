package store

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// Create stores a new thread. See chat.Store.
func (db *DB) Create(ctx context.Context, c *chat.Change, answer chat.Creation) (chat.Creation, error) {
	var out chat.Creation
	err := db.publish(ctx, "create", func(tx sqldb.Tx) error {
		key, err := insertThread(ctx, tx, &c.Thread)
		if err == sqldb.ErrNoRow { //nolint:errorlint // conn returns it bare
			out, err = creationOf(ctx, tx, c.Thread.ID)
			return err
		}
		if err != nil {
			return err
		}
		out = answer
		raw, err := formatCreation(answer)
		if err != nil {
			return err
		}
		if err := tx.Queue(ctx, "INSERT INTO creations (tk, answer) VALUES ($1, $2)", int64(key), raw); err != nil {
			return err
		}
		return insertRows(ctx, tx, key, c)
	})
	return out, err
}

func creationOf(ctx context.Context, tx sqldb.Tx, id chat.ThreadID) (chat.Creation, error) {
	var raw string
	if err := tx.QueryRow(ctx, []any{&raw}, "SELECT answer FROM creations WHERE tk = (SELECT tk FROM threads WHERE id = $1)", string(id)); err != nil {
		return chat.Creation{}, err
	}
	return parseCreation(id, raw)
}

// insertThread returns the new thread's key, or sqldb.ErrNoRow when a thread of that id is there; who creates it at the same
// time is waited for.
func insertThread(ctx context.Context, tx sqldb.Tx, t *chat.Thread) (key chat.ThreadKey, err error) {
	err = tx.QueryRow(ctx, []any{(*int64)(&key)}, `INSERT INTO threads
		(id, topic, created_by, created_on, metadata, retention_kind, retention_days, expires_on, seq, last_id, last_on, roster, present, text_only)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO NOTHING RETURNING tk`,
		string(t.ID), t.Topic, string(t.CreatedBy), int64(t.CreatedOn), formatMap(t.Metadata), t.Retention.Kind, t.Retention.Days,
		int64(t.ExpiresOn()), t.Seq, int64(t.LastID), int64(t.LastOn), int64(t.Roster), t.Present, t.TextOnly)
	return key, err
}

// Post gives a message its place and stores it. See chat.Store.
func (db *DB) Post(ctx context.Context, p *chat.Post) (chat.Message, error) {
	m, err := db.place(ctx, p)
	if errors.Is(err, chat.ErrStale) {
		db.recent.forget(member{p.Thread.ID, p.Message.Sender})
	}
	return m, err
}

// placeSQL moves a thread by one message, unless it is not what the decision relied on any more.
var placeSQL = "UPDATE threads SET seq = seq + 1, last_id = " + sqldb.NextID("last_id", "$1") + ", last_on = " + sqldb.NextID("last_id", "$1") +
	" WHERE tk = $2 AND roster = $3 AND text_only = $4 AND deleted_on = 0 RETURNING seq, last_id"

// place checks what the decision relied on in the statement that moves the thread: roster version and policy must be the
// same still.
func (db *DB) place(ctx context.Context, p *chat.Post) (chat.Message, error) {
	if e, ok := db.engine.(sqldb.Poster); ok {
		start := time.Now()
		m, err := placeBy(ctx, e, p)
		return m, db.published("post", start, err)
	}
	var out chat.Message
	err := db.publish(ctx, "post", func(tx sqldb.Tx) error {
		var seq, id int64
		err := tx.QueryRow(ctx, []any{&seq, &id}, placeSQL,
			int64(p.At), int64(p.Thread.Key), int64(p.Thread.Roster), p.Thread.TextOnly)
		if err == sqldb.ErrNoRow { //nolint:errorlint // conn returns it bare
			return chat.ErrStale
		}
		if err != nil {
			return err
		}
		m, events := p.Place(seq, chat.MessageID(id))
		out = m
		if err := insertMessage(ctx, tx, p.Thread.Key, &m); err != nil {
			return err
		}
		return insertEvents(ctx, tx, p.Thread.Key, events)
	})
	return out, err
}

// placeBy has an engine place a message that can do so by itself.
func placeBy(ctx context.Context, e sqldb.Poster, p *chat.Post) (chat.Message, error) {
	row, err := rowOf(p)
	if err != nil {
		return chat.Message{}, err
	}
	seq, id, err := e.Post(ctx, row)
	if err != nil {
		return chat.Message{}, err
	}
	m, _ := p.Place(seq, id)
	return m, nil
}

// rowOf renders a post and its event, of which an engine fills in the place only.
func rowOf(p *chat.Post) (row sqldb.Post, err error) {
	m, events := p.Place(0, 0)
	if len(events) != 1 {
		return row, errors.New("a post has one event")
	}
	t := &p.Thread
	row = sqldb.Post{
		Thread: t.Key, ThreadID: t.ID, Roster: t.Roster, TextOnly: t.TextOnly, At: p.At, Type: string(m.Type), Sender: string(m.Sender), Name: m.SenderName,
		Metadata: formatMap(m.Metadata), Attachments: formatList(attachmentRecords(m.Content.Attachments)), High: m.High,
		EventKind: string(events[0].Kind),
	}
	if row.Content, err = formatContent(&m); err == nil {
		row.EventBody, err = formatEvent(&events[0])
	}
	return row, err
}

// Update applies what decide makes of the thread. See chat.Store.
func (db *DB) Update(ctx context.Context, id chat.ThreadID, decide func(chat.View) (*chat.Change, error)) error {
	return db.publish(ctx, "update", func(tx sqldb.Tx) error {
		v, err := openView(ctx, tx, id)
		if err != nil {
			return err
		}
		c, err := decide(v)
		if err != nil || c == nil {
			return err
		}
		return updateThread(ctx, tx, c)
	})
}

func updateThread(ctx context.Context, tx sqldb.Tx, c *chat.Change) error {
	t := &c.Thread
	if !reflect.DeepEqual(c.Before, c.Thread) { // edits, receipts and altered participants alone leave the thread as it is
		err := tx.Queue(ctx, `UPDATE threads SET topic = $2, deleted_on = $3, metadata = $4, retention_kind = $5, retention_days = $6,
			expires_on = $7, seq = $8, last_id = $9, last_on = $10, roster = $11, present = $12, text_only = $13 WHERE tk = $1`,
			int64(t.Key), t.Topic, int64(t.DeletedOn), formatMap(t.Metadata), t.Retention.Kind, t.Retention.Days,
			int64(t.ExpiresOn()), t.Seq, int64(t.LastID), int64(t.LastOn), int64(t.Roster), t.Present, t.TextOnly)
		if err != nil {
			return err
		}
	}
	if len(c.Replace) > 0 { // pages that are remembered of this state are not true any more
		err := tx.Queue(ctx, "UPDATE threads SET edited = "+sqldb.NextID("edited", "$2")+" WHERE tk = $1", int64(t.Key), c.Replace[0].Version)
		if err != nil {
			return err
		}
	}
	return insertRows(ctx, tx, t.Key, c)
}

// insertRows writes everything of a change but the thread's own row.
func insertRows(ctx context.Context, tx sqldb.Tx, key chat.ThreadKey, c *chat.Change) error {
	for i := range c.Join {
		p := &c.Join[i]
		err := tx.Queue(ctx, `INSERT INTO participants (tk, user_id, joined, place, name, share_from, metadata, roles) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			int64(key), string(p.Identity), int64(p.Joined), i, p.DisplayName, int64(p.ShareFrom), formatMap(p.Metadata), formatList(p.Roles))
		if err != nil {
			return err
		}
	}
	for _, p := range c.Leave {
		t := &c.Before
		err := tx.Queue(ctx, `UPDATE participants SET gone = $4, until = $5, left_topic = $6, left_metadata = $7, left_text_only = $8,
			left_retention_kind = $9, left_retention_days = $10 WHERE tk = $1 AND user_id = $2 AND joined = $3`,
			int64(key), string(p.Identity), int64(p.Joined), int64(p.Left), int64(p.Until), t.Topic, formatMap(t.Metadata), t.TextOnly, t.Retention.Kind, t.Retention.Days)
		if err != nil {
			return err
		}
	}
	for _, p := range c.Alter {
		err := tx.Queue(ctx, "UPDATE participants SET name = $4, roles = $5 WHERE tk = $1 AND user_id = $2 AND joined = $3",
			int64(key), string(p.Identity), int64(p.Joined), p.DisplayName, formatList(p.Roles))
		if err != nil {
			return err
		}
	}
	for i := range c.Append {
		if err := insertMessage(ctx, tx, key, &c.Append[i]); err != nil {
			return err
		}
	}
	for i := range c.Replace {
		if err := supersede(ctx, tx, key, c.Before.Roster, c.Replace[i].ID); err != nil {
			return err
		}
		if err := replaceMessage(ctx, tx, key, &c.Replace[i]); err != nil {
			return err
		}
	}
	if r := c.Receipt; r != nil {
		err := tx.Queue(ctx, `INSERT INTO receipts (tk, user_id, message_id, read_on) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tk, user_id) DO UPDATE SET message_id = excluded.message_id, read_on = excluded.read_on`,
			int64(key), string(r.Reader), int64(r.MessageID), int64(r.ReadOn))
		if err != nil {
			return err
		}
	}
	return insertEvents(ctx, tx, key, c.Events)
}

func insertMessage(ctx context.Context, tx sqldb.Tx, key chat.ThreadKey, m *chat.Message) error {
	content, err := formatContent(m)
	if err != nil {
		return err
	}
	return tx.Queue(ctx, `INSERT INTO messages (tk, id, seq, version, type, sender, name, content, metadata, high, attachments)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		int64(key), int64(m.ID), m.Seq, m.Version, string(m.Type), string(m.Sender), m.SenderName, content, formatMap(m.Metadata),
		m.High, formatList(attachmentRecords(m.Content.Attachments)))
}

func replaceMessage(ctx context.Context, tx sqldb.Tx, key chat.ThreadKey, m *chat.Message) error {
	content, err := formatContent(m)
	if err != nil {
		return err
	}
	return tx.Queue(ctx, `UPDATE messages SET version = $3, content = $4, metadata = $5, edited_on = $6, deleted_on = $7, attachments = $8, high = $9
		WHERE tk = $1 AND id = $2`,
		int64(key), int64(m.ID), m.Version, content, formatMap(m.Metadata), int64(m.EditedOn), int64(m.DeletedOn),
		formatList(attachmentRecords(m.Content.Attachments)), m.High)
}

// Note journals an event that changes nothing. See chat.Store.
func (db *DB) Note(ctx context.Context, e chat.Event) error {
	return db.publish(ctx, "note", func(tx sqldb.Tx) error { return insertEvents(ctx, tx, e.Key, []chat.Event{e}) })
}

// purgeSlice is how many rows one transaction of a purge removes, roughly: others are not to wait for it.
const purgeSlice = 5000

// Purge removes what nobody can read any more. See chat.Store.
func (db *DB) Purge(ctx context.Context, before chat.Time) error {
	const batch = 20 // threads in one transaction
	for {
		gone, err := db.deletedBefore(ctx, before, batch)
		if err != nil {
			return err
		}
		for _, t := range gone {
			if t.Seq > purgeSlice {
				if err := db.removeMessages(ctx, t.Key); err != nil {
					return err
				}
			}
		}
		err = db.write(ctx, "purge", func(tx sqldb.Tx) error { return removeThreads(ctx, tx, gone) })
		if err != nil {
			return err
		}
		if len(gone) < batch {
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

func (db *DB) deletedBefore(ctx context.Context, before chat.Time, limit int) ([]chat.Thread, error) {
	var out []chat.Thread
	err := db.read("purge", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error {
			var t chat.Thread
			err := r.Scan(&t.Key, &t.Seq)
			out = append(out, t)
			return err
		}, "SELECT tk, seq FROM threads WHERE deleted_on > 0 AND deleted_on < $1 ORDER BY deleted_on LIMIT $2 + 0", int64(before), limit)
	})
	return out, err
}

// removeMessages removes the messages of a large thread but for a last slice.
func (db *DB) removeMessages(ctx context.Context, key chat.ThreadKey) error {
	return db.inSlices(ctx, `DELETE FROM messages WHERE tk = $1
		AND id < (SELECT id FROM messages WHERE tk = $1 ORDER BY id LIMIT 1 OFFSET $2)`, int64(key), purgeSlice)
}

// removeEvents removes the events from before; the newest stays, as the mark of where the journal ends.
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

// PurgeTyping removes that somebody was typing. See chat.Store.
func (db *DB) PurgeTyping(ctx context.Context, before chat.Time) error {
	// The kind stands in the text for the index on just these rows to be used.
	return db.inSlices(ctx, "DELETE FROM journal WHERE pos IN (SELECT pos FROM journal WHERE kind = '"+string(chat.TypingReceived)+`' AND at < $1
		AND pos > (SELECT min(pos) FROM journal) AND pos < (SELECT max(pos) FROM journal) ORDER BY at LIMIT $2 + 0)`, int64(before), purgeSlice)
}

// inSlices runs a statement until it changes nothing any more.
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

func removeThreads(ctx context.Context, tx sqldb.Tx, gone []chat.Thread) error {
	for _, t := range gone {
		for _, table := range []string{"messages", "superseded", "receipts", "images", "participants", "creations", "threads"} {
			if err := tx.Queue(ctx, "DELETE FROM "+table+" WHERE tk = $1", int64(t.Key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// formatContent renders what a message says: user messages as their text, system messages as JSON.
func formatContent(m *chat.Message) (string, error) {
	if m.Type.User() {
		return m.Content.Text, nil
	}
	raw, err := json.Marshal(recordOfContent(m.Content))
	return string(raw), err
}
