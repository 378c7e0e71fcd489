package native

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/internal/chat"
)

// story does one thing of each kind in a thread that it makes, and returns what those who listen are to hear.
func story(w *world) []client.Event {
	w.Helper()
	ctx := w.Context()
	made, err := w.chat.CreateThread(ctx, alice, chat.NewThread{
		Topic: "lunch", Metadata: map[string]string{"k": "v"}, TextOnly: true, Retention: chat.Retention{Kind: chat.RetentionCreationDate, Days: 30},
		Participants: []chat.NewParticipant{{Identity: alice, DisplayName: "Alice"}, {Identity: bob, DisplayName: "Bob & <Bob>", ShareFrom: 1500}},
	})
	w.must(err)
	id := made.Thread.ID
	everybody := []client.Participant{
		{ID: string(alice), DisplayName: "Alice", ShareHistoryTime: time.Unix(0, 0).UTC()},
		{ID: string(bob), DisplayName: "Bob & <Bob>", ShareHistoryTime: time.UnixMilli(1500).UTC()},
	}
	byAlice := &client.User{ID: string(alice), DisplayName: "Alice"}
	thread := client.Thread{
		Topic: "lunch", Metadata: map[string]string{"k": "v"}, RetentionPolicy: &client.RetentionPolicy{Kind: "threadCreationDate", DeleteThreadAfterDays: 30},
		MessagingPolicy: &client.MessagingPolicy{TextOnlyChat: true},
	}
	want := []client.Event{{Kind: client.ThreadCreated, By: byAlice, Thread: &thread, Participants: everybody}}

	topic, free := "dinner", false
	w.must(w.chat.UpdateThread(ctx, alice, id, chat.ThreadUpdate{Topic: &topic, TextOnly: &free, Retention: &chat.Retention{Kind: chat.RetentionNone}}))
	want = append(want, client.Event{Kind: client.ThreadPropertiesUpdated, By: byAlice, Thread: &client.Thread{
		Topic: "dinner", Metadata: thread.Metadata, RetentionPolicy: &client.RetentionPolicy{Kind: "none"},
	}})

	text := "a < b && \"c\" > d \u2028 😀"
	m, err := w.chat.SendMessage(ctx, alice, id, chat.NewMessage{
		Type: chat.HTML, SenderName: "Alice A.", Metadata: map[string]string{"m": "1"},
		Content: text, Attachments: []chat.Attachment{{ID: "1", Type: chat.AttachedFile, Name: "a.txt", URL: "https://example.com/a.txt"}},
	})
	w.must(err)
	message := client.Message{
		ID: m.ID.String(), Type: "html", SequenceID: decimal(m.Seq), SenderDisplayName: "Alice A.", SenderID: string(alice),
		CreatedOn: m.CreatedOn().Std(), Metadata: map[string]string{"m": "1"}, Version: m.ID.String(),
		Content: client.Content{Message: text, Attachments: []client.Attachment{{ID: "1", AttachmentType: "file", Name: "a.txt", URL: "https://example.com/a.txt"}}},
	}
	asSender := &client.User{ID: string(alice), DisplayName: "Alice A."}
	want = append(want, client.Event{Kind: client.MessageReceived, By: asSender, Message: &message})

	w.must(w.chat.SendTyping(ctx, bob, id, "Bob B."))
	want = append(want, client.Event{Kind: client.TypingReceived, By: &client.User{ID: string(bob), DisplayName: "Bob B."}})
	w.must(w.chat.SendReadReceipt(ctx, bob, id, m.ID))
	receipts, _, err := w.chat.ListReadReceipts(ctx, bob, id, chat.PageQuery{Limit: 1})
	w.must(err)
	want = append(want, client.Event{
		Kind: client.ReadReceiptReceived, By: &client.User{ID: string(bob), DisplayName: "Bob & <Bob>"},
		Receipt: &client.Receipt{SenderID: string(bob), ChatMessageID: m.ID.String(), ReadOn: receipts[0].ReadOn.Std()},
	})

	text = "edited"
	w.must(w.chat.UpdateMessage(ctx, alice, id, m.ID, chat.MessageUpdate{Content: &text}))
	edited := message
	edited.Content.Message = text
	stored, err := w.chat.GetMessage(ctx, alice, id, m.ID)
	w.must(err)
	edited.Version, edited.EditedOn = decimal(stored.Version), stored.EditedOn.Std()
	want = append(want, client.Event{Kind: client.MessageEdited, By: asSender, Message: &edited})

	w.must(w.chat.DeleteMessage(ctx, alice, id, m.ID))
	stored, err = w.chat.GetMessage(ctx, alice, id, m.ID)
	w.must(err)
	deleted := client.Message{
		ID: message.ID, Type: message.Type, SequenceID: message.SequenceID, SenderID: message.SenderID, SenderDisplayName: stored.SenderName, CreatedOn: message.CreatedOn,
		Version: decimal(stored.Version), DeletedOn: stored.DeletedOn.Std(), Metadata: stored.Metadata,
	}
	if stored.EditedOn != 0 {
		deleted.EditedOn = stored.EditedOn.Std()
	}
	want = append(want, client.Event{Kind: client.MessageDeleted, By: asSender, Message: &deleted})

	_, err = w.chat.AddParticipants(ctx, alice, id, []chat.NewParticipant{{Identity: carol, DisplayName: "Carol"}})
	w.must(err)
	added := []client.Participant{{ID: string(carol), DisplayName: "Carol", ShareHistoryTime: time.Unix(0, 0).UTC()}}
	want = append(want, client.Event{Kind: client.ParticipantsAdded, By: byAlice, Participants: added})
	w.must(w.chat.RemoveParticipant(ctx, alice, id, carol))
	want = append(want, client.Event{Kind: client.ParticipantsRemoved, By: byAlice, Participants: added})

	w.must(w.chat.DeleteThread(ctx, alice, id))
	want = append(want, client.Event{Kind: client.ThreadDeleted, By: byAlice})
	for i := range want {
		want[i].ThreadID = string(id)
	}
	return want
}

