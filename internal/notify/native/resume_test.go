package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/store"
)

// numbers are the texts of messages from one number to another.
func numbers(from, to int) []string {
	var out []string
	for n := from; n <= to; n++ {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

func (w *world) sendNumbers(id chat.ThreadID, from, to int) {
	w.Helper()
	for _, text := range numbers(from, to) {
		w.send(alice, id, text)
	}
}

// Whatever ends a connection: the next one goes on behind what was heard, and each event is heard once.
func TestResume(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(l *listener){
		"the client closes":  func(l *listener) { l.w.must(l.Close()) },
		"the server closes":  func(l *listener) { l.w.Hub.End(bob, notify.Slow) },
		"the network is cut": func(l *listener) { l.w.pipes.cut() },
		"a restart":          func(l *listener) { l.w.restart() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				id := w.thread(alice, bob)
				l := w.listen(bob, client.Options{})
				var got []string
				w.sendNumbers(id, 1, 3)
				got = append(got, l.texts(2)...) // the third is on its way when the connection ends
				end(l)
				w.sendNumbers(id, 4, 6)
				l = w.listen(bob, client.Options{After: l.Position()})
				w.sendNumbers(id, 7, 9)
				got = append(got, l.texts(7)...)
				if diff := cmp.Diff(numbers(1, 9), got); diff != "" {
					w.Error(diff)
				}
				if n := metric(w.Metrics.Reconnects.WithLabelValues(protocol)); n != 1 {
					w.Errorf("%v reconnects counted, want 1", n)
				}
			})
		})
	}
}

// Follow hears all, once and in order, however often server and connections end.
func TestFollow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		id := w.thread(alice, bob)
		w.settle()
		const n = 60
		var got []string
		ready, enough := make(chan struct{}), errors.New("enough")
		var once sync.Once
		done := make(chan error)
		token := func(context.Context) (string, error) {
			once.Do(func() { close(ready) })
			return string(bob), nil
		}
		go func() {
			done <- client.Follow(w.Context(), w.url, token, client.Options{HTTPClient: w.client, After: decimal(w.Hub.Position())}, func(e client.Event) error {
				if e.Message == nil {
					return fmt.Errorf("unexpected event %+v", e)
				}
				if got = append(got, e.Message.Content.Message); len(got) == n {
					return enough
				}
				return nil
			})
		}()
		<-ready
		for i := range n {
			w.send(alice, id, fmt.Sprint(i+1))
			switch i % 10 {
			case 3:
				w.Hub.End(bob, notify.Revoked)
			case 6:
				w.pipes.cut()
			case 9:
				w.restart()
			}
			time.Sleep(time.Duration(i) * 20 * time.Millisecond)
		}
		if err := <-done; !errors.Is(err, enough) {
			w.Fatal(err)
		}
		if diff := cmp.Diff(numbers(1, n), got); diff != "" {
			w.Error(diff)
		}
	})
}

// Follow does not wait for ever for a server that takes the connection and says nothing.
func TestFollowSilence(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		id := w.thread(alice, bob)
		w.settle()
		after := decimal(w.Hub.Position())
		w.sendNumbers(id, 1, 1)
		silent := true
		transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if silent {
				silent = false
				here, there := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, there) }()
				return here, nil
			}
			return w.pipes.dial(ctx, network, address)
		}}
		defer transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(w.Context(), 5*time.Minute)
		defer cancel()
		token := func(context.Context) (string, error) { return string(bob), nil }
		heard := errors.New("heard")
		err := client.Follow(ctx, w.url, token, client.Options{HTTPClient: &http.Client{Transport: transport}, After: after}, func(client.Event) error { return heard })
		if !errors.Is(err, heard) {
			w.Error(err)
		}
	})
}

// Follow gives up where connecting again cannot help, or nobody wants it to.
func TestFollowEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		token := func(context.Context) (string, error) { return string(bob), nil }
		follow := func(ctx context.Context, o client.Options) error {
			o.HTTPClient = w.client
			return client.Follow(ctx, w.url, token, o, func(client.Event) error { return nil })
		}
		refused(w, follow(w.Context(), client.Options{After: "x"}), client.CodeBadFrame, "malformed position")
		w.tokens.refuse(string(bob), revoked())
		refused(w, follow(w.Context(), client.Options{}), client.CodeUnauthorized, "token is revoked")
		w.url += "/?token=x#"
		var status *client.StatusError
		if err := follow(w.Context(), client.Options{}); !errors.As(err, &status) || status.Status != 400 {
			w.Errorf("error is %v, want status 400", err)
		}

		asked := 0
		ctx, cancel := context.WithCancel(w.Context())
		token = func(context.Context) (string, error) {
			if asked++; asked == 3 {
				cancel()
			}
			return "", errors.New("no token to be had")
		}
		if err := follow(ctx, client.Options{}); !errors.Is(err, context.Canceled) || asked != 3 {
			w.Errorf("error is %v after %d tokens", err, asked)
		}
	})
}

