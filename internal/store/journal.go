package store

import (
	"context"
	"encoding/json"
	"math"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// eventRecord is the part of an event that has no columns of its own, as JSON in the column body.
type eventRecord struct {
	Message      *messageRecord      `json:"message,omitempty"`
	Receipt      *receiptRecord      `json:"receipt,omitempty"`
	Properties   *propertiesRecord   `json:"properties,omitempty"`
	Participants []participantRecord `json:"participants,omitempty"`
}

// messageRecord leaves out id and sequence number, which have columns, and the version, which is that of the event.
type messageRecord struct {
	Type      chat.MessageType  `json:"type"`
	Sender    chat.Identity     `json:"sender,omitempty"`
	Name      string            `json:"name,omitempty"`
	Content   contentRecord     `json:"content"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	High      bool              `json:"high,omitempty"`
	EditedOn  chat.Time         `json:"edited,omitempty"`
	DeletedOn chat.Time         `json:"deleted,omitempty"`
}

// receiptRecord leaves out the id of the message, which has the column message_id.
type receiptRecord struct {
	Reader chat.Identity `json:"reader"`
	ReadOn chat.Time     `json:"on"`
}

// insertEvents is called last in a transaction: from here on, readers of the journal wait for its commit.
func insertEvents(ctx context.Context, tx sqldb.Tx, key chat.ThreadKey, events []chat.Event) error {
	if announce := tx.Dialect().AnnouncePosition; announce != "" && len(events) > 0 {
		if err := tx.Queue(ctx, announce); err != nil {
			return err
		}
	}
	for i := range events {
		if err := insertEvent(ctx, tx, key, &events[i]); err != nil {
			return err
		}
	}
	return nil
}

// insertEvent writes one event. Its position is given by the database.
func insertEvent(ctx context.Context, tx sqldb.Tx, key chat.ThreadKey, e *chat.Event) error {
	// Both are columns so that the posts of Postgres can give a message its place without rendering JSON again.
	var message chat.MessageID
	var seq int64
	if m := e.Message; m != nil {
		message, seq = m.ID, m.Seq
	}
	if r := e.Receipt; r != nil {
		message = r.MessageID
	}
	body, err := formatEvent(e)
	if err != nil {
		return err
	}
	return tx.Queue(ctx, `INSERT INTO journal (tk, thread_id, roster, kind, at, version, actor, actor_name, message_id, seq, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		int64(key), string(e.ThreadID), int64(e.Roster), string(e.Kind), int64(e.At), e.Version, string(e.Actor), e.ActorName, int64(message), seq, body)
}

// formatEvent renders the column body of an event.
func formatEvent(e *chat.Event) (string, error) {
	record := eventRecord{Participants: recordsOf(e.Participants)}
	if m := e.Message; m != nil {
		record.Message = &messageRecord{m.Type, m.Sender, m.SenderName, recordOfContent(m.Content), m.Metadata, m.High, m.EditedOn, m.DeletedOn}
	}
	if r := e.Receipt; r != nil {
		record.Receipt = &receiptRecord{r.Reader, r.ReadOn}
	}
	if e.Properties != nil {
		p := recordOfProperties(e.Properties)
		record.Properties = &p
	}
	body, err := json.Marshal(record)
	return string(body), err
}

// After returns up to limit events behind a position of the journal, in its order. What it has returned once it returns again:
// no event appears later before one that was read. An event that was purged is left out.
func (db *DB) After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	var out []chat.Event
	err := db.read("after", func(c sqldb.Conn) (err error) {
		// Where no position is missing, nothing can appear in between later, and the engine need not be asked what is settled.
		if out, err = events(ctx, c, position, math.MaxInt64, limit); err != nil || gapless(out, position) {
			return err
		}
		settled, err := db.settled(ctx)
		if err != nil {
			return err
		}
		out, err = events(ctx, c, position, settled, limit)
		return err
	})
	if n := len(out); err == nil && n > 0 {
		db.raiseNewest(out[n-1].Position)
	}
	return out, err
}

// gapless reports whether the events follow on a position and on one another without a gap.
func gapless(in []chat.Event, position chat.Position) bool {
	for i := range in {
		if in[i].Position != position+chat.Position(i)+1 {
			return false
		}
	}
	return true
}

