package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/sqldb"
)

var freeze = flag.Bool("freeze", false, "write testdata/schema1.json anew, as long as there is no second migration")

const frozenFile = "testdata/schema1.json"

// frozen is an installation as the first schema kept it. It is not made by the code of today, which knows today's columns alone.
type frozen struct {
	Now      int64
	Users    []chat.Identity
	Threads  []chat.ThreadID
	Images   map[chat.ThreadID]string
	Tokens   []string
	Repeated chat.NewThread
	Given    map[string]int64 // the last number of each counted column
	Tables   []frozenTable
}

type frozenTable struct {
	Name, Columns string
	Rows          []json.RawMessage // an array of numbers and texts; bytes are base64
}

// isBytes reports whether the column keeps bytes.
func (c field) isBytes() bool { return c.kind == "bytea" || c.kind == "blob" }

// TestUpgrade opens what the first schema kept, in each engine: today's migrations keep all of it.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	if *freeze {
		freezeSchema(t)
	}
	text, err := os.ReadFile(frozenFile)
	if err != nil {
		t.Fatal(err)
	}
	var f frozen
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	l := &life{users: f.Users, threads: f.Threads, images: f.Images, tokens: f.Tokens, repeated: f.Repeated}
	var seen []map[string]any
	for _, url := range []string{"sqlite:" + filepath.Join(t.TempDir(), "chatd.db"), pgtest.Database(t, nil)} {
		f.thaw(t, url)
		now := &atomic.Int64{}
		now.Store(f.Now)
		i := install(t, url, now)
		all, err := embedded(i.db.engine)
		i.must(err)
		if schema, err := i.db.Schema(t.Context()); err != nil || schema != len(all) {
			t.Errorf("schema is %d, %v; want %d", schema, err, len(all))
		}
		i.remembers(l)
		seen = append(seen, i.look(l))
		i.continues(l)
	}
	if diff := cmp.Diff(seen[0], seen[1]); diff != "" {
		t.Errorf("the engines differ (-file +Postgres):\n%.4000s", diff)
	}
}

// remembers checks what live has left.
func (i *installation) remembers(l *life) {
	i.t.Helper()
	ctx := i.t.Context()
	for n, token := range l.tokens {
		if p, err := i.ids.Authenticate(ctx, token); (err == nil) != (n < 3) || err == nil && p.Identity != l.users[n] {
			i.t.Errorf("token %d is of %q, %v", n, p.Identity, err) // 3 is of a user who was deleted, 4 is revoked
		}
	}
	ann, ben, cid := l.users[0], l.users[1], l.users[2]
	if list, _, err := i.chat.ListThreads(ctx, ann, chat.ThreadQuery{Limit: 10}); err != nil || len(list) != 3 {
		i.t.Errorf("%d threads are listed, %v", len(list), err)
	}
	for _, n := range []int{0, 2} { // 1 was deleted
		id := l.threads[n]
		messages, err := i.chat.ListMessages(ctx, ben, id, 0, 0, 100)
		texts := map[string]int{}
		for _, m := range messages {
			texts[m.Content.Text]++
		}
		if err != nil || texts["edited"] != 1 || texts["after cid"] != 1 || texts["0 é😀'\"\n\u0001 "] != 1 {
			i.t.Errorf("thread %d has messages %v, %v", n, texts, err)
		}
		if receipts, _, err := i.chat.ListReadReceipts(ctx, ben, id, chat.PageQuery{Limit: 10}); err != nil || len(receipts) == 0 {
			i.t.Errorf("thread %d has receipts %v, %v", n, receipts, err)
		}
		// cid was removed; the thread as it was then is not known, so it is that of the upgrade.
		if seen, err := i.chat.GetThread(ctx, cid, id); err != nil || seen.Topic != fmt.Sprint("thread 日本語 ", n) || seen.Metadata["k"] != "v\u2028" {
			i.t.Errorf("thread %d is to one who left %+v, %v", n, seen, err)
		}
		image, err := i.chat.GetImage(ctx, ann, id, l.images[id])
		if err != nil || !bytes.HasPrefix(image.Bytes, png) || len(image.Bytes) != len(png)+5_000 {
			i.t.Errorf("thread %d has an image of %d bytes, %v", n, len(image.Bytes), err)
		}
	}
}

