package httpapi

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// everything is a version whose messages have all that those of any version with identifier objects have, but the roles of
// participants.
const everything = imagesLast

// messageModel is a message as encoding/json writes it, in that version.
type messageModel struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	SequenceID string            `json:"sequenceId"`
	Version    string            `json:"version"`
	Content    contentModel      `json:"content"`
	SenderName string            `json:"senderDisplayName,omitempty"`
	CreatedOn  chatTime          `json:"createdOn"`
	Sender     *identifierModel  `json:"senderCommunicationIdentifier,omitempty"`
	DeletedOn  *chatTime         `json:"deletedOn,omitempty"`
	EditedOn   *chatTime         `json:"editedOn,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

type contentModel struct {
	Message      *string            `json:"message,omitempty"`
	Attachments  *[]web.Attachment  `json:"attachments,omitempty"`
	Topic        *string            `json:"topic,omitempty"`
	Participants []participantModel `json:"participants,omitempty"`
	Initiator    *identifierModel   `json:"initiatorCommunicationIdentifier,omitempty"`
}

func toMessage(m *chat.Message) messageModel {
	out := messageModel{
		ID: m.ID.String(), Type: string(m.Type), SequenceID: strconv.FormatInt(m.Seq, 10), Version: strconv.FormatInt(m.Version, 10),
		SenderName: m.SenderName, CreatedOn: chatTime(m.CreatedOn()), DeletedOn: orNil(m.DeletedOn), EditedOn: orNil(m.EditedOn),
		Metadata: m.Metadata,
	}
	if m.Type.User() {
		attachments := web.Attachments(m.Content.Attachments, localAddress)
		out.Sender, out.Content = toIdentifier(m.Sender), contentModel{Message: &m.Content.Text, Attachments: &attachments}
		return out
	}
	out.Content.Initiator = toIdentifier(m.Content.Initiator)
	if m.Type == chat.TopicUpdated {
		out.Content.Topic = &m.Content.Topic
	}
	for i := range m.Content.Participants {
		out.Content.Participants = append(out.Content.Participants, toParticipant(&m.Content.Participants[i]))
	}
	return out
}

func localAddress(image, view string) string { return "https://localhost/" + image + "/" + view }

// localView is the view of messages of a thread whose images are at localAddress.
var localView = messageView{thread: "19:a@thread.v2", address: localAddress}

// TestMessagesAreJSON holds what is written by hand against encoding/json.
func TestMessagesAreJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		page := drawPage(rt)
		page.next = rapid.OneOf(rapid.Just(""), rapid.String()).Draw(rt, "link")
		for i := range page.messages { // at least the texts of users may hold anything
			m := &page.messages[i]
			if m.Type.User() {
				m.Content.Text = rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("a<é€😀\"\\\n\x01\x7f\u2028\u2029\ufffd")))).Draw(rt, "text")
			}
			for j := range m.Content.Participants {
				m.Content.Participants[j].Roles = nil
			}
			m.SenderName = rapid.SampledFrom([]string{"", "Zoë", "broken \xff UTF-8", `"`}).Draw(rt, "name")
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(list[messageModel]{convert(page.messages, toMessage), page.next}); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), string(page.appendJSON(nil, everything))+"\n"); diff != "" {
			rt.Fatalf("(-encoding/json +by hand):\n%s", diff)
		}
	})
}

// TestMessageKeys sees that no version has a field twice, and that every key is well formed.
func TestMessageKeys(t *testing.T) {
	t.Parallel()
	for _, v := range versions[chatAPI] {
		for _, fields := range [][]messageField{messageFields, contentFields} {
			seen := map[string]bool{}
			for _, f := range fields {
				has := features[v]
				if has&f.with != f.with || has&f.without != 0 {
					continue
				}
				if seen[f.key] || !json.Valid([]byte("{"+f.key+"0}")) {
					t.Errorf("%s has the field %s twice, or it is no key", v, f.key)
				}
				seen[f.key] = true
			}
		}
	}
}

func BenchmarkPageOfMessages(b *testing.B) {
	page := messagePage{view: localView}
	for i := range 200 {
		page.messages = append(page.messages, chat.Message{
			ID: 1742466030456 + chat.MessageID(i), Seq: int64(i) + 1, Version: 1742466030456 + int64(i), Type: chat.Text,
			Content: chat.Content{Text: "Are you coming to lunch? We have a table at the window."},
			Sender:  "8:acs:" + resource + "_10a1d2f9-4f3e-4e0b-8d3a-2b9a1c0d4e5f", SenderName: "Alice",
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = render(page, newestChat)
	}
}
