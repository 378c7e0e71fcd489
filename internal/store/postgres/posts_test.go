package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/postgres"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// newThreads makes threads, of which the third is text only and the fourth is deleted.
func newThreads(t *testing.T, db *store.DB, n int) []chat.Thread {
	t.Helper()
	var out []chat.Thread
	for i := range n {
		c := &chat.Change{Thread: chat.Thread{
			ID: chat.ThreadID(fmt.Sprintf("19:%d@thread.v2", i)), Roster: 3, Seq: int64(i), LastID: chat.MessageID(1000 * i), TextOnly: i == 2,
		}}
		if _, err := db.Create(t.Context(), c, chat.Creation{Thread: c.Thread}); err != nil {
			t.Fatal(err)
		}
		err := db.Update(t.Context(), c.Thread.ID, func(v chat.View) (*chat.Change, error) {
			a, err := v.Access("")
			c := &chat.Change{Before: a.Thread, Thread: a.Thread}
			if i == 3 {
				c.Thread.DeletedOn = 1
			}
			out = append(out, a.Thread)
			return c, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// rowOf is a text on its way into a thread, as an engine gets it.
func rowOf(t chat.Thread, at chat.Time, text string) sqldb.Post {
	return sqldb.Post{
		Thread: t.Key, ThreadID: t.ID, Roster: t.Roster, TextOnly: t.TextOnly, At: at, Type: string(chat.Text), Sender: "8:acs:a", Name: "A",
		Content: text, Metadata: fmt.Sprintf(`{"at":"%d"}`, at), High: at%2 == 0, EventKind: string(chat.MessageReceived),
		EventBody: fmt.Sprintf(`{"message":{"type":"text","sender":"8:acs:a","name":"A","content":{"text":%q}}}`, text),
	}
}

// Many posts by one statement have the same outcome as each alone, in any order of their times, and so has the statement that waits.
func TestManyPostsAreAsOne(t *testing.T) {
	t.Parallel()
	type result struct {
		outcomes []string
		events   []chat.Event
		messages [][]chat.Message
		threads  []chat.Access
	}
	play := func(wait bool, size int) result {
		url := pgtest.Database(t, nil)
		db := openNode(t, url)
		threads := newThreads(t, db, 4)
		old, strict, nowhere := threads[0], threads[0], threads[0]
		old.Roster--
		strict.TextOnly = true
		nowhere.Key += 1000
		var all []sqldb.Post
		for i, at := range []chat.Time{5000, 5000, 4000, 5001, 1, 9000, 8999, 9001, 9002, 9000, 9004} {
			all = append(all, rowOf(threads[i%2], at, fmt.Sprint("a", i)), rowOf(threads[1], at+1, fmt.Sprint("b", i)), rowOf(threads[2], 7, fmt.Sprint("c", i)),
				rowOf(old, at, "old"), rowOf(threads[3], at, "deleted"), rowOf(strict, at, "strict"), rowOf(nowhere, at, "nowhere"))
		}
		var w result
		e := openEngine(t, url)
		for batch := range slices.Chunk(all, size) {
			for i, o := range postgres.PostBatch(t.Context(), e, wait, batch...) {
				w.outcomes = append(w.outcomes, fmt.Sprint(batch[i].Content, " ", o.Locked, o.Seq, o.ID, o.Err))
			}
		}
		var err error
		if w.events, err = db.After(t.Context(), 0, 1000); err != nil {
			t.Fatal(err)
		}
		for _, thread := range threads {
			m, err := db.Messages(t.Context(), thread.Key, chat.MessageQuery{Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			a, err := db.Access(t.Context(), thread.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			w.messages, w.threads = append(w.messages, m), append(w.threads, a)
		}
		return w
	}
	want := play(false, 1)
	if len(want.events) != 33 || !strings.Contains(fmt.Sprint(want.outcomes), chat.ErrStale.Error()) {
		t.Fatalf("%d events, want 33; outcomes are %v", len(want.events), want.outcomes)
	}
	for name, got := range map[string]result{
		"many":       play(false, 1000),
		"some":       play(false, 5),
		"waiting":    play(true, 1000),
		"one by one": play(true, 1),
	} {
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-one by one +%[1]s):\n%s", name, diff)
		}
	}
}

// A post that the database refuses fails alone.
func TestPostFailsAlone(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t, nil)
	db, e := openNode(t, url), openEngine(t, url)
	thread := newThreads(t, db, 1)[0]
	for _, wait := range []bool{false, true} {
		got := postgres.PostBatch(t.Context(), e, wait, rowOf(thread, 1, "a"), rowOf(thread, 1, "no\x00text"), rowOf(thread, 1, "b"))
		if got[0].Err != nil || got[1].Err == nil || got[2].Err != nil || got[2].Seq != got[0].Seq+1 {
			t.Errorf("waiting %t: %+v", wait, got)
		}
	}
	if _, err := db.Post(t.Context(), textPost(thread, "no\x00text")); chat.KindOf(err) != chat.Internal {
		t.Errorf("error is %v, want an internal one", err)
	}
}

// holdThread locks a thread as a change does that is under way, until release is called.
func holdThread(t *testing.T, url string, id chat.ThreadID) (release func()) {
	t.Helper()
	db := openNode(t, url)
	held, resume, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		refused := errors.New("nothing is changed")
		err := db.Update(context.WithoutCancel(t.Context()), id, func(chat.View) (*chat.Change, error) {
			close(held)
			<-resume
			return nil, refused
		})
		if !errors.Is(err, refused) {
			t.Error(err)
		}
	}()
	<-held
	release = sync.OnceFunc(func() {
		close(resume)
		<-done
	})
	t.Cleanup(release)
	return release
}

// Posts that wait for a locked thread do not delay posts to other threads.
func TestLockedThreadDelaysNoOther(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t, nil)
	db, e := openNode(t, url), openEngine(t, url)
	poster := e.(sqldb.Poster)
	threads := newThreads(t, db, 2)
	release := holdThread(t, url, threads[0].ID)
	const waiting = 2*sqldb.MaxBatch + 7
	var all sync.WaitGroup
	for i := range waiting {
		all.Go(func() {
			if _, _, err := poster.Post(t.Context(), rowOf(threads[0], 1, fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	for postgres.Waiting(e) == 0 {
		time.Sleep(time.Millisecond)
	}
	for i := range 20 {
		if _, _, err := poster.Post(t.Context(), rowOf(threads[1], 1, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := db.Messages(t.Context(), threads[0].Key, chat.MessageQuery{Limit: 1}); err != nil || len(m) > 0 {
		t.Fatalf("the locked thread has %v, %v", m, err)
	}
	release()
	all.Wait()
	m, err := db.Messages(t.Context(), threads[0].Key, chat.MessageQuery{Limit: 10 * waiting})
	if err != nil || len(m) != waiting || m[0].Seq != waiting {
		t.Errorf("%d messages, the last is %d, %v; want %d", len(m), m[0].Seq, err, waiting)
	}
	postgres.WaitForPosts(e)
	if postgres.Waiting(e) > 0 {
		t.Error("a queue is left")
	}
}

// Posts to a thread that stays locked fail after a while as unavailable.
func TestLockedThreadTimesOut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes as long as a lock is waited for")
	}
	url := pgtest.Database(t, nil)
	db := openNode(t, url)
	threads := newThreads(t, db, 1)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background()) //nolint:errcheck // it only held a lock
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT FROM threads FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := db.Post(t.Context(), textPost(threads[0], "a")); chat.KindOf(err) != chat.Unavailable {
			t.Errorf("a post: %v, want unavailable", err)
		}
	})
	all.Go(func() {
		err := db.Update(t.Context(), threads[0].ID, func(chat.View) (*chat.Change, error) { return nil, nil })
		if chat.KindOf(err) != chat.Unavailable {
			t.Errorf("a change: %v, want unavailable", err)
		}
	})
	all.Wait()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m, err := db.Post(t.Context(), textPost(threads[0], "a")); err != nil || m.Seq != 1 {
		t.Errorf("afterwards: %+v, %v", m, err)
	}
}

// A node that is frozen with a thread locked loses it soon, and does what it wanted when it comes to again.
func TestFrozenChangeLosesItsLock(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes as long as a frozen node may hold a lock")
	}
	url := pgtest.Database(t, nil)
	frozen, db := openNode(t, url), openNode(t, url)
	threads := newThreads(t, db, 1)
	started, resume, ended := make(chan struct{}, 3), make(chan struct{}), make(chan error)
	go func() {
		ended <- frozen.Update(context.WithoutCancel(t.Context()), threads[0].ID, func(v chat.View) (*chat.Change, error) {
			started <- struct{}{}
			<-resume
			a, err := v.Access("")
			if err != nil {
				return nil, err
			}
			c := &chat.Change{Before: a.Thread, Thread: a.Thread}
			c.Thread.Topic = "thawed"
			return c, nil
		})
	}()
	<-started
	if _, err := db.Post(t.Context(), textPost(threads[0], "a")); err != nil {
		t.Errorf("a post to the thread: %v", err)
	}
	close(resume)
	if err := <-ended; err != nil {
		t.Errorf("the frozen change: %v", err)
	}
	if a, err := db.Access(t.Context(), threads[0].ID, ""); err != nil || a.Thread.Topic != "thawed" || a.Thread.Seq != 1 {
		t.Errorf("the thread is %+v, %v", a.Thread, err)
	}
}
