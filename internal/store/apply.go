package store

import (
	"context"
	"errors"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// Create stores a new thread with the ids and times that the change has. When a thread of that id exists, it returns the answer
// that was kept with it. See chat.Store.
func (db *DB) Create(ctx context.Context, c *chat.Change, answer chat.Creation) (chat.Creation, error) {
	var out chat.Creation
	err := db.publish(ctx, "create", func(tx sqldb.Tx) error {
		// The row of the thread comes first: its id is unique, so of several creations at once one continues.
		key, err := insertThread(ctx, tx, &c.Thread)
		if err == sqldb.ErrNoRow { //nolint:errorlint // QueryRow returns it bare
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

// creationOf returns the answer that was kept with the creation of a thread.
func creationOf(ctx context.Context, tx sqldb.Tx, id chat.ThreadID) (chat.Creation, error) {
	var raw string
	if err := tx.QueryRow(ctx, []any{&raw}, "SELECT answer FROM creations WHERE tk = (SELECT tk FROM threads WHERE id = $1)", string(id)); err != nil {
		return chat.Creation{}, err
	}
	return parseCreation(id, raw)
}

// Post gives a message its place and stores it. See chat.Store.
func (db *DB) Post(ctx context.Context, p *chat.Post) (chat.Message, error) {
	m, err := db.post(ctx, p)
	if errors.Is(err, chat.ErrStale) { // the caller decides again, on what is true now
		db.recent.forget(member{p.Thread.ID, p.Message.Sender})
	}
	return m, err
}

// postSQL gives the next place in a thread to a message, unless the thread is not what the post was decided on any more. To check
// that here lets the decision rely on what is cached, and take no lock.
var postSQL = "UPDATE threads SET seq = seq + 1, last_id = " + sqldb.NextID("last_id", "$1") + ", last_on = " + sqldb.NextID("last_id", "$1") +
	" WHERE tk = $2 AND roster = $3 AND text_only = $4 AND deleted_on = 0 RETURNING seq, last_id"

// post leaves it to the engine, if that is a Poster, or runs a transaction.
func (db *DB) post(ctx context.Context, p *chat.Post) (chat.Message, error) {
	if e, ok := db.engine.(sqldb.Poster); ok {
		start := time.Now()
		m, err := postBy(ctx, e, p)
		return m, db.published("post", start, err)
	}
	var out chat.Message
	err := db.publish(ctx, "post", func(tx sqldb.Tx) error {
		var seq, id int64
		err := tx.QueryRow(ctx, []any{&seq, &id}, postSQL,
			int64(p.At), int64(p.Thread.Key), int64(p.Thread.Roster), p.Thread.TextOnly)
		if err == sqldb.ErrNoRow { //nolint:errorlint // QueryRow returns it bare
			return chat.ErrStale
		}
		if err != nil {
			return err
		}
		// The place is known only now, and so are the event's version and time.
		m, events := p.Place(seq, chat.MessageID(id))
		out = m
		if err := insertMessage(ctx, tx, p.Thread.Key, &m); err != nil {
			return err
		}
		return insertEvents(ctx, tx, p.Thread.Key, events)
	})
	return out, err
}

// postBy posts through an engine that has a faster way than a transaction for each message.
func postBy(ctx context.Context, e sqldb.Poster, p *chat.Post) (chat.Message, error) {
	row, err := postRow(p)
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

// postRow renders a post and its event as the columns keep them. The engine adds the place.
func postRow(p *chat.Post) (row sqldb.Post, err error) {
	// Any place will do: what depends on it has columns of its own, which the engine fills.
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

// Update runs decide on the thread, under its lock, and applies the change. See chat.Store.
func (db *DB) Update(ctx context.Context, id chat.ThreadID, decide func(chat.View) (*chat.Change, error)) error {
	return db.publish(ctx, "update", func(tx sqldb.Tx) error {
		v, err := openView(ctx, tx, id)
		if err != nil {
			return err
		}
		// The thread is locked from here to the commit: decide must be fast and may run again if the transaction does.
		c, err := decide(v)
		if err != nil || c == nil {
			return err
		}
		return updateThread(ctx, tx, c)
	})
}

// Note adds an event to the journal that changes nothing else, such as typing. See chat.Store.
func (db *DB) Note(ctx context.Context, e chat.Event) error {
	return db.publish(ctx, "note", func(tx sqldb.Tx) error { return insertEvents(ctx, tx, e.Key, []chat.Event{e}) })
}
