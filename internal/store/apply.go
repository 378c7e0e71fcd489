package store

import (
	"context"
	"errors"
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

// Note journals an event that changes nothing. See chat.Store.
func (db *DB) Note(ctx context.Context, e chat.Event) error {
	return db.publish(ctx, "note", func(tx sqldb.Tx) error { return insertEvents(ctx, tx, e.Key, []chat.Event{e}) })
}
