package chat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPost(t *testing.T) {
	t.Parallel()
	a := present(alice)
	for _, c := range []struct {
		name string
		in   NewMessage
		want Message
	}{
		{"text where no type is named", NewMessage{Content: "hello"}, Message{Type: Text, Content: Content{Text: "hello"}, Sender: alice}},
		{"text", NewMessage{Type: Text, Content: "hello"}, Message{Type: Text, Content: Content{Text: "hello"}, Sender: alice}},
		{
			"everything",
			NewMessage{Type: HTML, Content: "<i>hello</i>", SenderName: "Alice", Metadata: map[string]string{"k": "v"}},
			Message{Type: HTML, Content: Content{Text: "<i>hello</i>"}, Sender: alice, SenderName: "Alice", Metadata: map[string]string{"k": "v"}},
		},
		{
			"an attachment alone, of high priority",
			NewMessage{High: true, Attachments: []Attachment{{ID: "1", Type: AttachedImage}}},
			Message{Type: Text, Content: Content{Attachments: []Attachment{{ID: "1", Type: AttachedImage}}}, Sender: alice, High: true},
		},
		{"text as it is, markup and white space too", NewMessage{Content: " <b> \n\t'\"\\ 😀"}, Message{
			Type: Text, Content: Content{Text: " <b> \n\t'\"\\ 😀"}, Sender: alice,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := post(a, alice, c.in, noon)
			accepted(t, err)
			if diff := cmp.Diff(&Post{Thread: a.Thread, Message: c.want, At: noon}, got); diff != "" {
				t.Errorf("post (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPostRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   NewMessage
	}{
		{"no content", NewMessage{}},
		{"a system message", NewMessage{Type: TopicUpdated, Content: "hello"}},
		{"a type in other letters", NewMessage{Type: "Text", Content: "hello"}},
		{"an unknown type", NewMessage{Type: "richtext/html", Content: "hello"}},
		{"an attachment without id", NewMessage{Content: "hello", Attachments: []Attachment{{Type: AttachedFile}}}},
		{"an attachment of no type", NewMessage{Content: "hello", Attachments: []Attachment{{ID: "1"}}}},
		{"an attachment of an unknown type", NewMessage{Content: "hello", Attachments: []Attachment{{ID: "1", Type: AttachedFile}, {ID: "2", Type: "film"}}}},
	} {
		_, err := post(present(alice), alice, c.in, noon)
		if KindOf(err) != Invalid {
			t.Errorf("%s: %v, want it refused as invalid", c.name, err)
		}
	}
	for _, a := range []*Access{stranger(), gone(alice, 5)} {
		_, err := post(a, alice, NewMessage{Content: "hello"}, noon)
		refused(t, err, Forbidden, "", errNotMember(alice, a.Thread.ID).Message)
	}
}

// A thread may take nothing but text (messaging policy of the 2025 previews).
func TestTextOnly(t *testing.T) {
	t.Parallel()
	a := present(alice)
	a.Thread.TextOnly = true
	attached := []Attachment{{ID: "1", Type: AttachedFile}}
	_, err := post(a, alice, NewMessage{Content: "hello"}, noon)
	accepted(t, err)
	for what, in := range map[string]NewMessage{
		"HTML": {Type: HTML, Content: "hello"}, "an attachment": {Content: "hello", Attachments: attached},
	} {
		if _, err := post(a, alice, in, noon); KindOf(err) != Forbidden {
			t.Errorf("%s: %v, want it forbidden", what, err)
		}
	}
	_, err = updateMessage(a, alice, sayingOf(alice), MessageUpdate{Attachments: attached}, noon)
	refused(t, err, Forbidden, "", why)
}

// The place that the store gives is all that is added.
func TestPostPlace(t *testing.T) {
	t.Parallel()
	p, err := post(present(alice), alice, NewMessage{Content: "hello", SenderName: "Alice"}, noon)
	accepted(t, err)
	got, events := p.Place(17, 4711)
	want := p.Message
	want.ID, want.Seq, want.Version = 4711, 17, 4711
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if len(events) != 1 || events[0].Kind != MessageReceived {
		t.Fatalf("events are %+v, want one of a received message", events)
	}
	if diff := cmp.Diff(&want, events[0].Message); diff != "" {
		t.Errorf("message of the event (-want +got):\n%s", diff)
	}
	if events[0].Version != 4711 || events[0].ActorName != "Alice" || events[0].Roster != 1 {
		t.Errorf("event is %+v", events[0])
	}
	// The store may place a post again, after a failed transaction.
	again, _ := p.Place(18, 4712)
	if again.Seq != 18 || again.ID != 4712 || p.Message.Seq != 0 {
		t.Errorf("placed again it is %+v, left behind %+v", again, p.Message)
	}
}

const said = MessageID(noon - 10_000)

func sayingOf(who Identity) *Message {
	return &Message{
		ID: said, Seq: 3, Version: int64(said), Type: Text, Sender: who, SenderName: name(who), Metadata: map[string]string{"a": "1", "b": "2"},
		Content: Content{Text: "hello", Attachments: []Attachment{{ID: "1", Type: AttachedImage}}},
	}
}

func TestUpdateMessage(t *testing.T) {
	t.Parallel()
	text := "good bye"
	for _, c := range []struct {
		name  string
		in    MessageUpdate
		apply func(*Message) // nil for no change
	}{
		{"nothing", MessageUpdate{}, nil},
		{"the content", MessageUpdate{Content: &text}, func(m *Message) { m.Content.Text = text }},
		{"a key of metadata", MessageUpdate{Metadata: map[string]string{"c": "3"}}, func(m *Message) {
			m.Metadata = map[string]string{"a": "1", "b": "2", "c": "3"}
		}},
		// Recordings of the Android suite: an empty value removes its key, what is not named stays.
		{"a key of metadata away", MessageUpdate{Metadata: map[string]string{"a": "", "b": "3"}}, func(m *Message) {
			m.Metadata = map[string]string{"b": "3"}
		}},
		{"all metadata away at once", MessageUpdate{ClearMetadata: true}, func(m *Message) { m.Metadata = nil }},
		{"all metadata away, and another key", MessageUpdate{ClearMetadata: true, Metadata: map[string]string{"c": "3"}}, func(m *Message) {
			m.Metadata = map[string]string{"c": "3"}
		}},
		{"all metadata away", MessageUpdate{Metadata: map[string]string{"a": "", "b": ""}}, func(m *Message) { m.Metadata = nil }},
		{"the attachments", MessageUpdate{Attachments: []Attachment{{ID: "2", Type: AttachedFile}}}, func(m *Message) {
			m.Content.Attachments = []Attachment{{ID: "2", Type: AttachedFile}}
		}},
		{"the attachments away", MessageUpdate{Attachments: []Attachment{}}, func(m *Message) { m.Content.Attachments = []Attachment{} }},
		{"all", MessageUpdate{Content: &text, Metadata: map[string]string{"a": ""}, Attachments: []Attachment{}}, func(m *Message) {
			m.Content, m.Metadata = Content{Text: text, Attachments: []Attachment{}}, map[string]string{"b": "2"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := sayingOf(alice)
			got, err := updateMessage(present(alice), alice, before, c.in, noon)
			accepted(t, err)
			if diff := cmp.Diff(sayingOf(alice), before); diff != "" {
				t.Errorf("the rule changed what it read:\n%s", diff)
			}
			if c.apply == nil {
				if got != nil {
					t.Fatalf("makes a change: %+v", got)
				}
				return
			}
			want := *sayingOf(alice)
			c.apply(&want)
			want.Version, want.EditedOn = int64(noon), noon
			if diff := cmp.Diff([]Message{want}, got.Replace); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// Recordings of the CLI suite: a tombstone keeps id and sequence number and has neither content nor metadata.
func TestDeleteMessage(t *testing.T) {
	t.Parallel()
	c, err := deleteMessage(present(alice), alice, sayingOf(alice), noon)
	accepted(t, err)
	want := Message{ID: said, Seq: 3, Version: int64(noon), Type: Text, Sender: alice, SenderName: "alice", DeletedOn: noon}
	if diff := cmp.Diff([]Message{want}, c.Replace); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if c, err = deleteMessage(present(alice), alice, &want, noon+1); c != nil || err != nil {
		t.Errorf("deleting again makes %+v, %v; want no change", c, err)
	}
}

// Versions ascend even where the clock does not.
func TestVersionsAscend(t *testing.T) {
	t.Parallel()
	text := "good bye"
	m := sayingOf(alice)
	for _, c := range []struct {
		now  Time
		want int64
	}{
		{Time(said), int64(said) + 1}, // edited in the millisecond of its arrival
		{Time(said), int64(said) + 2},
		{Time(said) - 5000, int64(said) + 3}, // the clock stepped back
		{noon, int64(noon)},
	} {
		got, err := updateMessage(present(alice), alice, m, MessageUpdate{Content: &text}, c.now)
		accepted(t, err)
		if m = &got.Replace[0]; m.Version != c.want {
			t.Errorf("edited at %d it has version %d, want %d", c.now, m.Version, c.want)
		}
	}
	got, err := deleteMessage(present(alice), alice, m, Time(said))
	accepted(t, err)
	if got.Replace[0].Version != int64(noon)+1 {
		t.Errorf("deleted it has version %d, want %d", got.Replace[0].Version, int64(noon)+1)
	}
}

// Whom editing and deleting are refused to, and how.
func TestMessageOfAnother(t *testing.T) {
	t.Parallel()
	text, empty := "good bye", ""
	late := func() *Access { a := present(alice); a.Stay.ShareFrom = Time(said) + 1; return a }
	tombstone := func() *Message { m := sayingOf(alice); m.DeletedOn = noon; return m }
	system := func() *Message { m := sayingOf(""); m.Type = TopicUpdated; return m }
	notMember := errNotMember(alice, conversation().ID).Message
	for _, c := range []struct {
		name   string
		access *Access
		m      *Message
		in     MessageUpdate
		edit   ErrorKind
		erase  ErrorKind // Internal where it is allowed
		text   string
	}{
		{"of somebody else", present(alice), sayingOf(bob), MessageUpdate{Content: &text}, Forbidden, Forbidden, why},
		{"of somebody else, changing nothing", present(alice), sayingOf(bob), MessageUpdate{}, Forbidden, Forbidden, why},
		{"of the service", present(alice), system(), MessageUpdate{Content: &text}, Forbidden, Forbidden, why},
		{"one's own, after the removal", gone(alice, said+1), sayingOf(alice), MessageUpdate{Content: &text}, Forbidden, Forbidden, notMember},
		{"by a stranger", stranger(), sayingOf(alice), MessageUpdate{Content: &text}, Forbidden, Forbidden, notMember},
		{"one's own, before the share time of a new stay", late(), sayingOf(alice), MessageUpdate{Content: &text}, NotFound, NotFound, ""},
		{"deleted", present(alice), tombstone(), MessageUpdate{Content: &text}, NotFound, Internal, ""},
		{"to no content", present(alice), sayingOf(alice), MessageUpdate{Content: &empty}, Invalid, Internal, why},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := updateMessage(c.access, alice, c.m, c.in, noon)
			refused(t, err, c.edit, "", c.text)
			_, err = deleteMessage(c.access, alice, c.m, noon)
			if c.erase == Internal {
				accepted(t, err)
			} else {
				refused(t, err, c.erase, "", c.text)
			}
		})
	}
}
