package store

import (
	"context"
	"slices"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// A user who left a thread reads its messages as they were then. So an edit or deletion first copies the message to the table
// superseded, under the roster version of the edit, if a user whose latest stay has ended could see the message. A user who left
// at roster version n reads the copy with the smallest roster version from n on, or the message itself if there is none. One copy is
// enough for all edits between two removals. In a thread that nobody has left there are none.

// supersede copies a message before its edit, if a user who left is to read that version. The second condition on participants
// skips copies that no later removal needs; the third skips users who came back.
func supersede(ctx context.Context, tx sqldb.Tx, key chat.ThreadKey, roster chat.RosterVersion, id chat.MessageID) error {
	return tx.Queue(ctx, `INSERT INTO superseded (tk, id, roster, version, content, metadata, high, attachments, edited_on, deleted_on)
		SELECT tk, id, $3, version, content, metadata, high, attachments, edited_on, deleted_on FROM messages m
		WHERE tk = $1 AND id = $2 AND EXISTS (
			SELECT 1 FROM participants p WHERE p.tk = m.tk AND p.share_from <= m.id AND p.until >= m.id
			AND p.gone > coalesce((SELECT max(roster) FROM superseded WHERE tk = m.tk AND id = m.id), 0)
			AND NOT EXISTS (SELECT 1 FROM participants WHERE tk = p.tk AND user_id = p.user_id AND joined > p.joined))`,
		int64(key), int64(id), int64(roster))
}

// messagesAsLeft reads messages as they were when the user left. It reads superseded versions last: of an edit between the two
// reads, only the version before it is returned.
func (db *DB) messagesAsLeft(ctx context.Context, thread chat.ThreadKey, q chat.MessageQuery) ([]chat.Message, error) {
	found, err := db.messages(ctx, thread, q.From, lastOf(q), q.Limit)
	if err != nil || len(found) == 0 {
		return found, err
	}
	// Of each message in the range, the version with the smallest roster version from that of leaving on.
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