// thaw makes a store of the first schema.
func (f *frozen) thaw(t *testing.T, url string) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := openEngine(ctx, url, sqldb.Options{Log: slog.New(slog.DiscardHandler), Wake: func() {}, Listen: NoListen})
	must(err)
	all, err := embedded(e)
	must(err)
	must(applyMigrations(ctx, e, all[:1], time.UnixMilli(f.Now)))
	must(e.Load(ctx, f.tables(), func(to sqldb.Loader) error {
		for _, table := range f.Tables {
			columns, err := fieldsOf(ctx, to, table.Name)
			if err != nil {
				return err
			}
			if got := names(columns); got != table.Columns {
				return fmt.Errorf("table %s of the first schema has columns %s, and %s has %s: before a release it is made anew by -freeze",
					table.Name, got, frozenFile, table.Columns)
			}
			if err := to.Fill(ctx, table.Name, namesOf(columns), rowsFor(columns, table.plain(columns))); err != nil {
				return err
			}
			if column := counted[table.Name]; column != "" {
				for _, sql := range to.Dialect().ResetSequence {
					if _, err := to.Exec(ctx, sql, table.Name, column, f.Given[table.Name]); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}))
	must(e.Close())
}

func (f *frozen) tables() []string {
	var out []string
	for _, table := range f.Tables {
		out = append(out, table.Name)
	}
	return out
}

// plain are the rows as a copy has them.
func (table *frozenTable) plain(columns []field) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for _, row := range table.Rows {
			var values []any
			d := json.NewDecoder(bytes.NewReader(row))
			d.UseNumber()
			err := d.Decode(&values)
			for n, v := range values {
				switch v := v.(type) {
				case json.Number:
					values[n], err = v.Int64()
				case string:
					if columns[n].isBytes() {
						var raw []byte
						raw, err = base64.StdEncoding.DecodeString(v)
						values[n] = string(raw)
					}
				}
				if err != nil {
					break
				}
			}
			if !yield(values, err) {
				return
			}
		}
	}
}

// freezeSchema writes the file.
func freezeSchema(t *testing.T) {
	now := &atomic.Int64{}
	now.Store(1_700_000_000_000)
	i := install(t, "sqlite:"+filepath.Join(t.TempDir(), "chatd.db"), now)
	all, err := embedded(i.db.engine)
	i.must(err)
	if len(all) != 1 {
		t.Fatal("the code of today knows a newer schema than the first")
	}
	l := i.live()
	f := frozen{
		Now: now.Load(), Users: l.users, Threads: l.threads, Images: l.images, Tokens: l.tokens, Repeated: l.repeated,
		Given: map[string]int64{},
	}
	from := i.db.engine.Read()
	for _, name := range copied {
		columns, err := fieldsOf(t.Context(), from, name)
		i.must(err)
		table := frozenTable{Name: name, Columns: names(columns)}
		for values, err := range readRows(t.Context(), from, name, columns) {
			i.must(err)
			for n, v := range values {
				if text, ok := v.(string); ok && columns[n].isBytes() {
					values[n] = base64.StdEncoding.EncodeToString([]byte(text))
				}
			}
			row, err := json.Marshal(values)
			i.must(err)
			table.Rows = append(table.Rows, row)
		}
		f.Tables = append(f.Tables, table)
		if column := counted[name]; column != "" {
			var last int64
			i.must(from.QueryRow(t.Context(), []any{&last}, from.Dialect().LastNumber, name, column))
			f.Given[name] = last
		}
	}
	out, err := json.MarshalIndent(f, "", " ")
	i.must(err)
	i.must(os.MkdirAll(filepath.Dir(frozenFile), 0o755))
	i.must(os.WriteFile(frozenFile, append(out, '\n'), 0o644))
}
