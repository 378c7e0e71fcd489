package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

const alice = chat.Identity("8:acs:46849534-eb08-4ab7-bde7-c36928cd1547_00000020-0000-0000-0000-000000000001")

// open opens a store that the test closes.
func open(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// What cannot be opened is named in an error of one line without secrets.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("These are notes and no database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, want string }{
		{"nothing", "", "want memory:, sqlite:PATH"},
		{"no scheme", "memory", "want memory:, sqlite:PATH"},
		{"memory and more", "memory:x", "want memory:, sqlite:PATH"},
		{"no path", "sqlite:", "want memory:, sqlite:PATH"},
		{"no path behind slashes", "sqlite://", "want memory:, sqlite:PATH"},
		{"SQLite's own word for memory", "sqlite::memory:", "want memory:, sqlite:PATH"},
		{"another database", "mysql://user:secret@h/db", "want memory:, sqlite:PATH"},
		{"a URL that cannot be parsed", "mysql://user:secret%@h/db", "want memory:, sqlite:PATH"},
		{"a URL without its scheme", "user:secret@h/db", "want memory:, sqlite:PATH"},
		{"Postgres that is not there", "postgres://user:secret@127.0.0.1:1/db", "connection refused"},
		{"Postgres by its other name", "postgresql://user:secret@127.0.0.1:1/db?sslmode=disable", "connection refused"},
		{"Postgres by a URL that cannot be parsed", "postgres://user:secret%@h/db", "cannot be understood"},
		{"Postgres with an option that is none", "postgres://user:secret@h/db?sslmode=maybe", "cannot be understood"},
		{"a missing folder", "sqlite:" + filepath.Join(dir, "none", "chatd.db"), filepath.Join(dir, "none")},
		{"a path below a regular file", "sqlite:" + filepath.Join(text, "chatd.db"), text + " is not a folder"},
		{"a path far below a regular file", "sqlite:" + filepath.Join(text, "a", "chatd.db"), filepath.Join(text, "a")},
		{"a folder", "sqlite:" + dir, dir},
		{"a file that is no database", "sqlite:" + text, text + ": file is not a database"},
		{"a folder that cannot be written to", "sqlite:" + unwritable(t), "store file /proc/chatd.db: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, err := store.Open(t.Context(), c.url, store.Options{})
			if err == nil {
				t.Fatalf("it was opened; closing it: %v", db.Close())
			}
			line := err.Error()
			if !strings.Contains(line, c.want) || strings.Contains(line, "\n") {
				t.Errorf("error is %q, want one line that says %q", line, c.want)
			}
			if strings.Contains(line, "secret") {
				t.Errorf("the error has the secret: %q", line)
			}
		})
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("files are %v, %v; want that of the test alone", left, err)
	}
}

// unwritable returns a path that cannot be created: the superuser may write anywhere but into /proc.
func unwritable(t *testing.T) string {
	t.Helper()
	if os.Getuid() == 0 {
		if _, err := os.Stat("/proc/self"); err != nil {
			t.Skip("the superuser may write anywhere here")
		}
		return "/proc/chatd.db"
	}
	dir := filepath.Join(t.TempDir(), "read-only")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "chatd.db")
}

// The file has the name that was given, whatever is special in URLs of SQLite, and it is found again.
func TestOpenOddPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(here, filepath.Join(dir, "relative.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, file string }{
		{"plain", "sqlite:" + dir + "/plain.db", dir + "/plain.db"},
		{"as a URL", "sqlite://" + dir + "/url.db", dir + "/url.db"},
		{"as a URL of four slashes", "sqlite:///" + dir + "/four.db", dir + "/four.db"},
		{"relative", "sqlite:" + relative, dir + "/relative.db"},
		{"space", "sqlite:" + dir + "/a b.db", dir + "/a b.db"},
		{"percent", "sqlite:" + dir + "/a%20b.db", dir + "/a%20b.db"},
		{"question mark", "sqlite:" + dir + "/a?mode=memory", dir + "/a?mode=memory"},
		{"number sign", "sqlite:" + dir + "/a#b.db", dir + "/a#b.db"},
		{"the rest", "sqlite:" + dir + `/a&b=c;d'e"f\g+é😀.db`, dir + `/a&b=c;d'e"f\g+é😀.db`},
		{"SQLite's own word for memory", "sqlite:" + dir + "/:memory:", dir + "/:memory:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for i := range 2 {
				db, err := store.Open(t.Context(), c.url, store.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					err = db.AddUser(t.Context(), auth.User{Identity: alice, CreatedOn: 1})
				} else {
					_, err = db.User(t.Context(), alice)
				}
				if err := errors.Join(err, db.Close()); err != nil {
					t.Fatalf("opened %d times: %v", i+1, err)
				}
			}
			if info, err := os.Stat(c.file); err != nil || info.Size() == 0 {
				t.Errorf("the file is not there: %v", err)
			}
		})
	}
}

