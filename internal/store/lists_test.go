package store_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

// TestListsOfMovingItems reads lists page by page while anything happens between the pages, on two servers whose clocks differ.
// A list read at once, together with the first page, says what has to be on the pages: all that is there throughout, nothing
// twice, and where nothing is reordered by its nature, in that order.
func TestListsOfMovingItems(t *testing.T) {
	t.Parallel()
	listsOfMovingItems(t, "memory:", 1<<20)
}

func TestListsOfMovingItemsPostgres(t *testing.T) {
	t.Parallel()
	listsOfMovingItems(t, postgresURL(t), pick(40, 10))
}

func listsOfMovingItems(t *testing.T, url string, most int) {
	db, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	worlds := 0
	rapid.Check(t, func(rt *rapid.T) {
		if worlds++; worlds > most && !t.Failed() {
			return
		}
		m := &mover{T: rt, ctx: context.Background(), now: 1_700_000_000_000}
		m.nodes = []*chat.Service{
			chat.NewService(db, func() chat.Time { return m.now }, rand.Reader),
			chat.NewService(db, func() chat.Time { return m.now - 3_000 }, rand.Reader), // its clock is behind
		}
		for range 6 {
			who := chat.NewIdentity("46849534-eb08-4ab7-bde7-c36928cd1547", m.now, rand.Reader)
			m.must(db.AddUser(m.ctx, auth.User{Identity: who, CreatedOn: m.now}))
			m.users = append(m.users, who)
		}
		for range rapid.IntRange(1, 9).Draw(rt, "threads") {
			m.create()
			m.move()
		}
		size := rapid.IntRange(1, 4).Draw(rt, "page size")
		lists := []*listing{m.list(size, m.listThreads, true), m.list(size, m.listParticipants, true), m.list(size, m.listReceipts, false)}
		for n := 0; slices.ContainsFunc(lists, (*listing).open); n++ {
			if n > 100 {
				rt.Fatal("a list has no end")
			}
			for _, l := range lists {
				m.read(l)
			}
			for range rapid.IntRange(0, 4).Draw(rt, "moves") {
				m.move()
			}
		}
		for _, l := range lists {
			l.check(rt)
		}
	})
}

// mover does what moves items of lists. The first user reads the lists and stays in the first thread.
type mover struct {
	*rapid.T
	ctx     context.Context
	now     chat.Time
	nodes   []*chat.Service
	users   []chat.Identity
	threads []chat.ThreadID
}

func (m *mover) must(err error) {
	if err != nil {
		m.Fatal(err)
	}
}

// may is for what rules refuse now and then: the user is not in the thread, or the thread is deleted.
func (m *mover) may(err error) {
	if kind := chat.KindOf(err); err != nil && kind != chat.Forbidden && kind != chat.NotFound {
		m.Fatal(err)
	}
}

func (m *mover) node() *chat.Service { return rapid.SampledFrom(m.nodes).Draw(m.T, "node") }

func (m *mover) create() {
	in := chat.NewThread{Topic: "x", Token: rand.Text()}
	for _, who := range m.users[:rapid.IntRange(1, len(m.users)).Draw(m.T, "participants")] {
		in.Participants = append(in.Participants, chat.NewParticipant{Identity: who})
	}
	made, err := m.node().CreateThread(m.ctx, m.users[0], in)
	m.must(err)
	m.threads = append(m.threads, made.Thread.ID)
}

