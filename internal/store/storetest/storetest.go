// Package storetest holds what a store must do with every engine, one topic a file. The test of an engine calls Run with a
// function that makes stores; a difference between engines is a named field of Engine and nothing else.
//
// The suite writes changes as data, so that it tests the store alone. That rules and store agree is shown by the model test
// of package store.
package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
)

// Engine is an engine to be tested.
type Engine struct {
	// New returns a function that opens a store, which is empty at first and is removed when the test ends. The function is
	// called again after the store was closed.
	New func(t *testing.T) Open
	// Durable: what was written is there after the store was closed and opened again.
	Durable bool
	// Shared: several servers may have it at once.
	Shared bool
}

// Open opens a store.
type Open func(ctx context.Context, o Options) (Store, error)

// Options of a store.
type Options struct {
	Endpoints int // see store.Options
}

// Run tests an engine. Its tests are parallel, each with a store of its own.
func Run(t *testing.T, e Engine) {
	t.Helper()
	for _, topic := range []struct {
		name  string
		tests []test
	}{
		{"threads", threads},
		{"participants", participants},
		{"messages", messages},
		{"receipts", receipts},
		{"leaving", leaving},
		{"lists", lists},
		{"images", images},
		{"creation", creation},
		{"changes", changes},
		{"journal", journal},
		{"endpoints", endpoints},
		{"users", users},
		{"purge", purge},
		{"lifecycle", lifecycle},
	} {
		t.Run(topic.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range topic.tests {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(setup(t, e))
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(b *bundle)
}

// bundle is one test with a store of its own.
type bundle struct {
	*testing.T
	engine Engine
	new    Open
	db     Store
}

func setup(t *testing.T, e Engine) *bundle {
	t.Helper()
	b := &bundle{T: t, engine: e, new: e.New(t)}
	b.open()
	t.Cleanup(func() { b.must(b.db.Close()) })
	return b
}

func (b *bundle) open() {
	b.Helper()
	b.openWith(Options{})
}

func (b *bundle) openWith(o Options) {
	b.Helper()
	db, err := b.new(b.Context(), o)
	b.must(err)
	b.db = db
}

func (b *bundle) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bundle) equal(what string, want, got any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (b *bundle) kind(what string, err error, want chat.ErrorKind) {
	b.Helper()
	if err == nil || chat.KindOf(err) != want {
		b.Errorf("%s: error is %v, want one of kind %d", what, err, want)
	}
}

// together runs do n times at once and waits for all.
func together(n int, do func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}

const (
	noon  = chat.Time(1_700_000_000_000)
	lunch = chat.ThreadID("19:lunch@thread.v2")
)

var alice, bob, carol = user(1), user(2), user(3)

func user(n int) chat.Identity {
	return chat.Identity(fmt.Sprintf("8:acs:46849534-eb08-4ab7-bde7-c36928cd1547_00000020-0000-0000-0000-%012x", n))
}

func threadID(n int) chat.ThreadID { return chat.ThreadID(fmt.Sprintf("19:thread%d@thread.v2", n)) }

// odd are texts that a store may corrupt. NUL is not among them: JSON may carry it, but Postgres cannot keep it.
var odd = []string{
	"'", `"`, "`", `\`, `\'; DROP TABLE messages; --`, "%_", "$1", "?", ":a", "/* */", " ", "\n\r\t", "a\nb\r\nc",
	"\u0001\u001f\u007f", "é", "e\u0301", "日本語", "😀", "👩‍👩‍👧", "\u202eabc", "\ufeff", "\u2028\u2029", "\ufffd", "<b>&amp;</b>",
	`{"a":[1]}`, "null", "0", "\U0010ffff",
}

// stay is a present stay since the given roster version.
func stay(who chat.Identity, joined chat.RosterVersion) chat.Participant {
	return chat.Participant{Identity: who, Joined: joined}
}

// newThread is the change that creates a thread: all users given are in it from roster version 1, and it holds two
// messages.
func newThread(id chat.ThreadID, at chat.Time, who ...chat.Identity) *chat.Change {
	c := &chat.Change{
		Actor: who[0], At: at, Version: int64(at),
		Thread: chat.Thread{
			ID: id, Topic: "lunch", CreatedBy: who[0], CreatedOn: at, Seq: 2, LastID: chat.MessageID(at) + 1, LastOn: at + 1,
			Roster: 1, Present: len(who),
		},
	}
	for _, w := range who {
		c.Join = append(c.Join, stay(w, 1))
	}
	c.Append = []chat.Message{
		systemMessage(chat.MessageID(at), 1, chat.ParticipantAdded, chat.Content{Participants: c.Join, Initiator: who[0]}),
		systemMessage(chat.MessageID(at)+1, 2, chat.TopicUpdated, chat.Content{Topic: "lunch", Initiator: who[0]}),
	}
	c.Events = []chat.Event{{
		Kind: chat.ThreadCreated, ThreadID: id, Roster: 1, At: at, Version: int64(at), Actor: who[0],
		Properties: &chat.Properties{Topic: "lunch"}, Participants: c.Join,
	}}
	return c
}

func systemMessage(id chat.MessageID, seq int64, kind chat.MessageType, content chat.Content) chat.Message {
	return chat.Message{ID: id, Seq: seq, Version: int64(id), Type: kind, Content: content}
}

// create makes a thread by newThread and returns it as the store has it.
func (b *bundle) create(id chat.ThreadID, who ...chat.Identity) chat.Thread {
	b.Helper()
	b.store(newThread(id, noon, who...))
	return b.thread(id)
}

func (b *bundle) store(c *chat.Change) {
	b.Helper()
	_, err := b.db.Create(b.Context(), c, chat.Creation{Thread: c.Thread})
	b.must(err)
}

func (b *bundle) thread(id chat.ThreadID) chat.Thread {
	b.Helper()
	return b.access(id, "").Thread
}

func (b *bundle) access(id chat.ThreadID, who chat.Identity) chat.Access {
	b.Helper()
	a, err := b.db.Access(b.Context(), id, who)
	b.must(err)
	return a
}

// textPost is a text on its way into the thread.
func textPost(t chat.Thread, who chat.Identity, text string, at chat.Time) *chat.Post {
	return &chat.Post{Thread: t, At: at, Message: chat.Message{Type: chat.Text, Content: chat.Content{Text: text}, Sender: who}}
}

func (b *bundle) post(p *chat.Post) chat.Message {
	b.Helper()
	m, err := b.db.Post(b.Context(), p)
	b.must(err)
	return m
}

// update applies what edit makes of a change that so far changes nothing.
func (b *bundle) update(id chat.ThreadID, edit func(c *chat.Change)) {
	b.Helper()
	b.must(b.db.Update(b.Context(), id, func(v chat.View) (*chat.Change, error) {
		a, err := v.Access("")
		if err != nil {
			return nil, err
		}
		c := &chat.Change{Before: a.Thread, Thread: a.Thread}
		edit(c)
		return c, nil
	}))
}

// remove ends the present stay of a user, without a message.
func (b *bundle) remove(id chat.ThreadID, who chat.Identity) {
	b.Helper()
	gone := *b.access(id, who).Stay
	b.update(id, func(c *chat.Change) {
		c.Thread.Roster++
		c.Thread.Present--
		gone.Left, gone.Until = c.Thread.Roster, c.Thread.LastID
		c.Leave = []chat.Participant{gone}
	})
}

// join adds users, without a message.
func (b *bundle) join(id chat.ThreadID, who ...chat.Identity) {
	b.Helper()
	b.update(id, func(c *chat.Change) {
		c.Thread.Roster++
		c.Thread.Present += len(who)
		for _, w := range who {
			c.Join = append(c.Join, stay(w, c.Thread.Roster))
		}
	})
}

// journal returns all events.
func (b *bundle) journal() []chat.Event {
	b.Helper()
	events, err := b.db.After(b.Context(), 0, 1<<20)
	b.must(err)
	return events
}

// all returns all messages of a thread, oldest first.
func (b *bundle) all(t chat.Thread) []chat.Message {
	b.Helper()
	out, err := b.db.Messages(b.Context(), t.Key, chat.MessageQuery{Limit: 1 << 20})
	b.must(err)
	slices.Reverse(out)
	return out
}

// snapshot is all that can be read of a thread, to show that it did not change.
type snapshot struct {
	Thread       chat.Thread
	Participants []chat.Participant
	Messages     []chat.Message
	Receipts     []chat.ReadReceipt
	Journal      []chat.Event
}

func (b *bundle) snapshot(id chat.ThreadID) snapshot {
	b.Helper()
	s := snapshot{Thread: b.thread(id), Journal: b.journal()}
	s.Messages = b.all(s.Thread)
	var err error
	s.Participants, _, err = b.db.Participants(b.Context(), s.Thread.Key, chat.PageQuery{Limit: 1000})
	b.must(err)
	s.Receipts, _, err = b.db.Receipts(b.Context(), s.Thread.Key, chat.PageQuery{Limit: 1000})
	b.must(err)
	return s
}

// pages reads a list by its marks: each page but the last is full, and only the last has no mark.
func pages[T any](b *bundle, size int, read func(after chat.Mark) ([]T, chat.Mark, error)) (all []T) {
	b.Helper()
	var after chat.Mark
	for {
		page, next, err := read(after)
		b.must(err)
		all = append(all, page...)
		if len(page) > size || len(page) < size && next != nil {
			b.Errorf("a page of %d has %d and the mark %v", size, len(page), next)
		}
		if after = next; next == nil {
			return all
		}
	}
}

func identities(in []chat.Participant) []chat.Identity {
	out := make([]chat.Identity, len(in))
	for i, p := range in {
		out[i] = p.Identity
	}
	return out
}