// events reads those behind position from, up to and including position to.
func events(ctx context.Context, c sqldb.Conn, from, to chat.Position, limit int) ([]chat.Event, error) {
	var out []chat.Event
	err := c.Query(ctx, func(r sqldb.Row) error {
		e, err := scanEvent(r)
		out = append(out, e)
		return err
	}, `SELECT pos, tk, thread_id, roster, kind, at, version, actor, actor_name, message_id, seq, body
		FROM journal WHERE pos > $1 AND pos <= $2 ORDER BY pos LIMIT $3 + 0`, int64(from), int64(to), limit)
	return out, err
}

// settled is what the engine says, but never before what After has returned: in Postgres a transaction may announce itself
// late, with an old position.
func (db *DB) settled(ctx context.Context) (chat.Position, error) {
	newest := chat.Position(db.newest.Load()) // before the engine is asked
	settled, err := db.engine.Settled(ctx)
	return max(newest, settled), err
}

// raiseNewest never lowers it: readers may be at different positions.
func (db *DB) raiseNewest(position chat.Position) {
	for {
		newest := db.newest.Load()
		if int64(position) <= newest || db.newest.CompareAndSwap(newest, int64(position)) {
			return
		}
	}
}

// scanEvent reads the columns of events, whose body may lack fields that older versions did not write.
func scanEvent(r sqldb.Row) (chat.Event, error) {
	var e chat.Event
	var message, seq int64
	var body []byte
	err := r.Scan((*int64)(&e.Position), (*int64)(&e.Key), (*string)(&e.ThreadID), (*int64)(&e.Roster), (*string)(&e.Kind), (*int64)(&e.At), &e.Version,
		(*string)(&e.Actor), &e.ActorName, &message, &seq, &body)
	if err != nil {
		return e, err
	}
	var record eventRecord
	if err := json.Unmarshal(body, &record); err != nil {
		return e, err
	}
	e.Participants = participantsOf(record.Participants)
	if m := record.Message; m != nil {
		e.Message = &chat.Message{
			ID: chat.MessageID(message), Seq: seq, Version: e.Version, Type: m.Type, Content: contentOf(m.Content),
			Sender: m.Sender, SenderName: m.Name, EditedOn: m.EditedOn, DeletedOn: m.DeletedOn, Metadata: m.Metadata, High: m.High,
		}
	}
	if rec := record.Receipt; rec != nil {
		e.Receipt = &chat.ReadReceipt{Reader: rec.Reader, MessageID: chat.MessageID(message), ReadOn: rec.ReadOn}
	}
	if record.Properties != nil {
		p := propertiesOf(*record.Properties)
		e.Properties = &p
	}
	return e, nil
}

// Head returns the newest position of the journal that readers may go to, 0 when it is empty.
func (db *DB) Head(ctx context.Context) (chat.Position, error) {
	var head chat.Position
	err := db.read("head", func(c sqldb.Conn) error {
		settled, err := db.settled(ctx)
		if err != nil {
			return err
		}
		return c.QueryRow(ctx, []any{(*int64)(&head)}, "SELECT coalesce(max(pos), 0) FROM journal WHERE pos <= $1", int64(settled))
	})
	return head, err
}

// Oldest returns the oldest position that the journal still has, 0 when it is empty. Who stopped reading before it has missed
// events.
func (db *DB) Oldest(ctx context.Context) (chat.Position, error) {
	var oldest chat.Position
	err := db.read("oldest", func(c sqldb.Conn) error {
		return c.QueryRow(ctx, []any{(*int64)(&oldest)}, "SELECT coalesce(min(pos), 0) FROM journal")
	})
	return oldest, err
}

// Audience returns the participants of a thread at a roster version. They never change for that version, so callers may cache
// them without limit of time.
func (db *DB) Audience(ctx context.Context, thread chat.ThreadKey, roster chat.RosterVersion) ([]chat.Participant, error) {
	var out []chat.Participant
	err := db.read("audience", func(c sqldb.Conn) error {
		return c.Query(ctx, func(r sqldb.Row) error {
			p, err := scanParticipant(r)
			out = append(out, p)
			return err
		}, "SELECT "+participantColumns+" FROM participants WHERE tk = $1 AND joined <= $2 AND (gone = 0 OR gone > $2)", int64(thread), int64(roster))
	})
	return out, err
}
