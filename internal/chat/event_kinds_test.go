package chat

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whose history begins after a message hears nothing of it, whatever becomes of it.
func TestEventVisibleTo(t *testing.T) {
	t.Parallel()
	const at = MessageID(noon)
	of := func(kind EventKind) Event {
		return Event{Kind: kind, Message: &Message{ID: at, Version: int64(at) + 1000}}
	}
	for _, c := range []struct {
		event   Event
		limited bool
	}{
		{of(MessageReceived), true},
		{of(MessageEdited), true},
		{of(MessageDeleted), true},
		{Event{Kind: ReadReceiptReceived, Receipt: &ReadReceipt{MessageID: at, ReadOn: noon + 1000}}, true},
		{Event{Kind: TypingReceived, At: noon}, false},
		{Event{Kind: ThreadCreated, At: noon}, false},
		{Event{Kind: ThreadPropertiesUpdated, At: noon}, false},
		{Event{Kind: ThreadDeleted, At: noon}, false},
		{Event{Kind: ParticipantsAdded, At: noon}, false},
		{Event{Kind: ParticipantsRemoved, At: noon}, false},
	} {
		for from, want := range map[Time]bool{0: true, noon: true, noon + 1: !c.limited} {
			if got := c.event.VisibleTo(&Participant{Identity: bob, ShareFrom: from}); got != want {
				t.Errorf("%s of noon is heard by a history from noon%+d: %t, want %t", c.event.Kind, from-noon, got, want)
			}
		}
	}
}

// checkEvent checks what all events have in common.
func checkEvent(t *testing.T, operation string, e *Event, thread *Thread) {
	t.Helper()
	if e.Kind != ThreadCreated && (e.ThreadID != thread.ID || e.Key != thread.Key) {
		t.Errorf("%s: event of thread %d %s, want %d %s", operation, e.Key, e.ThreadID, thread.Key, thread.ID)
	}
	if !e.ThreadID.WellFormed() {
		t.Errorf("%s: event of thread %q", operation, e.ThreadID)
	}
	if e.At != noon || e.Position != 0 {
		t.Errorf("%s: event at %d, position %d; want %d, 0", operation, e.At, e.Position, noon)
	}
	if e.Message != nil && e.Version != e.Message.Version {
		t.Errorf("%s: event of version %d for a message of version %d", operation, e.Version, e.Message.Version)
	}
	if e.Version < int64(noon) {
		t.Errorf("%s: event of version %d, older than its moment", operation, e.Version)
	}
	if e.Kind != ThreadCreated && e.Actor != "" && e.ActorName != name(e.Actor) {
		t.Errorf("%s: actor is called %q, want %q", operation, e.ActorName, name(e.Actor))
	}
}

func showMessages(messages []Message) []string {
	var out []string
	for i := range messages {
		out = append(out, showMessage(&messages[i]))
	}
	return out
}

func showMessage(m *Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d %s:", m.Seq, m.Type)
	for _, part := range []string{m.Content.Text, m.Content.Topic, showParticipants(m.Content.Participants)} {
		if part != "" {
			b.WriteString(" " + part)
		}
	}
	for _, a := range m.Content.Attachments {
		b.WriteString(" and " + a.ID + " " + a.Type)
	}
	if m.Metadata != nil {
		fmt.Fprintf(&b, " %v", m.Metadata)
	}
	if m.Content.Initiator != "" {
		b.WriteString(", by " + name(m.Content.Initiator))
	}
	if m.EditedOn != 0 {
		b.WriteString(", edited")
	}
	if m.DeletedOn != 0 {
		b.WriteString(", deleted")
	}
	return b.String()
}

func showParticipants(participants []Participant) string {
	var names []string
	for _, p := range participants {
		names = append(names, name(p.Identity))
	}
	return strings.Join(names, " ")
}

func showEvents(events []Event) []string {
	var out []string
	for _, e := range events {
		var what []string
		if p := e.Properties; p != nil {
			what = append(what, fmt.Sprintf("%s %v %v", p.Topic, p.Metadata, p.Retention))
			if p.TextOnly {
				what[0] += " text only"
			}
		}
		if e.Participants != nil {
			what = append(what, showParticipants(e.Participants))
		}
		if e.Message != nil {
			what = append(what, showMessage(e.Message))
		}
		if e.Receipt != nil {
			what = append(what, fmt.Sprint(e.Receipt.MessageID-MessageID(noon)))
		}
		line := fmt.Sprintf("%s to roster %d by %s", e.Kind, e.Roster, name(e.Actor))
		if len(what) > 0 {
			line += ": " + strings.Join(what, ", ")
		}
		out = append(out, line)
	}
	return out
}

// EventKinds has every kind but those by which servers tell each other.
func TestEventKinds(t *testing.T) {
	t.Parallel()
	want := EventKinds()
	for _, own := range []EventKind{IdentityEnded} {
		if slices.Contains(want, own) {
			t.Errorf("clients would hear of %s", own)
		}
		want = append(want, own)
	}
	slices.Sort(want)
	declared := declaredKinds(t, "event.go")
	slices.Sort(declared)
	if diff := cmp.Diff(declared, want); diff != "" {
		t.Errorf("kinds (-declared +known):\n%s", diff)
	}
}

// declaredKinds returns the constants of type EventKind.
func declaredKinds(t *testing.T, files ...string) (out []EventKind) {
	t.Helper()
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			c, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, ok := c.Type.(*ast.Ident); ok && kind.Name == "EventKind" {
				value, err := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, EventKind(value))
			}
			return true
		})
	}
	return out
}