// Two processes may start on one new file, as it happens when one takes over from the other.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	for i := range 10 {
		url := fmt.Sprintf("sqlite:%s/%d.db", t.TempDir(), i)
		var both sync.WaitGroup
		for n := range 3 {
			both.Go(func() {
				db, err := store.Open(t.Context(), url, store.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				who := chat.Identity(fmt.Sprint(alice, n))
				if err := errors.Join(db.AddUser(t.Context(), auth.User{Identity: who}), db.Close()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		known, err := open(t, url).Known(t.Context(), []chat.Identity{alice + "0", alice + "1", alice + "2"})
		if err != nil || len(known) != 3 {
			t.Errorf("known are %v, %v; want all three", known, err)
		}
	}
}

// A file has one server at a time, under any name. Commands may use it beside the server. When the server has ended it is free.
func TestOpenOneServer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chatd.db")
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	server := store.Options{Server: true}
	for range 2 {
		first, err := store.Open(t.Context(), "sqlite:"+path, server)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{path, link} {
			second, err := store.Open(t.Context(), "sqlite:"+name, server)
			if err == nil {
				t.Errorf("%s has a second server; closing it: %v", name, second.Close())
			} else if line := err.Error(); !strings.Contains(line, "store file "+name+": another chatd server has it open") || strings.Contains(line, "\n") {
				t.Errorf("error is %q", line)
			}
		}
		beside := open(t, "sqlite:"+path)
		who := auth.User{Identity: alice, CreatedOn: 1}
		if err := errors.Join(beside.AddUser(t.Context(), who), first.AddUser(t.Context(), who), first.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // each has one of its own
		memory, err := store.Open(t.Context(), "memory:", server)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = memory.Close() })
	}
}

func TestOpenInContextThatEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, url := range []string{"memory:", "sqlite:" + filepath.Join(t.TempDir(), "chatd.db")} {
		db, err := store.Open(ctx, url, store.Options{})
		if err == nil {
			t.Errorf("%s was opened; closing it: %v", url, db.Close())
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error is %v, want the context's", url, err)
		}
	}
}

// Memory is of one store alone.
func TestMemoriesAreApart(t *testing.T) {
	t.Parallel()
	a, b := open(t, "memory:"), open(t, "memory:")
	if err := a.AddUser(t.Context(), auth.User{Identity: alice}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.User(t.Context(), alice); chat.KindOf(err) != chat.NotFound {
		t.Errorf("a user of one store in the other: %v, want not found", err)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	db, err := store.Open(t.Context(), "memory:", store.Options{Observe: func(operation string, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		seen[operation]++
		if took < 0 {
			t.Errorf("%s took %s", operation, took)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(db.AddUser(t.Context(), auth.User{Identity: alice}), db.RevokeUser(t.Context(), alice, 1))
	_, read := db.User(t.Context(), alice)
	if err := errors.Join(err, read, db.Close()); err != nil {
		t.Fatal(err)
	}
	for _, operation := range []string{"add_user", "revoke_user", "user"} {
		if seen[operation] != 1 {
			t.Errorf("%s was observed %d times, want 1: %v", operation, seen[operation], seen)
		}
	}
}

// The signing keys are in the file, so no other user may read it or its log.
func TestFileIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chatd.db")
	db, err := store.Open(t.Context(), "sqlite:"+path, store.Options{Server: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only the files matter
	if err := db.AddUser(t.Context(), auth.User{Identity: alice, CreatedOn: 1}); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, path + "-wal", path + "-shm", path + "-lock"} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
}
