package store_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

// TestModel runs random operations on the service over a store and on the reference, and compares all that a client can see:
// answers and errors, messages, participants, receipts, threads and events.
func TestModel(t *testing.T) {
	t.Parallel()
	model(t, 1<<20, func() (*store.DB, error) { return store.Open(context.Background(), "memory:", store.Options{}) })
}

func TestModelPostgres(t *testing.T) {
	t.Parallel()
	url := postgresURL(t)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background()) //nolint:errcheck // nothing is to be kept
	model(t, pick(15, 5), func() (*store.DB, error) {
		_, err := c.Exec(context.Background(), "TRUNCATE threads, creations, messages, superseded, participants, images, receipts, journal, endpoints, users")
		if err != nil {
			return nil, err
		}
		return store.Open(context.Background(), url, store.Options{})
	})
}

func model(t *testing.T, most int, open func() (*store.DB, error)) {
	t.Helper()
	count, steps, runs := map[chat.EventKind]int{}, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; runs > most {
			return // this engine is slower than others
		}
		failed := true
		defer func() {
			if failed {
				most = 1 << 20 // rapid now looks for a shorter run that fails
			}
		}()
		db, err := open()
		if err != nil {
			rt.Fatal(err)
		}
		defer func() {
			if err := db.Close(); err != nil {
				rt.Error(err)
			}
		}()
		m := &machine{ctx: context.Background(), db: db, reference: reference{now: 1_700_000_000_000, tokens: map[token]chat.Creation{}}}
		m.Service = chat.NewService(db, func() chat.Time { return m.now }, rand.Reader)
		for i := range 5 {
			who := chat.Identity(fmt.Sprintf("8:acs:46849534-eb08-4ab7-bde7-c36928cd1547_00000020-0000-0000-0000-%012x", i))
			m.identities = append(m.identities, who)
			if i == 4 {
				break // the last one does not exist, and may be named all the same
			}
			m.users = append(m.users, who)
			if err := db.AddUser(m.ctx, auth.User{Identity: who, CreatedOn: m.now}); err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"":                      m.check, // the others by name: the first are drawn most
			"a: create":             m.createThread,
			"b: send":               m.sendText,
			"c: add":                m.addParticipants,
			"d: edit":               m.editMessage,
			"e: remove":             m.removeParticipant,
			"f: list messages":      m.listMessages,
			"g: read":               m.sendReceipt,
			"h: erase":              m.removeMessage,
			"i: change":             m.changeThread,
			"j: list threads":       m.listThreads,
			"k: list participants":  m.listParticipants,
			"l: list read receipts": m.listReceipts,
			"m: get message":        m.getMessage,
			"n: alter":              m.updateParticipant,
			"o: type":               m.sendTyping,
			"p: get thread":         m.getThread,
			"q: delete thread":      m.removeThread,
			"r: sweep":              m.sweepAll,
		})
		for _, e := range m.seen {
			count[e.Kind]++
		}
		steps += m.steps
		failed = false
	})
	if t.Failed() || steps < 5000 { // a short run may miss something by chance
		return
	}
	for _, kind := range []chat.EventKind{
		chat.MessageReceived, chat.MessageEdited, chat.MessageDeleted, chat.TypingReceived, chat.ReadReceiptReceived,
		chat.ThreadCreated, chat.ThreadPropertiesUpdated, chat.ThreadDeleted, chat.ParticipantsAdded, chat.ParticipantsRemoved,
	} {
		if count[kind] == 0 {
			t.Errorf("%s never occurred: the machine does not do all that it should: %v", kind, count)
		}
	}
}

type machine struct {
	*chat.Service
	ctx context.Context
	db  *store.DB
	reference
	identities []chat.Identity // users, and one that does not exist
	position   chat.Position   // of the last event seen
	seen       []chat.Event    // of all operations
	steps      int
}

// tick lets time pass before an operation: mostly none or little; the clock may step back too.
func (m *machine) tick(rt *rapid.T) {
	m.now += rapid.SampledFrom([]chat.Time{0, 0, 0, 1, 1, 2, 1000, -3}).Draw(rt, "milliseconds later")
}

func (m *machine) user(rt *rapid.T) chat.Identity {
	return rapid.SampledFrom(m.users).Draw(rt, "user")
}

// identity draws one that may not exist, and now and then is malformed.
func (m *machine) identity(rt *rapid.T) chat.Identity {
	n := rapid.IntRange(0, 20).Draw(rt, "identity")
	if n == 20 {
		return malformed
	}
	return m.identities[n%len(m.identities)]
}

// Draws prefer what is small and stands first, so that is what is to happen most of the time.

// actor draws a thread and a user who acts in it: mostly a thread that exists and a participant, since all else is refused.
func (m *machine) actor(rt *rapid.T) (chat.Identity, chat.ThreadID) {
	return m.actorOf(rt, (*refThread).present)
}

// reader draws a thread and a user who reads it: mostly one who takes or took part.
func (m *machine) reader(rt *rapid.T) (chat.Identity, chat.ThreadID) {
	return m.actorOf(rt, func(r *refThread) []chat.Participant { return r.stays })
}

