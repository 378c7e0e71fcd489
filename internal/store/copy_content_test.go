package store

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
	"github.com/chatd/chatd/internal/store/sqldb"
)

const copiedResource = "46849534-eb08-4ab7-bde7-c36928cd1547"

// installation is a store and what works on it.
type installation struct {
	t    *testing.T
	url  string
	db   *DB
	chat *chat.Service
	ids  *auth.Identities
	now  *atomic.Int64
}

func install(t *testing.T, url string, now *atomic.Int64) *installation {
	t.Helper()
	db, err := Open(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	clock := func() chat.Time { return chat.Time(now.Add(7)) }
	keys, err := auth.LoadKeySet(t.Context(), db, clock())
	if err != nil {
		t.Fatal(err)
	}
	return &installation{t, url, db, chat.NewService(db, clock, rand.Reader), auth.NewIdentities(copiedResource, keys, db, clock), now}
}

func (i *installation) must(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}

// life is what happened in an installation, as far as it is needed to look at it again.
type life struct {
	users    []chat.Identity
	threads  []chat.ThreadID
	images   map[chat.ThreadID]string
	tokens   []string // of all users, then one that is revoked
	repeated chat.NewThread
}

var png = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\xff")

// live does something for each table and column.
func (i *installation) live() *life {
	ctx := i.t.Context()
	l := &life{images: map[chat.ThreadID]string{}}
	for n := range 4 {
		user, err := i.ids.CreateCustom(ctx, []string{"", "custom é", "'\"\\", ""}[n])
		i.must(err)
		l.users = append(l.users, user.Identity)
		token, err := i.ids.Issue(ctx, user.Identity, []auth.Scope{auth.ScopeChat}, time.Hour, "")
		i.must(err)
		l.tokens = append(l.tokens, token.Value)
	}
	ann, ben, cid, dan := l.users[0], l.users[1], l.users[2], l.users[3]
	l.tokens = append(l.tokens, l.tokens[1])
	i.must(i.ids.Revoke(ctx, ben))
	fresh, err := i.ids.Issue(ctx, ben, []auth.Scope{auth.ScopeChat}, time.Hour, "")
	i.must(err)
	l.tokens[1] = fresh.Value

	for n := range 3 {
		in := chat.NewThread{
			Topic: fmt.Sprint("thread 日本語 ", n), Token: fmt.Sprint("token ", n), Metadata: map[string]string{"k": "v\u2028"}, TextOnly: n == 1,
			Participants: []chat.NewParticipant{{Identity: ben, DisplayName: "B 😀", Metadata: map[string]string{"a": "b"}}, {Identity: cid}},
		}
		made, err := i.chat.CreateThread(ctx, ann, in)
		i.must(err)
		l.threads, l.repeated = append(l.threads, made.Thread.ID), in
		i.talk(l, made.Thread.ID, ann, ben, cid, n != 1)
	}
	i.must(i.ids.Delete(ctx, dan))
	i.must(i.chat.DeleteThread(ctx, ann, l.threads[1]))

	// The newest thread and its events are removed. Their numbers must not be given again.
	made, err := i.chat.CreateThread(ctx, ann, chat.NewThread{Topic: "gone", Token: "gone"})
	i.must(err)
	gone, err := i.db.Access(ctx, made.Thread.ID, ann)
	i.must(err)
	i.must(i.db.engine.Write(ctx, func(c sqldb.Tx) error {
		for _, sql := range []string{"DELETE FROM threads WHERE tk = $1", "DELETE FROM creations WHERE tk = $1", "DELETE FROM messages WHERE tk = $1", "DELETE FROM participants WHERE tk = $1", "DELETE FROM journal WHERE tk = $1"} {
			if err := c.Queue(ctx, sql, gone.Thread.Key); err != nil {
				return err
			}
		}
		return nil
	}))
	i.place("endpoints", ann)
	_, err = i.db.Secret(ctx, "cursor")
	i.must(err)
	return l
}

func (i *installation) talk(l *life, id chat.ThreadID, ann, ben, cid chat.Identity, files bool) {
	ctx := i.t.Context()
	var sent []chat.Message
	for n := range 12 {
		m, err := i.chat.SendMessage(ctx, ben, id, chat.NewMessage{
			Content: strings.Repeat(fmt.Sprintf("%d é😀'\"\n\u0001 ", n), n+1), SenderName: "B", High: n%2 == 0, Metadata: map[string]string{"n": fmt.Sprint(n)},
		})
		i.must(err)
		sent = append(sent, m)
	}
	text := "edited"
	i.must(i.chat.UpdateMessage(ctx, ben, id, sent[3].ID, chat.MessageUpdate{Content: &text}))
	i.must(i.chat.DeleteMessage(ctx, ben, id, sent[5].ID))
	i.must(i.chat.SendReadReceipt(ctx, ann, id, sent[9].ID))
	i.must(i.chat.SendReadReceipt(ctx, cid, id, sent[7].ID))
	i.must(i.chat.SendTyping(ctx, cid, id, "C"))
	if files {
		image, err := i.chat.UploadImage(ctx, ann, id, chat.NewImage{Name: "a.png", Type: "image/png", Bytes: append(slices.Clone(png), make([]byte, 5_000)...)})
		i.must(err)
		l.images[id] = image.ID
	}
	i.must(i.chat.RemoveParticipant(ctx, ann, id, cid))
	_, err := i.chat.SendMessage(ctx, ann, id, chat.NewMessage{Content: "after cid"})
	i.must(err)
	later := "edited later" // cid still reads what was there
	i.must(i.chat.UpdateMessage(ctx, ben, id, sent[1].ID, chat.MessageUpdate{Content: &later}))
	i.must(i.chat.UpdateThread(ctx, ann, id, chat.ThreadUpdate{Topic: &later, Metadata: map[string]string{"k": "later"}}))
}

// place inserts a row into a table with any columns.
func (i *installation) place(table string, who chat.Identity) {
	ctx := i.t.Context()
	columns, err := fieldsOf(ctx, i.db.engine.Read(), table)
	i.must(err)
	var values []any
	for n, c := range columns {
		plain := any(int64(n + 40))
		if c.kind == "text" {
			plain = string(who)
		}
		v, err := c.take(plain)
		i.must(err)
		values = append(values, v)
	}
	i.must(i.db.engine.Write(ctx, insert("INSERT INTO "+table+" ("+names(columns)+") VALUES ($1"+sqldb.Placeholders(2, len(columns))+")", values...)))
}

// look returns all that can be seen of a life.
func (i *installation) look(l *life) map[string]any {
	ctx := i.t.Context()
	seen := map[string]any{}
	see := func(value any, err error, what ...any) {
		reason := ""
		if err != nil {
			reason = err.Error()
		}
		seen[fmt.Sprint(what...)] = []any{value, reason}
	}
	for n, who := range l.users {
		user, err := i.db.User(ctx, who)
		see(user, err, "user ", n)
		list, _, err := i.chat.ListThreads(ctx, who, chat.ThreadQuery{Limit: 100})
		see(list, err, "threads of ", n)
		custom, err := i.db.CustomUser(ctx, user.CustomID)
		see(custom, err, "custom user ", n)
		for _, id := range l.threads {
			messages, err := i.chat.ListMessages(ctx, who, id, 0, 0, 1000)
			see(messages, err, "messages ", n, id)
			access, err := i.db.Access(ctx, id, who)
			see(access, err, "access ", n, id)
			participants, _, err := i.chat.ListParticipants(ctx, who, id, chat.PageQuery{Limit: 100})
			see(participants, err, "participants ", n, id)
			receipts, _, err := i.chat.ListReadReceipts(ctx, who, id, chat.PageQuery{Limit: 100})
			see(receipts, err, "receipts ", n, id)
			image, err := i.chat.GetImage(ctx, who, id, l.images[id])
			see(image, err, "image ", n, id)
		}
	}
	for n, token := range l.tokens {
		principal, err := i.ids.Authenticate(ctx, token)
		see(principal, err, "token ", n)
	}
	for _, position := range []chat.Position{0, 17, 100} {
		events, err := i.db.After(ctx, position, 10_000)
		see(events, err, "events after ", position)
	}
	secret, err := i.db.Secret(ctx, "cursor")
	see(secret, err, "secret")
	keys, err := i.db.SigningKeys(ctx)
	see(keys, err, "signing keys")
	for _, table := range copied {
		columns, err := fieldsOf(ctx, i.db.engine.Read(), table)
		i.must(err)
		var all tally
		for _, err := range count(&all, readRows(ctx, i.db.engine.Read(), table, columns)) {
			i.must(err)
		}
		see(all.String(), nil, "rows of ", table)
	}
	return seen
}

// continues checks that an installation continues where the one before stopped: clients of the SDKs return to their positions, numbers
// are not given again, and what was created is not created twice.
func (i *installation) continues(l *life) {
	i.t.Helper()
	ctx := i.t.Context()
	before := i.db.engine.Read()
	var thread chat.ThreadKey
	var position chat.Position
	i.must(before.QueryRow(ctx, []any{&thread}, before.Dialect().LastNumber, "threads", "tk"))
	i.must(before.QueryRow(ctx, []any{&position}, before.Dialect().LastNumber, "journal", "pos"))
	if thread != 4 {
		i.t.Errorf("the last thread was number %d, want 4", thread)
	}
	again, err := i.chat.CreateThread(ctx, l.users[0], l.repeated)
	i.must(err)
	if again.Thread.ID != l.threads[2] {
		i.t.Errorf("a repeated create made %s", again.Thread.ID)
	}
	fresh, err := i.chat.CreateThread(ctx, l.users[0], chat.NewThread{Topic: "fresh", Token: rand.Text()})
	i.must(err)
	events, err := i.db.After(ctx, position, 10)
	i.must(err)
	if len(events) == 0 || events[0].ThreadID != fresh.Thread.ID || events[0].Key <= thread {
		i.t.Errorf("behind %d and thread %d there is %+v", position, thread, events)
	}
	ann := l.users[0]
	was, err := i.db.Endpoint(ctx, ann, string(ann))
	i.must(err)
	back, err := i.db.ConnectEndpoint(ctx, delivery.Connection{User: ann, Endpoint: string(ann), Number: was.Newest + 1, Position: position})
	if err != nil || was.Position != 44 || back.Position != was.Position { // which place gave it
		i.t.Errorf("a client comes back to position %d, %v; want %d", back.Position, err, was.Position)
	}
}