// Who comes back too late is told what is missing, and hears the rest.
func TestGap(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		id := w.thread(alice, bob)
		start := w.listen(bob, client.Options{}).Position()
		w.sendNumbers(id, 1, 3)
		time.Sleep(time.Minute)
		w.sendNumbers(id, 4, 5)
		w.must(w.db.Purge(w.Context(), now()-1000))
		oldest, err := w.db.Oldest(w.Context())
		w.must(err)
		l := w.listen(bob, client.Options{After: start})
		want := client.Event{Kind: client.Gap, Missed: &client.Missed{After: start, Oldest: decimal(oldest)}}
		if diff := cmp.Diff(want, l.next()); diff != "" {
			w.Error(diff)
		}
		if diff := cmp.Diff(numbers(4, 5), l.texts(2)); diff != "" {
			w.Error(diff)
		}
		again := w.listen(bob, client.Options{After: decimal(oldest - 1)})
		if diff := cmp.Diff(numbers(4, 5), again.texts(2)); diff != "" {
			w.Errorf("just in time:\n%s", diff)
		}
	})
}

// longJournal has more events than are searched, of which only the newest are looked at.
type longJournal struct {
	*store.DB
	head chat.Position
}

func (j *longJournal) Head(context.Context) (chat.Position, error)   { return j.head, nil }
func (j *longJournal) Oldest(context.Context) (chat.Position, error) { return 1, nil }

func (j *longJournal) Audience(context.Context, chat.ThreadKey, chat.RosterVersion) ([]chat.Participant, error) {
	return []chat.Participant{{Identity: bob}}, nil
}

func (j *longJournal) After(_ context.Context, position chat.Position, _ int) ([]chat.Event, error) {
	if position >= j.head {
		return nil, nil
	}
	return []chat.Event{{Position: max(position+1, j.head-1), Kind: chat.TypingReceived, ThreadID: "19:a@thread.v2"}}, nil
}

// Who was away for more than the server is willing to search is told so.
func TestLongReplay(t *testing.T) {
	t.Parallel()
	inEmptyBubble(t, func(w *world) {
		w.journal = &longJournal{w.db, 3 * maxReplay}
		w.serveInMemory()
		c, err := w.dial(bob, client.Options{After: "5"})
		w.must(err)
		defer c.Close()
		l := &listener{c, w}
		if got := l.next(); got.Missed == nil || *got.Missed != (client.Missed{After: "5", Oldest: decimal(2*maxReplay + 1)}) {
			w.Errorf("began with %+v", got)
		}
		for i := range 2 {
			if got := l.next(); got.Position != decimal(3*maxReplay-1+int64(i)) {
				w.Errorf("event at %s", got.Position)
			}
		}
	})
}

// pausedJournal can be read up to a position only until it is let go.
type pausedJournal struct {
	*store.DB
	until atomic.Int64
	free  chan struct{}
}

func (j *pausedJournal) After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	if until := chat.Position(j.until.Load()); until > 0 && position < until {
		select {
		case <-j.free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return j.DB.After(ctx, position, limit)
}

// What happens during a long replay does not fill the queue: the client is told all of it behind what it missed, once.
func TestManyEventsDuringReplay(t *testing.T) {
	t.Parallel()
	inEmptyBubble(t, func(w *world) {
		j := &pausedJournal{DB: w.db, free: make(chan struct{})}
		w.journal = j
		w.serveInMemory()
		id := w.thread(alice, bob)
		start := w.listen(bob, client.Options{}).Position()
		w.sendNumbers(id, 1, 3)
		w.settle()
		j.until.Store(int64(w.Hub.Position()))
		l := w.listen(bob, client.Options{After: start})
		w.sendNumbers(id, 4, 3+maxQueued)
		w.settle()
		close(j.free)
		if diff := cmp.Diff(numbers(1, 3+maxQueued), l.texts(3+maxQueued)); diff != "" {
			w.Error(diff)
		}
		w.sendNumbers(id, 9999, 9999)
		if diff := cmp.Diff(numbers(9999, 9999), l.texts(1)); diff != "" {
			w.Error(diff)
		}
	})
}

// During a long replay a client is told how far it is, and what it asks is answered: else it would be taken for dead, and
// would begin again where it began.
func TestPingsDuringReplay(t *testing.T) {
	t.Parallel()
	inEmptyBubble(t, func(w *world) {
		j := &slowJournal{&longJournal{w.db, 10 * replayStep}}
		w.journal = j
		w.serveInMemory()
		r := w.raw(nil)
		r.write(fmt.Sprintf(`{"type":"start","version":1,"token":%q,"after":"0"}`, bob))
		begun := time.Now()
		r.read() // ready
		r.write(`{"type":"ping"}`)
		for _, want := range []string{decimal(replayStep), "pong", decimal(2 * replayStep), decimal(3 * replayStep)} {
			if got := r.read(); !strings.Contains(got, `"`+want+`"`) {
				t.Errorf("told %s, want %s", got, want)
			}
		}
		for told := ""; !strings.Contains(told, `"event"`); {
			told = r.read()
		}
		if took := time.Since(begun); took < 3*w.server.Ping {
			t.Errorf("the test took %s only", took)
		}
	})
}

// slowJournal takes its time, and is empty up to its last events.
type slowJournal struct{ *longJournal }

func (j *slowJournal) After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	if position >= j.head {
		return nil, nil
	}
	time.Sleep(time.Second)
	if next := position + chat.Position(limit); next < j.head-1 {
		return []chat.Event{{Position: next, Kind: chat.TypingReceived}}, nil // servers tell each other
	}
	return j.longJournal.After(ctx, position, limit)
}

