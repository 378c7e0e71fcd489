package store

import (
	"context"
	"slices"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// Who left a thread reads its messages as they were then. So an edit or deletion keeps the version before it where the latest
// stay of somebody ended while they could see the message, under the roster version at which it was made: who left at one up
// to that sees what was kept under the smallest such. One version is enough for all edits between two removals; with nobody
// gone there is none.

// supersede keeps a message as it is before its edit, if somebody who left is to see it so.
func supersede(ctx context.Context, tx sqldb.Tx, key chat.ThreadKey, roster chat.RosterVersion, id chat.MessageID) error {
	return tx.Queue(ctx, `INSERT INTO superseded (tk, id, roster, version, content, metadata, high, attachments, edited_on, deleted_on)
		SELECT tk, id, $3, version, content, metadata, high, attachments, edited_on, deleted_on FROM messages m
		WHERE tk = $1 AND id = $2 AND EXISTS (
			SELECT 1 FROM participants p WHERE p.tk = m.tk AND p.share_from <= m.id AND p.until >= m.id
			AND p.gone > coalesce((SELECT max(roster) FROM superseded WHERE tk = m.tk AND id = m.id), 0)
			AND NOT EXISTS (SELECT 1 FROM participants WHERE tk = p.tk AND user_id = p.user_id AND joined > p.joined))`,
		int64(key), int64(id), int64(roster))
}

// messagesAsLeft reads messages as somebody left them. What was superseded is read last: an edit between the two reads is then
// seen in neither.
func (db *DB) messagesAsLeft(ctx context.Context, thread chat.ThreadKey, q chat.MessageQuery) ([]chat.Message, error) {
	found, err := db.messages(ctx, thread, q.From, lastOf(q), q.Limit)
	if err != nil || len(found) == 0 {
		return found, err
	}
	err = db.read("superseded", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error {
			m, err := scanMessage(r)
			if i := slices.IndexFunc(found, func(f chat.Message) bool { return f.ID == m.ID }); i >= 0 {
				found[i] = m
			}
			return err
		}, `SELECT m.id, m.seq, s.version, m.type, m.sender, m.name, s.content, s.metadata, s.high, s.attachments, s.edited_on, s.deleted_on
			FROM superseded s JOIN messages m ON m.tk = s.tk AND m.id = s.id
			WHERE s.tk = $1 AND s.id >= $2 AND s.id <= $3
			AND s.roster = (SELECT min(roster) FROM superseded WHERE tk = s.tk AND id = s.id AND roster >= $4)`,
			int64(thread), int64(found[len(found)-1].ID), int64(found[0].ID), int64(q.Left))
	})
	return found, err
}
