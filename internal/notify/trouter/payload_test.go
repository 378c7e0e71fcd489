package trouter

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
)

var update = flag.Bool("update", false, "write testdata/payloads.golden")

const (
	arrived = chat.Time(1_795_251_947_407)
	later   = arrived + 60_000
)

// trap is a text that does not survive unescape().
const trap = `50%20 100%25 %u2603 %22 100% "quoted" \back 😀 é`

func said(change func(*chat.Message)) *chat.Message {
	m := &chat.Message{
		ID: chat.MessageID(arrived), Seq: 7, Version: int64(arrived), Type: chat.Text, Sender: alice, SenderName: "Alice",
		Content: chat.Content{Text: `héllo "q" <b>&amp;` + "\n\u2028😀 %20"},
	}
	change(m)
	return m
}

// kinds are events of all kinds and in all forms.
func kinds() map[string]chat.Event {
	everyone := []chat.Participant{
		{Identity: alice, DisplayName: "Alice"},
		{Identity: bob, DisplayName: trap, ShareFrom: arrived, Metadata: map[string]string{"m": trap}},
	}
	none := func(*chat.Message) {}
	out := map[string]chat.Event{
		"message received": {Kind: chat.MessageReceived, Message: said(none)},
		"message received, all of it": {Kind: chat.MessageReceived, Message: said(func(m *chat.Message) {
			m.Type, m.Metadata, m.High = chat.HTML, map[string]string{"b": trap, "a": ""}, true
			m.Content.Text = "<p>see <img id=\"i1\"></p>"
			m.Content.Attachments = []chat.Attachment{
				{ID: "i1", Type: chat.AttachedImage, Name: "a b.png"},
				{ID: "i2", Type: chat.AttachedImage, URL: "https://img.example.com/2?x=1&y=2", PreviewURL: "https://img.example.com/2s"},
				{ID: "f1", Type: chat.AttachedFile, Name: trap, URL: "https://files.example.com/1"},
			}
		})},
		"message edited": {Kind: chat.MessageEdited, Version: int64(later), At: later, Message: said(func(m *chat.Message) {
			m.Version, m.EditedOn, m.Metadata = int64(later), later, map[string]string{"k": "v"}
		})},
		"message deleted": {Kind: chat.MessageDeleted, Version: int64(later), At: later, Message: said(func(m *chat.Message) {
			m.Version, m.DeletedOn, m.Content = int64(later), later, chat.Content{}
		})},
		"typing":           {Kind: chat.TypingReceived},
		"typing, unnamed":  {Kind: chat.TypingReceived, ActorName: "-"},
		"read receipt":     {Kind: chat.ReadReceiptReceived, Receipt: &chat.ReadReceipt{Reader: alice, MessageID: chat.MessageID(arrived), ReadOn: later}},
		"thread created":   {Kind: chat.ThreadCreated, Properties: &chat.Properties{Topic: trap, Metadata: map[string]string{"k": trap}}, Participants: everyone},
		"topic":            {Kind: chat.ThreadPropertiesUpdated, Properties: &chat.Properties{Topic: "new"}},
		"retention":        {Kind: chat.ThreadPropertiesUpdated, Properties: &chat.Properties{Topic: "t", Retention: chat.Retention{Kind: chat.RetentionCreationDate, Days: 60}}},
		"no retention":     {Kind: chat.ThreadPropertiesUpdated, Properties: &chat.Properties{Topic: "t", Retention: chat.Retention{Kind: chat.RetentionNone}}},
		"deleted by user":  {Kind: chat.ThreadDeleted},
		"deleted by time":  {Kind: chat.ThreadDeleted, Actor: "-", ActorName: "-"},
		"added":            {Kind: chat.ParticipantsAdded, Participants: everyone[1:]},
		"removed":          {Kind: chat.ParticipantsRemoved, Participants: everyone},
		"removed, oneself": {Kind: chat.ParticipantsRemoved, Participants: everyone[:1]},
	}
	for name, e := range out {
		e.ThreadID = thread
		if e.At == 0 {
			e.At, e.Version = arrived, int64(arrived)
		}
		e.Actor = chat.Identity(unless(string(e.Actor), string(alice)))
		e.ActorName = unless(e.ActorName, "Alice")
		out[name] = e
	}
	return out
}

// unless returns the default where nothing is given, and nothing where "-" is.
func unless(given, standard string) string {
	switch given {
	case "":
		return standard
	case "-":
		return ""
	}
	return given
}

func bodyOf(tb testing.TB, e *chat.Event, to chat.Identity, f format) string {
	tb.Helper()
	var text string
	if err := json.Unmarshal(bodyFor(notify.Delivery{Event: e, To: to, Shared: &notify.Shared{}}, f), &text); err != nil {
		tb.Fatal(err)
	}
	return text
}

