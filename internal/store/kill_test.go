package store_test

import (
	"bufio"
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

// victimVariable names the store that a copy of this test program writes to until it is killed.
const victimVariable = "CHATD_TEST_VICTIM"

const (
	victimThreads = 2
	victimWriters = 8
)

func victimThread(n int) chat.ThreadID { return chat.ThreadID(fmt.Sprintf("19:kill%d@thread.v2", n)) }

// victim posts as fast as it can and prints what was acknowledged: a line for each message, in one write.
func victim(url string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, url, store.Options{})
	if err != nil {
		return err
	}
	service := chat.NewService(db, func() chat.Time { return 1_700_000_000_000 }, crand.Reader)
	var threads []chat.Thread
	for n := range victimThreads {
		// One that is there stays; only the first process makes them.
		c := &chat.Change{Thread: chat.Thread{ID: victimThread(n), CreatedBy: alice, Roster: 1, Present: 1}}
		c.Join = []chat.Participant{{Identity: alice, Joined: 1}}
		if _, err := db.Create(ctx, c, chat.Creation{Thread: c.Thread}); err != nil {
			return err
		}
		t, err := service.GetThread(ctx, alice, victimThread(n))
		if err != nil {
			return err
		}
		threads = append(threads, t)
	}
	failed := make(chan error)
	for w := range victimWriters {
		go func() {
			for i := 0; ; i++ {
				thread := threads[(w+i)%victimThreads]
				m, err := service.SendMessage(ctx, alice, thread.ID, chat.NewMessage{Content: fmt.Sprint(os.Getpid(), "/", w, "/", i)})
				if err != nil {
					failed <- err
					return
				}
				fmt.Fprintf(os.Stdout, "%s %d %d %s\n", thread.ID, m.ID, m.Seq, m.Content.Text)
			}
		}()
	}
	return <-failed
}

// TestKill kills a process in the middle of its writes, again and again over one store: what was acknowledged is there,
// once, at its place, and so is its event.
func TestKill(t *testing.T) {
	t.Parallel()
	kill(t, "sqlite:"+filepath.Join(t.TempDir(), "chatd.db"))
}

func TestKillPostgres(t *testing.T) {
	t.Parallel()
	kill(t, postgresURL(t))
}

func kill(t *testing.T, url string) {
	t.Helper()
	kills := pick(20, 4)
	if testing.Short() {
		kills = 3
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]bool{} // lines
	for range kills {
		lines := 30 + rand.IntN(271)
		for _, line := range killAfter(t, program, url, lines) {
			if acknowledged[line] {
				t.Errorf("acknowledged twice: %s", line)
			}
			acknowledged[line] = true
		}
		checkAfterKill(t, url, acknowledged)
		if t.Failed() {
			t.Fatalf("after a kill at %d lines", lines)
		}
	}
	t.Logf("%d kills, %d messages acknowledged", kills, len(acknowledged))
}

// killAfter runs a victim, kills it when it has acknowledged so many messages, and returns all that it acknowledged.
func killAfter(t *testing.T, program, url string, lines int) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), victimVariable+"="+url)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got []string
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			break // the end, perhaps within a line, which then was not acknowledged
		}
		got = append(got, strings.TrimSuffix(line, "\n"))
		if len(got) == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("it ended by itself after %d lines: %v\n%s", len(got), err, said.String())
	}
	return got
}

// ended waits until the server has done, or given up, what killed processes had sent it.
func ended(t *testing.T, url string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background()) //nolint:errcheck // it only looked
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var n int
		err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'").Scan(&n)
		if err != nil || n > 0 && time.Now().After(deadline) {
			t.Fatalf("%d connections are left, %v", n, err)
		}
		if n == 0 {
			return
		}
	}
}

// checkAfterKill opens the store and compares messages, journal and what was acknowledged.
func checkAfterKill(t *testing.T, url string, acknowledged map[string]bool) {
	t.Helper()
	if strings.HasPrefix(url, "postgres") {
		ended(t, url)
	}
	db, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatalf("it cannot be opened again: %v", err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	stored := map[string]bool{}
	for n := range victimThreads {
		a, err := db.Access(t.Context(), victimThread(n), alice)
		if err != nil {
			t.Fatal(err)
		}
		messages, err := db.Messages(t.Context(), a.Thread.Key, chat.MessageQuery{Limit: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]bool{}
		for i, m := range messages { // newest first
			if want := int64(len(messages) - i); m.Seq != want {
				t.Fatalf("message %d of %s has sequence number %d", want, a.Thread.ID, m.Seq)
			}
			if i > 0 && m.ID >= messages[i-1].ID {
				t.Errorf("id %d comes before %d", m.ID, messages[i-1].ID)
			}
			if texts[m.Content.Text] {
				t.Errorf("%q is there twice", m.Content.Text)
			}
			texts[m.Content.Text] = true
			stored[fmt.Sprintf("%s %d %d %s", a.Thread.ID, m.ID, m.Seq, m.Content.Text)] = true
		}
		if len(messages) > 0 && (a.Thread.Seq != messages[0].Seq || a.Thread.LastID != messages[0].ID) {
			t.Errorf("%s ends with %d, sequence %d, its last message is %+v", a.Thread.ID, a.Thread.LastID, a.Thread.Seq, messages[0])
		}
	}
	for line := range acknowledged {
		if !stored[line] {
			t.Errorf("acknowledged and lost: %s", line)
		}
	}
	events, err := db.After(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		line := fmt.Sprintf("%s %d %d %s", e.ThreadID, e.Message.ID, e.Message.Seq, e.Message.Content.Text)
		if !stored[line] {
			t.Errorf("an event twice, or of no message: %s", line)
		}
		delete(stored, line)
	}
	for line := range stored {
		t.Errorf("a message without an event: %s", line)
	}
}
