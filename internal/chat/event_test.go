package chat

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every operation, with the messages that it writes and the events that follow: "roster N" names those who hear it.
// The conversation is one of alice and bob with two messages so far; alice is called "alice" there.
func TestWhatFollows(t *testing.T) {
	t.Parallel()
	message := func(by Identity) *Message {
		m := sayingOf(by)
		m.Content.Attachments, m.Metadata = nil, map[string]string{"k": "v"}
		return m
	}
	text := func(s string) *string { return &s }
	truth := func(b bool) *bool { return &b }
	here := []Participant{{Identity: alice, Joined: 1}, {Identity: bob, Joined: 1}}
	crowd := func(who Identity) *Access { a := present(who); a.Thread.Present = 21; return a }
	expiring := func() *Access {
		a := stranger()
		a.Thread.CreatedOn = noon - 31*24*60*60*1000
		a.Thread.Retention = Retention{RetentionCreationDate, 30}
		return a
	}
	type does = func(a *Access) (*Change, error)
	create := func(in NewThread) does {
		return func(*Access) (*Change, error) {
			c, _, err := createThread(alice, in, everyone(bob, carol), noon)
			return c, err
		}
	}
	add := func(who ...Identity) does {
		return func(a *Access) (*Change, error) {
			c, _, err := addParticipants(a, here, alice, additions(who...), everyone(alice, bob, carol, dave), noon)
			return c, err
		}
	}
	remove := func(target *Access, who Identity) does {
		return func(a *Access) (*Change, error) { return removeParticipant(a, target, alice, who, noon) }
	}
	send := func(in NewMessage) does {
		return func(a *Access) (*Change, error) {
			p, err := post(a, alice, in, noon)
			if err != nil {
				return nil, err
			}
			m, events := p.Place(a.Thread.Seq+1, MessageID(noon))
			return &Change{Append: []Message{m}, Events: events}, nil
		}
	}
	edit := func(m *Message, in MessageUpdate) does {
		return func(a *Access) (*Change, error) { return updateMessage(a, alice, m, in, noon) }
	}
	remember := func(m *Message, on Time) *Message { m.Content, m.Metadata, m.DeletedOn = Content{}, nil, on; return m }
	erase := func(m *Message) does {
		return func(a *Access) (*Change, error) { return deleteMessage(a, alice, m, noon) }
	}
	change := func(in ThreadUpdate) does {
		return func(a *Access) (*Change, error) { return updateThread(a, alice, in, noon) }
	}
	read := func(kept *ReadReceipt) does {
		return func(a *Access) (*Change, error) { return sendReceipt(a, alice, said, kept, noon) }
	}
	none := []string(nil)

	heard := map[EventKind]bool{}
	for _, c := range []struct {
		name     string
		as       func() *Access
		do       does
		messages []string
		events   []string
	}{
		{
			"create a thread", stranger, create(NewThread{ID: "19:new@thread.v2", Topic: "lunch", Participants: additions(bob, carol)}),
			[]string{"#1 participantAdded: alice bob carol, by alice", "#2 topicUpdated: lunch, by alice"},
			[]string{"chatThreadCreated to roster 1 by alice: lunch map[] { 0}, alice bob carol"},
		},
		{
			"create a thread of one's own", stranger,
			create(NewThread{ID: "19:new@thread.v2", Topic: "notes", Metadata: map[string]string{"k": "v"}, Retention: Retention{RetentionCreationDate, 30}}),
			[]string{"#1 participantAdded: alice, by alice", "#2 topicUpdated: notes, by alice"},
			[]string{"chatThreadCreated to roster 1 by alice: notes map[k:v] {threadCreationDate 30}, alice"},
		},
		{
			"create a thread with somebody unknown", stranger, create(NewThread{ID: "19:new@thread.v2", Topic: "lunch", Participants: additions(dave, bob)}),
			[]string{"#1 participantAdded: alice bob, by alice", "#2 topicUpdated: lunch, by alice"},
			[]string{"chatThreadCreated to roster 1 by alice: lunch map[] { 0}, alice bob"},
		},
		{
			"add participants", func() *Access { return present(alice) }, add(carol, dave),
			[]string{"#3 participantAdded: carol dave, by alice"},
			[]string{"participantsAdded to roster 2 by alice: carol dave"},
		},
		{
			"add a participant who is there and one who is not", func() *Access { return present(alice) }, add(bob, carol),
			[]string{"#3 participantAdded: carol, by alice"},
			[]string{"participantsAdded to roster 2 by alice: carol"},
		},
		{"add participants who are there", func() *Access { return present(alice) }, add(bob, alice), none, none},
		{"add nobody", func() *Access { return present(alice) }, add(), none, none},
		{
			"remove a participant", func() *Access { return present(alice) }, remove(present(bob), bob),
			[]string{"#3 participantRemoved: bob, by alice"},
			[]string{"participantsRemoved to roster 1 by alice: bob"}, // the roster before: bob hears it too
		},
		{
			"remove oneself", func() *Access { return present(alice) }, remove(present(alice), alice),
			[]string{"#3 participantRemoved: alice, by alice"},
			[]string{"participantsRemoved to roster 1 by alice: alice"},
		},
		{"remove somebody who is gone", func() *Access { return present(alice) }, remove(gone(bob, said), bob), none, none},
		{"remove somebody who was never there", func() *Access { return present(alice) }, remove(stranger(), carol), none, none},
		{
			"alter a participant", func() *Access { return present(alice) },
			func(a *Access) (*Change, error) {
				return alterParticipant(a, present(bob), alice, ParticipantUpdate{Identity: bob, DisplayName: text("Rob"), Roles: []string{"a"}}, noon)
			},
			none, none, // none is known
		},
		{
			"send a text", func() *Access { return present(alice) }, send(NewMessage{Content: "hello", SenderName: "alice"}),
			[]string{"#3 text: hello"},
			[]string{"chatMessageReceived to roster 1 by alice: #3 text: hello"},
		},
		{
			"send HTML with metadata", func() *Access { return present(alice) },
			send(NewMessage{Type: HTML, Content: "<b>hello</b>", SenderName: "alice", Metadata: map[string]string{"k": "v"}}),
			[]string{"#3 html: <b>hello</b> map[k:v]"},
			[]string{"chatMessageReceived to roster 1 by alice: #3 html: <b>hello</b> map[k:v]"},
		},
		{
			"send an attachment", func() *Access { return present(alice) },
			send(NewMessage{SenderName: "alice", Attachments: []Attachment{{ID: "1", Type: AttachedImage}}}),
			[]string{"#3 text: and 1 image"},
			[]string{"chatMessageReceived to roster 1 by alice: #3 text: and 1 image"},
		},
		{
			"edit a message", func() *Access { return present(alice) }, edit(message(alice), MessageUpdate{Content: text("good bye")}),
			[]string{"#3 text: good bye map[k:v], edited"},
			[]string{"chatMessageEdited to roster 1 by alice: #3 text: good bye map[k:v], edited"},
		},
		{
			"edit the metadata of a message", func() *Access { return present(alice) },
			edit(message(alice), MessageUpdate{Metadata: map[string]string{"k": "", "l": "w"}}),
			[]string{"#3 text: hello map[l:w], edited"},
			[]string{"chatMessageEdited to roster 1 by alice: #3 text: hello map[l:w], edited"},
		},
		{
			"edit the attachments of a message", func() *Access { return present(alice) },
			edit(message(alice), MessageUpdate{Attachments: []Attachment{{ID: "1", Type: AttachedFile}}}),
			[]string{"#3 text: hello and 1 file map[k:v], edited"},
			[]string{"chatMessageEdited to roster 1 by alice: #3 text: hello and 1 file map[k:v], edited"},
		},
		{"edit nothing", func() *Access { return present(alice) }, edit(message(alice), MessageUpdate{}), none, none},
		{
			"delete a message", func() *Access { return present(alice) }, erase(message(alice)),
			[]string{"#3 text:, deleted"},
			[]string{"chatMessageDeleted to roster 1 by alice: #3 text:, deleted"},
		},
		{"delete a deleted message", func() *Access { return present(alice) }, erase(remember(message(alice), noon-1)), none, none},
		{
			"change the topic", func() *Access { return present(alice) }, change(ThreadUpdate{Topic: text("dinner")}),
			[]string{"#3 topicUpdated: dinner, by alice"},
			[]string{"chatThreadPropertiesUpdated to roster 1 by alice: dinner map[] { 0}"},
		},
		{"change the topic to what it is", func() *Access { return present(alice) }, change(ThreadUpdate{Topic: text("lunch")}), none, none},
		{
			"change the metadata", func() *Access { return present(alice) }, change(ThreadUpdate{Metadata: map[string]string{"k": "v"}}),
			none,
			[]string{"chatThreadPropertiesUpdated to roster 1 by alice: lunch map[k:v] { 0}"},
		},
		{
			"change the retention", func() *Access { return present(alice) }, change(ThreadUpdate{Retention: &Retention{RetentionCreationDate, 30}}),
			none,
			[]string{"chatThreadPropertiesUpdated to roster 1 by alice: lunch map[] {threadCreationDate 30}"},
		},
		{
			"change the messaging policy", func() *Access { return present(alice) }, change(ThreadUpdate{TextOnly: truth(true)}),
			none,
			[]string{"chatThreadPropertiesUpdated to roster 1 by alice: lunch map[] { 0} text only"},
		},
		{"change the messaging policy to what it is", func() *Access { return present(alice) }, change(ThreadUpdate{TextOnly: truth(false)}), none, none},
		{
			"change all properties", func() *Access { return present(alice) },
			change(ThreadUpdate{Topic: text("dinner"), Metadata: map[string]string{"k": "v"}, Retention: &Retention{Kind: RetentionNone}}),
			[]string{"#3 topicUpdated: dinner, by alice"},
			[]string{"chatThreadPropertiesUpdated to roster 1 by alice: dinner map[k:v] {none 0}"},
		},
		{"change no property", func() *Access { return present(alice) }, change(ThreadUpdate{}), none, none},
		{
			"read a message", func() *Access { return present(alice) }, read(nil), none,
			[]string{"readReceiptReceived to roster 1 by alice: -10000"},
		},
		{
			"read on", func() *Access { return present(alice) }, read(&ReadReceipt{Reader: alice, MessageID: said - 1}), none,
			[]string{"readReceiptReceived to roster 1 by alice: -10000"},
		},
		{"read again", func() *Access { return present(alice) }, read(&ReadReceipt{Reader: alice, MessageID: said}), none, none},
		{"read back", func() *Access { return present(alice) }, read(&ReadReceipt{Reader: alice, MessageID: said + 1}), none, none},
		{"read in a crowd", func() *Access { return crowd(alice) }, read(nil), none, none},
		{
			"type", func() *Access { return present(alice) },
			func(a *Access) (*Change, error) {
				return &Change{Events: []Event{typingEvent(&a.Thread, alice, "alice", noon)}}, nil
			},
			none,
			[]string{"typingIndicatorReceived to roster 1 by alice"},
		},
		{
			"delete a thread", func() *Access { return present(alice) }, func(a *Access) (*Change, error) { return deleteThread(a, alice, noon) },
			none,
			[]string{"chatThreadDeleted to roster 1 by alice"},
		},
		{
			"the service deletes a thread whose retention ended", expiring,
			func(a *Access) (*Change, error) { return expireThread(&a.Thread, noon), nil },
			none,
			[]string{"chatThreadDeleted to roster 1 by service"},
		},
		{
			"the service leaves a thread without retention", stranger,
			func(a *Access) (*Change, error) { return expireThread(&a.Thread, noon), nil },
			none, none,
		},
	} {
		a := c.as()
		got, err := c.do(a)
		if err != nil {
			t.Errorf("%s: refused: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.as(), a); diff != "" {
			t.Errorf("%s: the rule changed what it read (-before +after):\n%s", c.name, diff)
		}
		if got == nil {
			got = &Change{}
		}
		if diff := cmp.Diff(c.messages, showMessages(slices.Concat(got.Append, got.Replace))); diff != "" {
			t.Errorf("%s: messages (-want +got):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(c.events, showEvents(got.Events)); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", c.name, diff)
		}
		for _, e := range got.Events {
			heard[e.Kind] = true
			checkEvent(t, c.name, &e, &a.Thread)
		}
	}
	if n := len(heard); n != 10 {
		t.Errorf("the table shows %d kinds of event, want all ten: %v", n, slices.Sorted(maps.Keys(heard)))
	}
}