// What each kind of event looks like, for both kinds of client, is in testdata/payloads.golden; -update writes it.
func TestPayloads(t *testing.T) {
	t.Parallel()
	all := kinds()
	var b bytes.Buffer
	names := make([]string, 0, len(all))
	for name := range maps.Keys(all) {
		names = append(names, name)
	}
	for _, name := range sorted(names) {
		e := all[name]
		forWeb, forPhones := bodyOf(t, &e, bob, webFormat), bodyOf(t, &e, bob, phoneFormat)
		if forWeb == forPhones {
			fmt.Fprintf(&b, "-- %s --\n%s\n", name, indent(forWeb))
			continue
		}
		fmt.Fprintf(&b, "-- %s, web --\n%s\n-- %s, native --\n%s\n", name, indent(forWeb), name, indent(forPhones))
	}
	got := strings.NewReplacer(string(alice), "8:acs:alice", string(bob), "8:acs:bob").Replace(b.String())
	const path = "testdata/payloads.golden"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("payloads (-want +got):\n%s", diff)
	}
}

func indent(text string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		panic(err)
	}
	return b.String()
}

// shape is what clients demand of a field: text, a time, JSON in a string, a number, or a list in a string.
type shape map[string]string

// shapes are the fields of each kind as the clients read them (realtime protocol of chat 1.6.0, and the models of the iOS
// and Android repositories).
var shapes = map[chat.EventKind]shape{
	chat.MessageReceived: {
		"messageId": "text", "clientMessageId": "text", "senderDisplayName": "text", "messageType": "text", "messageBody": "text",
		"originalArrivalTime": "time", "acsChatMessageMetadata": "json",
	},
	chat.MessageEdited: {
		"messageId": "text", "clientMessageId": "text", "senderDisplayName": "text", "messageType": "text", "messageBody": "text",
		"originalArrivalTime": "time", "acsChatMessageMetadata": "json", "edittime": "time",
	},
	chat.MessageDeleted: {
		"messageId": "text", "clientMessageId": "text", "senderDisplayName": "text", "messageType": "text", "originalArrivalTime": "time", "deletetime": "time",
	},
	chat.TypingReceived:          {"senderDisplayName": "text", "originalArrivalTime": "time"},
	chat.ReadReceiptReceived:     {"messageId": "text", "clientMessageId": "text", "messageBody": "json"},
	chat.ThreadCreated:           {"threadId": "text", "createTime": "time", "createdBy": "nested", "members": "nested", "properties": "nested"},
	chat.ThreadPropertiesUpdated: {"threadId": "text", "editTime": "time", "editedBy": "nested", "properties": "nested"},
	chat.ThreadDeleted:           {"threadId": "text", "deleteTime": "time", "deletedBy": "nested", "reason": "text"},
	chat.ParticipantsAdded:       {"threadId": "text", "time": "time", "addedBy": "nested", "participantsAdded": "nested"},
	chat.ParticipantsRemoved:     {"threadId": "text", "time": "time", "removedBy": "nested", "participantsRemoved": "nested"},
}

var (
	isoTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	decimal = regexp.MustCompile(`^\d+$`)
)

func (s shape) check(t *testing.T, name string, got map[string]any, f format) {
	t.Helper()
	fits := func(field, kind string) bool {
		text, ok := got[field].(string)
		switch kind {
		case "time":
			return isoTime.MatchString(text)
		case "json":
			return json.Valid([]byte(text))
		case "nested":
			return json.Valid([]byte(read(text, f)))
		default:
			return ok
		}
	}
	for field, kind := range s {
		byPolicy := field == "deletedBy" && f == webFormat && got["reason"] == "deletedByPolicy"
		if !fits(field, kind) && !byPolicy {
			t.Errorf("%s: %s is %v, want %s", name, field, got[field], kind)
		}
	}
	for _, field := range []string{"senderId", "recipientMri", "recipientId", "groupId", "transactionId", "priority", "version"} {
		if !fits(field, "text") {
			t.Errorf("%s: %s is %v", name, field, got[field])
		}
	}
	for _, field := range []string{"version", "messageId"} {
		if text, ok := got[field].(string); ok && !decimal.MatchString(text) {
			t.Errorf("%s: %s is %s", name, field, text)
		}
	}
}

// read gives the JSON in a string of a thread event as a kind of client reads it.
func read(text string, f format) string {
	if f == webFormat {
		return unescape(text)
	}
	return text
}

var escaped = regexp.MustCompile(`%u[0-9a-fA-F]{4}|%[0-9a-fA-F]{2}`)

// unescape is that of JavaScript.
func unescape(text string) string {
	return escaped.ReplaceAllStringFunc(text, func(s string) string {
		n, err := strconv.ParseUint(strings.TrimLeft(s, "%u"), 16, 16)
		if err != nil {
			panic(err)
		}
		return string(utf16.Decode([]uint16{uint16(n)}))
	})
}

