package httpapi

import (
	"strings"

	"pgregory.net/rapid"

	"github.com/chatd/chatd/internal/chat"
)

// Anything that an answer or a request may hold.

func anyText(rt *rapid.T, label string) string {
	return strings.ReplaceAll(rapid.String().Draw(rt, label), "\x00", "0") // decode refuses NUL
}

func anyID(rt *rapid.T, label string) string {
	guid := "10a1d2f9-4f3e-4e0b-8d3a-2b9a1c0d4e5f"
	return rapid.SampledFrom([]string{
		"8:acs:" + resource + "_" + guid, "8:spool:" + resource + "_" + guid, "8:dod-acs:" + resource + "_" + guid, "4:+15550100", "4:anonymous",
		"8:orgid:" + guid, "8:gcch:" + guid, "8:teamsvisitor:" + guid, "28:orgid:" + guid, "28:dod:" + guid, "48:calls",
	}).Draw(rt, label)
}

// anyTime is a whole second, which is what answers show; never that which stands for none.
func anyTime(rt *rapid.T, label string) chat.Time {
	return chat.Time(rapid.Int64Range(1, 4e9).Draw(rt, label) * 1000)
}

func maybe[T any](rt *rapid.T, label string, draw func(*rapid.T, string) T) (value T) {
	if rapid.Bool().Draw(rt, label+"?") {
		value = draw(rt, label)
	}
	return value
}

func anyMap(rt *rapid.T, label string) map[string]string {
	out := map[string]string{}
	for range rapid.IntRange(1, 3).Draw(rt, label) {
		out[anyText(rt, "key")] = anyText(rt, "value")
	}
	return out
}

func anyWords(rt *rapid.T, label string) []string {
	return rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,8}`), 1, 3).Draw(rt, label)
}

func anyRetention(rt *rapid.T, label string) chat.Retention {
	return rapid.SampledFrom([]chat.Retention{{Kind: chat.RetentionNone}, {Kind: chat.RetentionCreationDate, Days: 30}}).Draw(rt, label)
}

func anyThread(rt *rapid.T) *chat.Thread {
	return &chat.Thread{
		ID: "19:a@thread.v2", Topic: anyText(rt, "topic"), CreatedBy: chat.Identity(anyID(rt, "creator")), CreatedOn: anyTime(rt, "created"),
		DeletedOn: maybe(rt, "deleted", anyTime), Metadata: maybe(rt, "metadata", anyMap), Retention: maybe(rt, "retention", anyRetention),
		TextOnly: rapid.Bool().Draw(rt, "text only"),
	}
}

func anyParticipant(rt *rapid.T) chat.Participant {
	return chat.Participant{
		Identity: chat.Identity(anyID(rt, "participant")), DisplayName: maybe(rt, "name", anyText), ShareFrom: maybe(rt, "share", anyTime),
		Metadata: maybe(rt, "metadata", anyMap), Roles: maybe(rt, "roles", anyWords),
	}
}

func anyParticipants(rt *rapid.T) []chat.Participant {
	return rapid.SliceOfN(rapid.Custom(anyParticipant), 1, 3).Draw(rt, "participants")
}

func anyAttachment(rt *rapid.T) chat.Attachment {
	return chat.Attachment{
		ID: anyText(rt, "attachment"), Type: rapid.SampledFrom([]string{chat.AttachedImage, chat.AttachedFile}).Draw(rt, "kind"),
		Name: maybe(rt, "name", anyText), URL: maybe(rt, "url", anyText), PreviewURL: maybe(rt, "preview", anyText),
	}
}

func anyMessage(rt *rapid.T) *chat.Message {
	m := &chat.Message{
		ID: chat.MessageID(anyTime(rt, "id")), Seq: rapid.Int64Range(1, 1<<40).Draw(rt, "seq"), Version: int64(anyTime(rt, "version")),
		Type:     rapid.SampledFrom([]chat.MessageType{chat.Text, chat.HTML, chat.TopicUpdated, chat.ParticipantAdded, chat.ParticipantRemoved}).Draw(rt, "type"),
		EditedOn: maybe(rt, "edited", anyTime), DeletedOn: maybe(rt, "deleted", anyTime),
	}
	switch {
	case m.Type.User():
		m.Sender, m.SenderName = chat.Identity(anyID(rt, "sender")), maybe(rt, "name", anyText)
		m.Content.Text, m.Metadata, m.High = anyText(rt, "content"), maybe(rt, "metadata", anyMap), rapid.Bool().Draw(rt, "high")
		m.Content.Attachments = rapid.SliceOfN(rapid.Custom(anyAttachment), 0, 2).Draw(rt, "attachments")
	case m.Type == chat.TopicUpdated:
		m.Content.Topic, m.Content.Initiator = anyText(rt, "topic"), chat.Identity(anyID(rt, "initiator"))
	default:
		m.Content.Participants, m.Content.Initiator = anyParticipants(rt), chat.Identity(anyID(rt, "initiator"))
	}
	return m
}

func anyInvalid(rt *rapid.T) []chat.InvalidParticipant {
	return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) chat.InvalidParticipant {
		return chat.InvalidParticipant{Identity: chat.Identity(anyID(rt, "target")), Code: "403", Message: anyText(rt, "message")}
	}), 0, 2).Draw(rt, "invalid")
}

func drawList[T any](draw func(*rapid.T) T) func(*rapid.T) any {
	return func(rt *rapid.T) any {
		return list[T]{Value: rapid.SliceOfN(rapid.Custom(draw), 0, 3).Draw(rt, "page"), NextLink: maybe(rt, "next", anyText)}
	}
}

func drawItem(rt *rapid.T) threadItemModel {
	return toThreadItem(&chat.ThreadItem{
		ID: "19:a@thread.v2", Topic: anyText(rt, "topic"), DeletedOn: maybe(rt, "deleted", anyTime), LastOn: maybe(rt, "last", anyTime),
	})
}

func drawPage(rt *rapid.T) messagePage {
	page := messagePage{messages: []chat.Message{}, next: maybe(rt, "next", anyText), view: localView}
	for range rapid.IntRange(0, 3).Draw(rt, "page") {
		page.messages = append(page.messages, *anyMessage(rt))
	}
	return page
}

func drawParticipant(rt *rapid.T) participantModel {
	p := anyParticipant(rt)
	return toParticipant(&p)
}

func drawReceipt(rt *rapid.T) receiptModel {
	return toReceipt(&chat.ReadReceipt{
		Reader: chat.Identity(anyID(rt, "reader")), MessageID: chat.MessageID(anyTime(rt, "message")), ReadOn: anyTime(rt, "read"),
	})
}
