package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
	"github.com/chatd/chatd/internal/store/pgtest"
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

// From a file to Postgres and on to another file, each store shows the same to every user, and continues.
func TestCopy(t *testing.T) {
	t.Parallel()
	now := &atomic.Int64{}
	now.Store(1_700_000_000_000)
	first := install(t, "sqlite:"+filepath.Join(t.TempDir(), "first.db"), now)
	life := first.live()
	want := first.look(life)
	for _, table := range copied {
		if none := fmt.Sprint([]any{(&tally{}).String(), ""}); fmt.Sprint(want["rows of "+table]) == none {
			t.Errorf("the test fills no %s", table)
		}
	}
	from := first
	for _, url := range []string{pgtest.Database(t, nil), "sqlite:" + filepath.Join(t.TempDir(), "second.db"), "sqlite:" + filepath.Join(t.TempDir(), "third.db")} {
		var tables []string
		if err := Copy(t.Context(), from.url, url, func(c Copied) { tables = append(tables, c.Table) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tables, copied) {
			t.Errorf("reported are %v", tables)
		}
		to := install(t, url, now)
		if diff := cmp.Diff(want, to.look(life)); diff != "" {
			t.Errorf("copy to %.8s (-want +got):\n%.4000s", url, diff)
		}
		from = to
	}
	for _, i := range []*installation{first, from} {
		i.continues(life)
	}
}

// Postgres gives no number again either.
func TestCopyToPostgresGoesOn(t *testing.T) {
	t.Parallel()
	now := &atomic.Int64{}
	now.Store(1_700_000_000_000)
	first := install(t, "sqlite:"+filepath.Join(t.TempDir(), "first.db"), now)
	life := first.live()
	url := pgtest.Database(t, nil)
	if err := Copy(t.Context(), first.url, url, func(Copied) {}); err != nil {
		t.Fatal(err)
	}
	install(t, url, now).continues(life)
}

// Every table that a schema has is copied, or one of the two that are not to be.
func TestCopyTakesAllTables(t *testing.T) {
	t.Parallel()
	for url, query := range map[string]string{
		"sqlite:" + filepath.Join(t.TempDir(), "chatd.db"): "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
		pgtest.Database(t, nil):                            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
	} {
		i := install(t, url, &atomic.Int64{})
		err := i.db.engine.Read().Query(t.Context(), func(r sqldb.Row) error {
			var name string
			err := r.Scan(&name)
			if !slices.Contains(append([]string{"schema_migrations", "leases"}, copied...), name) {
				t.Errorf("table %s is not copied", name)
			}
			return err
		}, query)
		i.must(err)
	}
}

// A copy that goes wrong says so in one line and leaves nothing.
func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	now := &atomic.Int64{}
	now.Store(1_700_000_000_000)
	dir := t.TempDir()
	full := install(t, "sqlite:"+filepath.Join(dir, "full.db"), now)
	full.live()
	file := func(name string) string { return "sqlite:" + filepath.Join(dir, name) }
	prepared := func(url string, do ...string) string {
		db, err := Open(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range do {
			err = errors.Join(err, db.engine.Write(t.Context(), insert(sql)))
		}
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		return url
	}
	other := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"a source that is not there", file("none.db"), file("a.db"), "source: store file " + filepath.Join(dir, "none.db")},
		{"a source that is no store", "sqlite:" + other, file("b.db"), "source: it is no store of chatd"},
		{"an empty database as source", pgtest.Database(t, nil), file("c.db"), "source: it is no store of chatd"},
		{"a source without its schema", prepared(file("bare.db"), "DELETE FROM schema_migrations"), file("d.db"), "source: it is no store of chatd"},
		{"a source of a newer chatd", prepared(file("new.db"), "INSERT INTO schema_migrations (version, name, checksum, applied_on) VALUES (99, 'x', '', 0)"), file("d.db"), "source: the store has schema 99"},
		{"memory as source", "memory:", file("e.db"), "source: memory: ends with the process"},
		{"memory as target", full.url, "memory:", "target: memory: ends with the process"},
		{"itself as target", full.url, full.url, "not empty: table secrets has rows"},
		{"a file in use as target", full.url, prepared(file("f.db"), "INSERT INTO users (id, created_on) VALUES ('x', 1)"), "not empty: table users has rows"},
		{"a database in use as target", full.url, prepared(pgtest.Database(t, nil), "INSERT INTO journal (tk, thread_id, roster, kind, at, version, actor, actor_name, body) VALUES (1, '', 1, '', 1, 1, '', '', '')"), "not empty: table journal has rows"},
		{"a file that keeps something else", full.url, prepared(file("g.db"), "CREATE TRIGGER t AFTER INSERT ON receipts BEGIN UPDATE receipts SET read_on = read_on + 1 WHERE tk = NEW.tk AND user_id = NEW.user_id; END"), "table receipts: the target has"},
		{"a file that keeps less", full.url, prepared(file("h.db"), "CREATE TRIGGER t AFTER INSERT ON journal WHEN NEW.pos = 9 BEGIN DELETE FROM journal WHERE pos = 9; END"), "table journal: the target has"},
		{"a database that keeps something else", full.url, prepared(pgtest.Database(t, nil),
			"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.topic := NEW.topic || ' '; RETURN NEW; END $$",
			"CREATE TRIGGER t BEFORE INSERT ON threads FOR EACH ROW EXECUTE FUNCTION f()"), "table threads: the target has"},
		{"a database that refuses a row", full.url, prepared(pgtest.Database(t, nil), "ALTER TABLE messages ADD CHECK (content <> 'edited')"), "table messages: "},
		{"a table with another column", full.url, prepared(pgtest.Database(t, nil), "ALTER TABLE receipts ADD COLUMN extra TEXT"), "table receipts: the source has columns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := rowsOf(t, c.to)
			err := Copy(t.Context(), c.from, c.to, func(Copied) {})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %v, want one line with %q", err, c.want)
			}
			if after := rowsOf(t, c.to); after != before {
				t.Errorf("the target had %d rows and has %d", before, after)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("a source was made")
	}
}

// A copy that is cancelled leaves nothing either.
func TestCopyStops(t *testing.T) {
	t.Parallel()
	now := &atomic.Int64{}
	now.Store(1_700_000_000_000)
	from := install(t, "sqlite:"+filepath.Join(t.TempDir(), "full.db"), now)
	from.live()
	for _, url := range []string{"sqlite:" + filepath.Join(t.TempDir(), "chatd.db"), pgtest.Database(t, nil)} {
		ctx, cancel := context.WithCancel(t.Context())
		err := Copy(ctx, from.url, url, func(c Copied) {
			if c.Table == "messages" {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		if n := rowsOf(t, url); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	}
}

// rowsOf counts the rows of a store.
func rowsOf(t *testing.T, url string) (sum int) {
	t.Helper()
	db, err := Open(t.Context(), url, Options{Listen: NoListen})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, table := range copied {
		var n int
		if err := db.engine.Read().QueryRow(t.Context(), []any{&n}, "SELECT count(*) FROM "+table); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