func TestPayloadFields(t *testing.T) {
	t.Parallel()
	numbers := map[chat.EventKind]float64{
		chat.MessageReceived: 200, chat.MessageEdited: 247, chat.MessageDeleted: 248, chat.TypingReceived: 245, chat.ReadReceiptReceived: 246,
		chat.ThreadCreated: 257, chat.ThreadPropertiesUpdated: 258, chat.ThreadDeleted: 259, chat.ParticipantsAdded: 260, chat.ParticipantsRemoved: 261,
	}
	seen := map[chat.EventKind]bool{}
	for name, e := range kinds() {
		seen[e.Kind] = true
		for _, f := range []format{webFormat, phoneFormat} {
			var got map[string]any
			if err := json.Unmarshal([]byte(bodyOf(t, &e, bob, f)), &got); err != nil {
				t.Fatal(err)
			}
			if got["eventId"] != numbers[e.Kind] || got["_eventId"] != numbers[e.Kind] || got["recipientMri"] != string(bob) || got["recipientId"] != strings.TrimPrefix(string(bob), "8:") || got["groupId"] != string(thread) {
				t.Errorf("%s: %v", name, got)
			}
			shapes[e.Kind].check(t, name, got, f)
		}
	}
	for _, kind := range chat.EventKinds() {
		if numbers[kind] == 0 || shapes[kind] == nil || !seen[kind] {
			t.Errorf("nothing is known of %s", kind)
		}
	}
}

// A payload is encoded once for all who hear the event, and names each of them.
func TestRecipients(t *testing.T) {
	t.Parallel()
	e := kinds()["message received"]
	shared := &notify.Shared{}
	for _, to := range []chat.Identity{alice, bob, carol, alice} {
		var text string
		if err := json.Unmarshal(bodyFor(notify.Delivery{Event: &e, To: to, Shared: shared}, webFormat), &text); err != nil {
			t.Fatal(err)
		}
		if got := bodyOf(t, &e, to, webFormat); got != text {
			t.Errorf("for %s it is %s", to, text)
		}
	}
}

// Whatever people write arrives as it was written, by either way of reading.
func TestTextSurvivesUnescape(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.OneOf(rapid.String(), rapid.StringMatching(`[%u"\\0-9a-f{}]{0,20}`), rapid.SampledFrom([]string{trap, recipientMark[1:], "\u2028\ufffd\x00\x7f"}))
		text, topic, name, key, value := words.Draw(rt, "text"), words.Draw(rt, "topic"), words.Draw(rt, "name"), words.Draw(rt, "key"), words.Draw(rt, "value")
		f := rapid.SampledFrom([]format{webFormat, phoneFormat}).Draw(rt, "format")
		metadata := map[string]string{key: value}

		e := kinds()["message received"]
		e.Message.Content.Text, e.Message.SenderName, e.Message.Metadata = text, name, metadata
		e.Message.Content.Attachments = []chat.Attachment{{ID: key, Type: chat.AttachedFile, Name: name, URL: value}}
		got := parsed[struct{ MessageBody, SenderDisplayName, ACSChatMessageMetadata, Attachments string }](rt, bodyOf(t, &e, bob, f))
		files := parsed[[]map[string]string](rt, got.Attachments)
		if got.MessageBody != text || got.SenderDisplayName != name || parsed[map[string]string](rt, got.ACSChatMessageMetadata)[key] != value ||
			files[0]["id"] != key || files[0]["name"] != name || files[0]["url"] != value || files[0]["attachmentType"] != "file" {
			rt.Errorf("message arrives as %+v", got)
		}

		e = kinds()["thread created"]
		e.Properties.Topic, e.Properties.Metadata, e.ActorName = topic, metadata, name
		e.Participants = []chat.Participant{{Identity: bob, DisplayName: name, Metadata: metadata}}
		made := parsed[struct{ CreatedBy, Members, Properties string }](rt, bodyOf(t, &e, bob, f))
		properties := parsed[map[string]string](rt, read(made.Properties, f))
		by := parsed[map[string]any](rt, read(made.CreatedBy, f))
		members := parsed[[]map[string]any](rt, read(made.Members, f))
		if properties["topic"] != topic || by["displayName"] != name || by["participantId"] != string(alice) || members[0]["displayName"] != name ||
			parsed[map[string]string](rt, properties["acsChatThreadMetadata"])[key] != value ||
			parsed[map[string]string](rt, members[0]["memberMetaData"].(string))[key] != value {
			rt.Errorf("thread arrives as %+v", made)
		}
	})
}

func parsed[T any](rt *rapid.T, text string) (out T) {
	rt.Helper()
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		rt.Fatalf("%s: %v", text, err)
	}
	return out
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]format{
		"AcsWeb_Chat_2.1": webFormat, "AcsWeb_Chat_1.0": webFormat, "AcsiOS_Chat_1.4": phoneFormat, "AcsAndroid_Chat_1.7": phoneFormat, "": webFormat, "cns-e2e-test:1.8": webFormat,
	} {
		if got := formatOf(template); got != want {
			t.Errorf("%q: %s", template, got)
		}
	}
}

func bodyFor(d notify.Delivery, f format) []byte {
	var b strings.Builder
	writeBody(&b, sharedBody(d, f), d.To)
	return []byte(b.String())
}
