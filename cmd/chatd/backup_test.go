//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/internal/store/pgtest"
)

// Each backup is taken as docs/hosting.md says, and restored where nothing was. A copy to another store is like one.
var backups = map[string]func(t *testing.T) (from, to string, backup, restore func()){
	"sqlite": func(t *testing.T) (from, to string, backup, restore func()) {
		dir := t.TempDir()
		file, copied := filepath.Join(dir, "chatd.db"), filepath.Join(dir, "backup.db")
		backup = func() {
			db, err := sql.Open("sqlite", "file:"+file)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), "VACUUM INTO '"+copied+"'"); err != nil {
				t.Error(err)
			}
		}
		return "sqlite:" + file, "sqlite:" + copied, backup, func() {}
	},
	"postgres": func(t *testing.T) (from, to string, backup, restore func()) {
		from, to = pgtest.Database(t, nil), pgtest.Database(t, nil)
		file := filepath.Join(t.TempDir(), "chatd.dump")
		call := func(name string, args ...string) {
			if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", name, err, out)
			}
		}
		dump, undump := pgtest.Tool(t, "pg_dump"), pgtest.Tool(t, "pg_restore")
		backup = func() { call(dump, "--format=custom", "--file="+file, from) }
		restore = func() { call(undump, "--no-owner", "--exit-on-error", "--dbname="+to, file) }
		return from, to, backup, restore
	},
	"copy of a file to postgres": func(t *testing.T) (from, to string, backup, restore func()) {
		return copied(t, "sqlite:"+filepath.Join(t.TempDir(), "chatd.db"), pgtest.Database(t, nil))
	},
	"copy of postgres to a file": func(t *testing.T) (from, to string, backup, restore func()) {
		return copied(t, pgtest.Database(t, nil), "sqlite:"+filepath.Join(t.TempDir(), "chatd.db"))
	},
}

// copied takes the backup by chatd copy.
func copied(t *testing.T, from, to string) (_, _ string, backup, restore func()) {
	return from, to, func() {
		if code, _, stderr := once(t, noEnv, "copy", "--from", from, "--to", to); code != exitOK {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	}, func() {}
}

// A server on a restored backup, which was taken while the first one was written to, continues: with its users and their
// tokens, with every message from before the backup, and with listeners where they were.
func TestBackup(t *testing.T) {
	t.Parallel()
	for name, open := range backups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to, backup, restore := open(t)
			serve := func(store string) *process {
				return spawn(t, "serve", "--listen", "off", "--http-listen", "127.0.0.1:0", "--store", store, "--access-key", ownKey, "--resource-id", resource)
			}
			first := serve(from)
			_, token := mint(t, "--store", from, "--resource-id", resource)
			var created struct{ ChatThread struct{ ID string } }
			if !first.post("/chat/threads", token, map[string]string{"topic": "backup"}, &created) {
				t.Fatal("no thread was created")
			}
			thread := "/chat/threads/" + strings.ReplaceAll(created.ChatThread.ID, ":", "%3A")
			send := func(p *process, content string) {
				t.Helper()
				if !p.post(thread+"/messages", token, map[string]string{"content": content}, &struct{}{}) {
					t.Errorf("%q was not sent", content)
				}
			}
			listener := dial(t, first, token, "")
			for n := range 50 {
				send(first, fmt.Sprint("before ", n))
			}
			receives(t, listener, "before 49")

			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
						first.post(thread+"/messages", token, map[string]string{"content": fmt.Sprint("meanwhile ", n)}, &struct{}{})
					}
				}
			}()
			backup()
			close(stop)
			<-stopped
			first.kill()

			restore()
			second := serve(to)
			defer second.kill()
			send(second, "after")
			found := second.contents(thread, token)
			for n := range 50 {
				if found[fmt.Sprint("before ", n)] != 1 {
					t.Errorf("message %d is there %d times", n, found[fmt.Sprint("before ", n)])
				}
			}
			receives(t, dial(t, second, token, listener.Position()), "after")
		})
	}
}

// dial listens from a position on.
func dial(t *testing.T, p *process, token, after string) *client.Conn {
	t.Helper()
	c, err := client.Dial(t.Context(), p.url, token, client.Options{After: after})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the server may be gone
	return c
}

// receives reads until a message of that content comes.
func receives(t *testing.T, c *client.Conn, content string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		e, err := c.Next(ctx)
		if err != nil {
			t.Fatalf("%q was not received: %v", content, err)
		}
		if e.Kind == client.MessageReceived && e.Message.Content.Message == content {
			return
		}
	}
}
