package postgres_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/internal/store"
)

// A database of another encoding is refused by its name, with what to do. What clients of a database use by default does
// not matter.
func TestPostgresEncoding(t *testing.T) {
	t.Parallel()
	address := emptyStore(t)
	admin, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background()) //nolint:errcheck // it only made databases
	for _, encoding := range []string{"LATIN1", "SQL_ASCII"} {
		name := fmt.Sprintf("chatd_%s_%d", strings.ToLower(encoding), os.Getpid())
		if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING '"+encoding+"'"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			c, err := pgx.Connect(context.Background(), address)
			if err == nil {
				_, err = c.Exec(context.Background(), "DROP DATABASE "+name)
				_ = c.Close(context.Background())
			}
			if err != nil {
				t.Error(err)
			}
		})
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/" + name
		db, err := store.Open(t.Context(), u.String(), store.Options{})
		if err == nil {
			t.Errorf("%s was opened; closing it: %v", encoding, db.Close())
			continue
		}
		for _, want := range []string{"the encoding of the database is " + encoding, "createdb --encoding UTF8 --template template0"} {
			if line := err.Error(); !strings.Contains(line, want) || strings.Contains(line, "\n") {
				t.Errorf("%s: error is %q, want one line that says %q", encoding, line, want)
			}
		}
	}

	if _, err := admin.Exec(t.Context(), "ALTER DATABASE "+admin.Config().Database+" SET client_encoding = 'LATIN1'"); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"cache_statement", "simple_protocol"} {
		db := open(t, withOption(t, address, "default_query_exec_mode", mode))
		thread := newThread(t, db, "19:a@thread.v2")
		m, err := db.Post(t.Context(), textPost(thread, "日本語 "+mode))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := db.Message(t.Context(), thread.Key, m.ID); err != nil || got.Content.Text != "日本語 "+mode {
			t.Errorf("%s: the message is %+v, %v", mode, got, err)
		}
	}
}
