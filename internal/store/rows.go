package store

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// This file is the only writer of rows of threads. Its functions write what they are given, with the ids, sequence numbers and
// times that it has: who calls them decides on those. An import of threads from elsewhere belongs beside Create and Update in
// apply.go and writes by these functions; it has to call Clear, since pages that are remembered do not know of older messages
// that come later.

// insertThread returns the key of the new thread, or a bare sqldb.ErrNoRow when a thread of that id exists. In Postgres it waits
// for a transaction that inserts the same id.
func insertThread(ctx context.Context, tx sqldb.Tx, t *chat.Thread) (key chat.ThreadKey, err error) {
	err = tx.QueryRow(ctx, []any{(*int64)(&key)}, `INSERT INTO threads
		(id, topic, created_by, created_on, metadata, retention_kind, retention_days, expires_on, seq, last_id, last_on, roster, present, text_only)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (id) DO NOTHING RETURNING tk`,
		string(t.ID), t.Topic, string(t.CreatedBy), int64(t.CreatedOn), formatMap(t.Metadata), t.Retention.Kind, t.Retention.Days,
		int64(t.ExpiresOn()), t.Seq, int64(t.LastID), int64(t.LastOn), int64(t.Roster), t.Present, t.TextOnly)
	return key, err
}

// updateThread writes a change of a thread that exists and is locked.
func updateThread(ctx context.Context, tx sqldb.Tx, c *chat.Change) error {
	t := &c.Thread
	if !reflect.DeepEqual(c.Before, c.Thread) { // edits, receipts and changes of participants leave the row as it is
		err := tx.Queue(ctx, `UPDATE threads SET topic = $2, deleted_on = $3, metadata = $4, retention_kind = $5, retention_days = $6,
			expires_on = $7, seq = $8, last_id = $9, last_on = $10, roster = $11, present = $12, text_only = $13 WHERE tk = $1`,
			int64(t.Key), t.Topic, int64(t.DeletedOn), formatMap(t.Metadata), t.Retention.Kind, t.Retention.Days,
			int64(t.ExpiresOn()), t.Seq, int64(t.LastID), int64(t.LastOn), int64(t.Roster), t.Present, t.TextOnly)
		if err != nil {
			return err
		}
	}
	if len(c.Replace) > 0 { // cached pages of this state are out of date
		err := tx.Queue(ctx, "UPDATE threads SET edited = "+sqldb.NextID("edited", "$2")+" WHERE tk = $1", int64(t.Key), c.Replace[0].Version)
		if err != nil {
			return err
		}
	}
	return insertRows(ctx, tx, t.Key, c)
}

// insertRows writes all of a change except the row of the thread. Events come last: see insertEvents.
func insertRows(ctx context.Context, tx sqldb.Tx, key chat.ThreadKey, c *chat.Change) error {
	for i := range c.Join { // place keeps the order of those who join at one roster version
		p := &c.Join[i]
		err := tx.Queue(ctx, `INSERT INTO participants (tk, user_id, joined, place, name, share_from, metadata, roles) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			int64(key), string(p.Identity), int64(p.Joined), i, p.DisplayName, int64(p.ShareFrom), formatMap(p.Metadata), formatList(p.Roles))
		if err != nil {
			return err
		}
	}
	for _, p := range c.Leave { // the row keeps the thread as it is, which is what they will read: see threadColumns
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
	if r := c.Receipt; r != nil { // one for each reader, the latest: rules have compared it with the one before
		err := tx.Queue(ctx, `INSERT INTO receipts (tk, user_id, message_id, read_on) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tk, user_id) DO UPDATE SET message_id = excluded.message_id, read_on = excluded.read_on`,
			int64(key), string(r.Reader), int64(r.MessageID), int64(r.ReadOn))
		if err != nil {
			return err
		}
	}
	return insertEvents(ctx, tx, key, c.Events)
}

// insertMessage writes a message with the place that it has.
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

// replaceMessage writes an edit or a deletion. Id, sequence number, type and sender of a message never change.
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

// formatContent renders the column content: the text itself for messages of users, a contentRecord for system messages.
func formatContent(m *chat.Message) (string, error) {
	if m.Type.User() {
		return m.Content.Text, nil
	}
	raw, err := json.Marshal(recordOfContent(m.Content))
	return string(raw), err
}
