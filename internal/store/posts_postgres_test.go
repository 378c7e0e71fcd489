package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// halls makes threads, of which the third is text only and the fourth is deleted.
func halls(t *testing.T, db *DB, n int) []chat.Thread {
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

func text(t chat.Thread, at chat.Time, words string) *chat.Post {
	return &chat.Post{Thread: t, At: at, Message: chat.Message{
		Type: chat.Text, Content: chat.Content{Text: words}, Sender: "8:acs:a", SenderName: "A", Metadata: map[string]string{"at": fmt.Sprint(at)},
		High: at%2 == 0,
	}}
}

// jobs makes the jobs of posts, as the queue would have them.
func jobs(t *testing.T, posts ...*chat.Post) []*postJob {
	t.Helper()
	var out []*postJob
	for _, p := range posts {
		row, err := rowOf(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &postJob{ctx: t.Context(), post: row, done: make(chan struct{})})
	}
	return out
}

// Many posts by one statement have the same outcome as each by its own, in whatever order their times are, and so has the
// statement that waits.
func TestManyPlacesAreAsOne(t *testing.T) {
	t.Parallel()
	type world struct {
		outcomes []string
		events   []chat.Event
		messages [][]chat.Message
		threads  []chat.Access
	}
	play := func(way func(*posts) func([]*postJob) error, size int) world {
		db := openNode(t, pgtest.Database(t, nil))
		threads := halls(t, db, 4)
		old, strict, nowhere := threads[0], threads[0], threads[0]
		old.Roster--
		strict.TextOnly = true
		nowhere.Key += 1000
		var all []*chat.Post
		for i, at := range []chat.Time{5000, 5000, 4000, 5001, 1, 9000, 8999, 9001, 9002, 9000, 9004} {
			all = append(all, text(threads[i%2], at, fmt.Sprint("a", i)), text(threads[1], at+1, fmt.Sprint("b", i)), text(threads[2], 7, fmt.Sprint("c", i)),
				text(old, at, "old"), text(threads[3], at, "deleted"), text(strict, at, "strict"), text(nowhere, at, "nowhere"))
		}
		var w world
		p := db.engine.(*postgres).posts
		for len(all) > 0 {
			n := min(size, len(all))
			batch := jobs(t, all[:n]...)
			all = all[n:]
			p.settle(batch, way(p))
			for _, j := range batch {
				w.outcomes = append(w.outcomes, fmt.Sprint(j.post.Content, " ", j.held, j.seq, j.id, j.err))
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
	quickly := func(p *posts) func([]*postJob) error { return p.quickly }
	want := play(quickly, 1)
	if len(want.events) != 33 || !strings.Contains(fmt.Sprint(want.outcomes), chat.ErrStale.Error()) {
		t.Fatalf("%d events, want 33; outcomes are %v", len(want.events), want.outcomes)
	}
	for name, got := range map[string]world{
		"many":       play(quickly, 1000),
		"some":       play(quickly, 5),
		"patiently":  play(func(p *posts) func([]*postJob) error { return p.patiently }, 1000),
		"one by one": play(func(p *posts) func([]*postJob) error { return p.patiently }, 1),
	} {
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(world{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-one by one +%[1]s):\n%s", name, diff)
		}
	}
}

// What the database refuses in one post takes none of the others along.
func TestPostFailsAlone(t *testing.T) {
	t.Parallel()
	db := openNode(t, pgtest.Database(t, nil))
	threads := halls(t, db, 1)
	p := db.engine.(*postgres).posts
	for name, way := range map[string]func([]*postJob) error{"quickly": p.quickly, "patiently": p.patiently} {
		batch := jobs(t, text(threads[0], 1, "a"), text(threads[0], 1, "no\x00text"), text(threads[0], 1, "b"))
		p.settle(batch, way)
		if batch[0].err != nil || batch[1].err == nil || batch[2].err != nil || batch[2].seq != batch[0].seq+1 {
			t.Errorf("%s: %v, %v, %v", name, batch[0].err, batch[1].err, batch[2].err)
		}
		if chat.KindOf(translate("post", batch[1].err)) != chat.Internal {
			t.Errorf("%s: %v, want an internal error", name, batch[1].err)
		}
	}
}

// holdThread locks a thread as a change does that is under way, until release is called.
func holdThread(t *testing.T, url string, id chat.ThreadID) (release func()) {
	t.Helper()
	db := openNode(t, url)
	held, goOn, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		refused := errors.New("nothing is changed")
		err := db.Update(context.WithoutCancel(t.Context()), id, func(chat.View) (*chat.Change, error) {
			close(held)
			<-goOn
			return nil, refused
		})
		if !errors.Is(err, refused) {
			t.Error(err)
		}
	}()
	<-held
	release = sync.OnceFunc(func() {
		close(goOn)
		<-done
	})
	t.Cleanup(release)
	return release
}

// Who waits for a thread that is locked keeps nobody waiting who posts elsewhere.
func TestLockedThreadHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t, nil)
	db := openNode(t, url)
	threads := halls(t, db, 2)
	release := holdThread(t, url, threads[0].ID)
	const waiting = 2*sqldb.MaxBatch + 7
	var all sync.WaitGroup
	for i := range waiting {
		all.Go(func() {
			if _, err := db.Post(t.Context(), text(threads[0], 1, fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	p := db.engine.(*postgres).posts
	lanes := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.lanes)
	}
	for lanes() == 0 {
		time.Sleep(time.Millisecond)
	}
	for i := range 20 {
		if _, err := db.Post(t.Context(), text(threads[1], 1, fmt.Sprint(i))); err != nil {
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
	p.walkers.Wait()
	if lanes() > 0 {
		t.Error("a lane is left")
	}
}

// A thread that stays locked is given up after a while, with an error that says to try again.
func TestLockedThreadIsGivenUp(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes as long as a lock is waited for")
	}
	url := pgtest.Database(t, nil)
	db := openNode(t, url)
	threads := halls(t, db, 1)
	e := openServer(t, url)
	tx, err := e.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT FROM threads FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := db.Post(t.Context(), text(threads[0], 1, "a")); chat.KindOf(err) != chat.Unavailable {
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
	if m, err := db.Post(t.Context(), text(threads[0], 1, "a")); err != nil || m.Seq != 1 {
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
	threads := halls(t, db, 1)
	begun, goOn, ended := make(chan struct{}, 3), make(chan struct{}), make(chan error)
	go func() {
		ended <- frozen.Update(context.WithoutCancel(t.Context()), threads[0].ID, func(v chat.View) (*chat.Change, error) {
			begun <- struct{}{}
			<-goOn
			a, err := v.Access("")
			if err != nil {
				return nil, err
			}
			c := &chat.Change{Before: a.Thread, Thread: a.Thread}
			c.Thread.Topic = "thawed"
			return c, nil
		})
	}()
	<-begun
	if _, err := db.Post(t.Context(), text(threads[0], 1, "a")); err != nil {
		t.Errorf("a post to the thread: %v", err)
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("the frozen change: %v", err)
	}
	if a, err := db.Access(t.Context(), threads[0].ID, ""); err != nil || a.Thread.Topic != "thawed" || a.Thread.Seq != 1 {
		t.Errorf("the thread is %+v, %v", a.Thread, err)
	}
}