// Both sides hear all ten kinds, the originator too, and each frame is as asyncapi.yaml says.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	spec := loadSpec(t)
	listeners := []*rawClient{w.raw(nil), w.raw(nil)}
	for i, l := range listeners {
		l.write(fmt.Sprintf(`{"type":"start","version":1,"token":%q}`, user(i+1)))
		spec.check(t, l.read())
	}
	want := story(w)
	for _, l := range listeners {
		l.write(`{"type":"ping"}`)
		var got []client.Event
		for {
			text := l.read()
			spec.check(t, text)
			if text == `{"type":"pong"}` { // may overtake nothing but what is not queued yet
				if len(got) < len(want) {
					l.write(`{"type":"ping"}`)
					continue
				}
				break
			}
			var e client.Event
			w.must(json.Unmarshal([]byte(text), &e))
			if e.Position == "" || time.Since(e.At) > time.Minute || e.Version == "" {
				t.Errorf("position %q, time %s, version %q", e.Position, e.At, e.Version)
			}
			e.Position, e.At, e.Version = "", time.Time{}, ""
			got = append(got, e)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	}
}

// Each kind has its place in asyncapi.yaml; one that this server does not know is an error in the log and not told: neither
// at once nor when it is read from the journal.
func TestKinds(t *testing.T) {
	t.Parallel()
	known := loadSpec(t).Schemas["event"].Value.Properties["event"].Value.Enum
	for _, kind := range chat.EventKinds() {
		if !slices.Contains(known, any(string(kind))) || !kinds[kind] {
			t.Errorf("%s is not specified", kind)
		}
	}
	var log bytes.Buffer
	w := newWorld(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	id := w.thread(alice, bob)
	first := w.listen(alice, client.Options{})
	events, err := w.db.After(w.Context(), 0, 1)
	w.must(err)
	live := w.listen(bob, client.Options{})
	w.must(w.db.Note(w.Context(), chat.Event{Kind: "chatMessagePinned", ThreadID: id, Key: events[0].Key, Roster: events[0].Roster, At: now()}))
	w.send(alice, id, "next")
	start := first.Position()
	for _, l := range []*listener{first, live, w.listen(bob, client.Options{After: start})} {
		if e := l.next(); e.Kind != client.MessageReceived {
			t.Errorf("told of %s", e.Kind)
		}
		w.must(l.Close())
	}
	w.stop()
	w.server.waitForConnections(time.Minute)
	if n := strings.Count(log.String(), "kind=chatMessagePinned"); n != 3 { // to alice and bob, and to bob again
		t.Errorf("logged %d times: %s", n, log.String())
	}
}

// spec is the schemas of asyncapi.yaml, which stand at its end and are of a form that OpenAPI knows too.
type spec struct{ openapi3.Schemas }

func loadSpec(tb testing.TB) spec {
	tb.Helper()
	text, err := os.ReadFile("../../../asyncapi.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	_, schemas, _ := strings.Cut(string(text), "\n  schemas:\n")
	doc, err := openapi3.NewLoader().LoadFromData([]byte("openapi: 3.0.3\ninfo: {title: x, version: x}\npaths: {}\ncomponents:\n  schemas:\n" + schemas))
	if err != nil {
		tb.Fatal(err)
	}
	return spec{doc.Components.Schemas}
}

func (s spec) check(tb testing.TB, text string) {
	tb.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		tb.Fatalf("%q: %v", text, err)
	}
	kind, _ := value["type"].(string)
	schema := s.Schemas[kind]
	if schema == nil {
		tb.Fatalf("message of unknown type: %s", text)
	}
	if err := schema.Value.VisitJSON(value); err != nil {
		tb.Errorf("%s\nis not as asyncapi.yaml says: %v", text, err)
	}
}

// The examples of the documentation are accepted, and so are the messages of the client package.
func TestSpecExamples(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	for _, text := range []string{
		`{"type":"start","version":1}`,
		`{"type":"start","version":1,"token":"x","threads":["19:lunch@thread.v2"],"after":"4711"}`,
		`{"type":"ping"}`,
	} {
		s.check(t, text)
	}
}

// A time that RFC 3339 cannot say is written all the same.
func TestTimestamp(t *testing.T) {
	t.Parallel()
	for in, want := range map[timestamp]string{
		0:                   `"1970-01-01T00:00:00.000Z"`,
		1_700_000_000_007:   `"2023-11-14T22:13:20.007Z"`,
		253_402_300_800_000: `"0001-01-01T00:00:00.000Z"`,
	} {
		got, err := json.Marshal(in)
		if err != nil || string(got) != want {
			t.Errorf("%d is written %s (%v), want %s", in, got, err, want)
		}
	}
}

// Frames are those of RFC 6455 at each border of its lengths.
func TestFrame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 123, 124, 65533, 65534, 70000} {
		f := frame(strings.Repeat("x", n))
		size := n + 2 // quotes
		head := []byte{0x81, byte(size)}
		switch {
		case size > 65535:
			head = []byte{0x81, 127, 0, 0, 0, 0, 0, byte(size >> 16), byte(size >> 8), byte(size)}
		case size > 125:
			head = []byte{0x81, 126, byte(size >> 8), byte(size)}
		}
		if len(f) != len(head)+size || string(f[:len(head)]) != string(head) {
			t.Errorf("frame of %d bytes begins with %x and has %d bytes, want %x and %d", size, f[:len(head)], len(f), head, len(head)+size)
		}
	}
}