func (m *machine) actorOf(rt *rapid.T, likely func(*refThread) []chat.Participant) (chat.Identity, chat.ThreadID) {
	n := rapid.IntRange(0, 9).Draw(rt, "thread")
	if n == 9 || len(m.all) == 0 {
		return m.user(rt), "19:nowhere@thread.v2"
	}
	r := m.all[len(m.all)-1-n%min(len(m.all), 3)] // one of the youngest, to get on with them
	if who := likely(r); len(who) > 0 && rapid.IntRange(0, 4).Draw(rt, "stranger") < 4 {
		return rapid.SampledFrom(who).Draw(rt, "actor").Identity, r.ID
	}
	return m.user(rt), r.ID
}

// message draws the id of a message of the thread, one of the actor's own above all, or one beside them.
func (m *machine) message(rt *rapid.T, actor chat.Identity, id chat.ThreadID) chat.MessageID {
	var own, all []chat.MessageID
	for _, r := range m.all {
		if r.ID != id {
			continue
		}
		for _, x := range r.messages {
			all = append(all, x.ID)
			if x.Sender == actor {
				own = append(own, x.ID)
			}
		}
	}
	switch n := rapid.IntRange(0, 9).Draw(rt, "whose message"); {
	case n < 6 && len(own) > 0:
		return rapid.SampledFrom(own).Draw(rt, "own message")
	case n < 9 && len(all) > 0:
		return rapid.SampledFrom(all).Draw(rt, "message")
	default:
		return chat.MessageID(m.now)
	}
}

// since is a moment around the messages of the thread, or the beginning of time.
func (m *machine) since(rt *rapid.T) chat.Time {
	if rapid.Bool().Draw(rt, "all of the past") {
		return 0
	}
	return m.now - chat.Time(rapid.IntRange(-2, 1100).Draw(rt, "since"))
}

func (m *machine) metadata(rt *rapid.T) map[string]string {
	if rapid.Bool().Draw(rt, "no metadata") {
		return nil
	}
	return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b"}), rapid.SampledFrom([]string{"1", "2", ""}), 0, 2).Draw(rt, "metadata")
}

func (m *machine) participants(rt *rapid.T) []chat.NewParticipant {
	out := make([]chat.NewParticipant, rapid.IntRange(0, 3).Draw(rt, "participants"))
	for i := range out {
		out[i] = chat.NewParticipant{
			Identity: m.identity(rt), DisplayName: m.name(rt), ShareFrom: m.since(rt), Metadata: m.metadata(rt),
			Roles: rapid.SampledFrom(roles[1:]).Draw(rt, "roles"),
		}
	}
	return out
}

func (m *machine) attachments(rt *rapid.T) []chat.Attachment {
	if rapid.IntRange(0, 3).Draw(rt, "attachments") < 3 {
		return nil
	}
	return files
}

func (m *machine) name(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"", "Ann", "Bo"}).Draw(rt, "name")
}

var (
	topics     = []string{"lunch", "dinner", ""}
	texts      = []string{"hello", "it's <b>\"late\"</b>\n😀", ""}
	truths     = []bool{false, true}
	roles      = [][]string{{}, nil, {"a"}, {"b", "a"}}
	files      = []chat.Attachment{{ID: "1", Type: chat.AttachedFile, Name: "a.txt", URL: "https://example.com/a.txt"}}
	retentions = []chat.Retention{{}, {Kind: chat.RetentionNone}, {Kind: chat.RetentionCreationDate, Days: 30}}
)

// optional draws a pointer to one of the values, or nil.
func optional[T any](rt *rapid.T, what string, of []T) *T {
	if rapid.Bool().Draw(rt, "no "+what) {
		return nil
	}
	v := rapid.SampledFrom(of).Draw(rt, what)
	return &v
}

// agree checks that an operation was refused as it should have been.
func agree(rt *rapid.T, err error, want refusal) {
	got := accepted
	if err != nil {
		got = chat.KindOf(err)
	}
	if got != want {
		rt.Fatalf("refused with kind %d (%v), want %d", got, err, want)
	}
}

func same(rt *rapid.T, what string, want, got any) {
	if diff := gocmp.Diff(want, got); diff != "" {
		rt.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// check looks at the events of the last operation, and at what must hold of every thread.
func (m *machine) check(rt *rapid.T) {
	got, err := m.db.After(m.ctx, m.position, 1000)
	if err != nil {
		rt.Fatal(err)
	}
	for i := range got {
		if got[i].Position <= m.position {
			rt.Fatalf("position %d follows on %d", got[i].Position, m.position)
		}
		m.position = got[i].Position
		got[i].Position, got[i].Key = 0, 0
	}
	same(rt, "events", m.events, got)
	m.steps++
	m.seen, m.events = append(m.seen, got...), nil
	for _, r := range m.all {
		a, err := m.db.Access(m.ctx, r.ID, "")
		if err != nil {
			rt.Fatal(err)
		}
		r.Key, r.Edited = a.Thread.Key, a.Thread.Edited // the store's own
		same(rt, "thread", r.Thread, a.Thread)
		if joined := len(r.present()); r.Present != joined {
			rt.Fatalf("%d are present, joined and not left have %d", r.Present, joined)
		}
	}
}