// brokenJournal fails when it is asked to.
type brokenJournal struct {
	*store.DB
	oldest, after atomic.Bool
}

var errBroken = errors.New("broken")

func (j *brokenJournal) Oldest(ctx context.Context) (chat.Position, error) {
	if j.oldest.Load() {
		return 0, errBroken
	}
	return j.DB.Oldest(ctx)
}

func (j *brokenJournal) After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	if j.after.Load() {
		return nil, errBroken
	}
	return j.DB.After(ctx, position, limit)
}

// A replay that cannot be completed ends the connection, so that nothing is taken for heard.
func TestReplayFails(t *testing.T) {
	t.Parallel()
	inEmptyBubble(t, func(w *world) {
		j := &brokenJournal{DB: w.db}
		w.journal = j
		w.serveInMemory()
		id := w.thread(alice, bob)
		start := w.listen(bob, client.Options{}).Position()
		w.sendNumbers(id, 1, 3)
		w.settle()
		for _, fail := range []*atomic.Bool{&j.oldest, &j.after} {
			fail.Store(true)
			c, err := w.dial(bob, client.Options{After: start})
			w.must(err)
			l := &listener{c, w}
			l.closed(client.CodeInternal)
			if l.Position() != start {
				w.Errorf("position is %s, want %s", l.Position(), start)
			}
			fail.Store(false)
		}
		if diff := cmp.Diff(numbers(1, 3), w.listen(bob, client.Options{After: start}).texts(3)); diff != "" {
			w.Error(diff)
		}
	})
}

// Who comes from a server that is further than this one goes on behind what that one told, and is not told it again.
func TestResumeAtServerThatIsBehind(t *testing.T) {
	t.Parallel()
	inEmptyBubble(t, func(w *world) {
		j := &brokenJournal{DB: w.db}
		w.journal = j
		w.serveInMemory()
		id := w.thread(alice, bob)
		w.settle()
		j.after.Store(true)
		w.sendNumbers(id, 1, 3)
		head, err := w.db.Head(w.Context())
		w.must(err)
		c, err := w.dial(bob, client.Options{After: decimal(head)})
		w.must(err)
		defer c.Close()
		j.after.Store(false)
		w.send(alice, id, "4")
		if diff := cmp.Diff([]string{"4"}, (&listener{c, w}).texts(1)); diff != "" {
			w.Error(diff)
		}
		if _, err := w.dial(bob, client.Options{After: decimal(head + 100)}); err == nil {
			w.Error("a position that no server has is accepted")
		}
	})
}

// A thousand connections hear the same, each once and in order.
func TestMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const people, each, messages = 40, 25, 8
	crowd := []chat.Identity{alice}
	for n := range people {
		crowd = append(crowd, user(100+n))
	}
	w.users(crowd[1:]...)
	id := w.thread(crowd...)
	w.settle()
	var listeners sync.WaitGroup
	var ready sync.WaitGroup
	ready.Add(people * each)
	for i := range people * each {
		listeners.Go(func() {
			c, err := w.dial(crowd[1+i%people], client.Options{})
			ready.Done()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for n := range messages {
				e, err := c.Next(t.Context())
				if err != nil || e.Message == nil || e.Message.SequenceID != decimal(int64(n)+3) { // after two system messages
					t.Errorf("listener %d: event %d is %+v (%v)", i, n, e, err)
					return
				}
			}
		})
	}
	ready.Wait()
	var senders sync.WaitGroup
	for range messages {
		senders.Go(func() {
			_, err := w.chat.SendMessage(context.Background(), alice, id, chat.NewMessage{Type: chat.Text, Content: "hello"})
			if err != nil {
				t.Error(err)
			}
		})
	}
	senders.Wait()
	listeners.Wait()
}