// A filter lets through what it names and nothing else, in a replay too.
func TestFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wanted, other := w.thread(alice, bob), w.thread(alice, bob)
	l := w.listen(bob, client.Options{Threads: []string{string(wanted)}})
	start := l.Position()
	w.send(alice, other, "other")
	w.send(alice, wanted, "wanted")
	w.send(alice, other, "other")
	w.send(alice, wanted, "wanted too")
	for _, l := range []*listener{l, w.listen(bob, client.Options{Threads: []string{string(wanted)}, After: start})} {
		if diff := cmp.Diff([]string{"wanted", "wanted too"}, l.texts(2)); diff != "" {
			t.Error(diff)
		}
	}
}

// Who is removed hears of it and then nothing, who comes back hears again, and nobody hears what their history hides.
func TestAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	id := w.thread(alice, bob)
	old := w.send(alice, id, "old")
	live := w.listen(bob, client.Options{})
	start := live.Position()
	w.must(w.chat.RemoveParticipant(ctx, alice, id, bob))
	w.send(alice, id, "behind bob's back")
	_, err := w.chat.AddParticipants(ctx, alice, id, []chat.NewParticipant{{Identity: bob, ShareFrom: now() + 60_000}})
	w.must(err)
	text := "edited"
	w.must(w.chat.UpdateMessage(ctx, alice, id, old.ID, chat.MessageUpdate{Content: &text})) // hidden from bob
	w.send(alice, id, "since bob is back")
	w.must(w.chat.RemoveParticipant(ctx, bob, id, bob))
	_, err = w.chat.AddParticipants(ctx, alice, id, []chat.NewParticipant{{Identity: bob}})
	w.must(err)
	w.send(alice, id, "welcome back")
	want := []string{
		client.ParticipantsRemoved, client.ParticipantsAdded, client.MessageReceived, client.ParticipantsRemoved, client.ParticipantsAdded,
		client.MessageReceived,
	}
	for _, l := range []*listener{live, w.listen(bob, client.Options{After: start})} {
		for i, kind := range want {
			if e := l.next(); e.Kind != kind {
				t.Fatalf("event %d is %s, want %s", i, e.Kind, kind)
			}
		}
	}
}