func (m *mover) move() {
	m.now += rapid.SampledFrom([]chat.Time{0, 0, 1, 5, 1_000, 70_000, -3}).Draw(m.T, "milliseconds later")
	i := max(0, rapid.IntRange(-len(m.threads), len(m.threads)-1).Draw(m.T, "thread")) // the first above all
	who := rapid.SampledFrom(m.users).Draw(m.T, "who")
	on, thread := m.node(), m.threads[i]
	switch rapid.IntRange(0, 9).Draw(m.T, "move") {
	case 0, 1, 2:
		_, err := on.SendMessage(m.ctx, who, thread, chat.NewMessage{Content: "hello"})
		m.may(err)
	case 3, 4, 5:
		message, err := on.SendMessage(m.ctx, m.users[0], m.threads[0], chat.NewMessage{Content: "read this"})
		m.must(err)
		m.may(on.SendReadReceipt(m.ctx, who, m.threads[0], message.ID))
	case 6, 7:
		if i != 0 || who != m.users[0] {
			m.may(on.RemoveParticipant(m.ctx, m.users[0], thread, who))
		}
		if rapid.Bool().Draw(m.T, "stays away") {
			return
		}
		_, err := on.AddParticipants(m.ctx, m.users[0], thread, []chat.NewParticipant{{Identity: who}})
		m.may(err)
	case 8:
		if i != 0 {
			m.may(on.DeleteThread(m.ctx, m.users[0], thread))
		}
	case 9:
		m.create()
	}
}

func (m *mover) listThreads(after chat.Mark, limit int) ([]string, chat.Mark) {
	items, next, err := m.node().ListThreads(m.ctx, m.users[0], chat.ThreadQuery{After: after, Limit: limit})
	m.must(err)
	return namesOf(items, func(t chat.ThreadItem) string { return string(t.ID) }), next
}

func (m *mover) listParticipants(after chat.Mark, limit int) ([]string, chat.Mark) {
	items, next, err := m.node().ListParticipants(m.ctx, m.users[0], m.threads[0], chat.PageQuery{After: after, Limit: limit})
	m.must(err)
	return namesOf(items, func(p chat.Participant) string { return fmt.Sprint(p.Identity, "#", p.Joined) }), next
}

func (m *mover) listReceipts(after chat.Mark, limit int) ([]string, chat.Mark) {
	items, next, err := m.node().ListReadReceipts(m.ctx, m.users[0], m.threads[0], chat.PageQuery{After: after, Limit: limit})
	m.must(err)
	return namesOf(items, func(r chat.ReadReceipt) string { return string(r.Reader) }), next
}

func namesOf[T any](items []T, of func(T) string) []string {
	out := make([]string, len(items))
	for i := range items {
		out[i] = of(items[i])
	}
	return out
}

// listing is a list that is being read.
type listing struct {
	page       func(after chat.Mark, limit int) ([]string, chat.Mark)
	size       int
	ordered    bool     // as at the first page
	started    bool     // the first page was read
	throughout []string // what was there at each page so far, in the order of the first
	got        []string
	next       chat.Mark
}

func (m *mover) list(size int, page func(chat.Mark, int) ([]string, chat.Mark), ordered bool) *listing {
	all, _ := page(nil, 1000)
	return &listing{page: page, size: size, ordered: ordered, throughout: all}
}

func (l *listing) open() bool { return !l.started || l.next != nil }

func (m *mover) read(l *listing) {
	if !l.open() {
		return
	}
	now, _ := l.page(nil, 1000)
	if !l.started {
		l.throughout = now
	}
	l.throughout = slices.DeleteFunc(l.throughout, func(id string) bool { return !slices.Contains(now, id) })
	page, next := l.page(l.next, l.size)
	l.started, l.got, l.next = true, append(l.got, page...), next
}

func (l *listing) check(rt *rapid.T) {
	once := map[string]bool{}
	for _, id := range l.got {
		who, _, _ := strings.Cut(id, "#") // of one who left and came back there are two stays
		if once[who] {
			rt.Fatalf("%s is listed twice: %v", who, l.got)
		}
		once[who] = true
	}
	stayed := slices.DeleteFunc(slices.Clone(l.got), func(id string) bool { return !slices.Contains(l.throughout, id) })
	if !l.ordered {
		slices.Sort(stayed)
		slices.Sort(l.throughout)
	}
	if got, want := fmt.Sprint(stayed), fmt.Sprint(l.throughout); got != want {
		rt.Fatalf("listed are %s, want %s", got, want)
	}
}
