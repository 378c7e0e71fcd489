package httpapi

import (
	"slices"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// messageField is a field of a message, with the versions that have it.
type messageField struct {
	key     string  // as it is written, with the colon
	with    feature // only versions that have it; 0 for all
	without feature // only versions that do not; 0 for all
	// value appends the value, or nothing if this message does not have the field.
	value func(to []byte, m *chat.Message, v *messageView) []byte
}

// messageView is what the fields of a message depend on beside the message.
type messageView struct {
	version Version
	has     feature                         // of the version
	thread  chat.ThreadID                   // of the message
	address func(image, view string) string // of an image of the thread
}

// messageFields describes a message for all versions, in lists and alone, in the order of the recorded service. Messages are not
// left to encoding/json, which takes several times as long: lists of messages are what clients ask for most.
var messageFields = []messageField{
	{`"id":`, 0, 0, func(to []byte, m *chat.Message, _ *messageView) []byte { return appendDecimal(to, int64(m.ID)) }},
	{`"type":`, 0, members, func(to []byte, m *chat.Message, _ *messageView) []byte { return appendText(to, string(m.Type)) }},
	{`"type":`, members, 0, func(to []byte, m *chat.Message, _ *messageView) []byte { return appendText(to, memberTypes[m.Type]) }},
	// No later version has a priority.
	{`"priority":`, members, 0, func(to []byte, m *chat.Message, _ *messageView) []byte {
		if m.High {
			return append(to, `"High"`...)
		}
		return append(to, `"Normal"`...)
	}},
	// The number in the thread, shared by user and system messages, from 1 (all recordings).
	{`"sequenceId":`, 0, members, func(to []byte, m *chat.Message, _ *messageView) []byte { return appendDecimal(to, m.Seq) }},
	// The id at first, then the time of the last edit or deletion (all recordings).
	{`"version":`, 0, 0, func(to []byte, m *chat.Message, _ *messageView) []byte { return appendDecimal(to, m.Version) }},
	{`"content":`, 0, members, func(to []byte, m *chat.Message, v *messageView) []byte { return appendFields(to, contentFields, m, v) }},
	{`"content":`, members, 0, func(to []byte, m *chat.Message, _ *messageView) []byte {
		if m.Type.User() {
			return appendText(to, m.Content.Text)
		}
		return appendText(to, activityXML(m))
	}},
	{`"senderDisplayName":`, 0, 0, func(to []byte, m *chat.Message, v *messageView) []byte {
		// An empty name was sent while identifiers were strings (recordings of the JavaScript and Python suites).
		if m.SenderName != "" || v.has&flatIDs != 0 && m.Type.User() {
			return appendText(to, m.SenderName)
		}
		return to
	}},
	{`"createdOn":`, 0, 0, func(to []byte, m *chat.Message, _ *messageView) []byte { return appendTime(to, m.CreatedOn()) }},
	{`"senderCommunicationIdentifier":`, 0, flatIDs, func(to []byte, m *chat.Message, _ *messageView) []byte {
		if m.Type.User() { // system messages have no sender at all (all recordings)
			return appendIdentifier(to, m.Sender)
		}
		return to
	}},
	{`"senderId":`, flatIDs, 0, func(to []byte, m *chat.Message, v *messageView) []byte {
		switch {
		case m.Type.User():
			return appendText(to, string(m.Sender))
		case v.has&members != 0: // the sender of a system message was the thread (recordings of the Java suite)
			return appendText(to, string(v.thread))
		}
		return to
	}},
	{`"deletedOn":`, 0, 0, func(to []byte, m *chat.Message, _ *messageView) []byte { return appendOptionalTime(to, m.DeletedOn) }},
	{`"editedOn":`, 0, 0, func(to []byte, m *chat.Message, _ *messageView) []byte { return appendOptionalTime(to, m.EditedOn) }},
	{`"metadata":`, messageMetadata, 0, func(to []byte, m *chat.Message, _ *messageView) []byte {
		if len(m.Metadata) == 0 {
			return to
		}
		return append(to, web.EncodeJSON(m.Metadata)...)
	}},
}

// contentFields describes the content of a message: the first two fields belong to user messages, the others to system
// messages.
var contentFields = []messageField{
	{`"message":`, 0, 0, func(to []byte, m *chat.Message, _ *messageView) []byte {
		if m.Type.User() {
			return appendText(to, m.Content.Text)
		}
		return to
	}},
	// The first versions with attachments showed them on html messages only (recordings of the CLI suite, 2023-11-07).
	{`"attachments":`, htmlAttachments, 0, func(to []byte, m *chat.Message, v *messageView) []byte {
		switch {
		case m.Type != chat.HTML && (m.Type != chat.Text || v.has&textAttachments == 0):
			return to
		case len(m.Content.Attachments) == 0: // sent as an empty list (recordings of the CLI suite)
			return append(to, "[]"...)
		}
		return append(to, web.EncodeJSON(web.Attachments(m.Content.Attachments, v.address))...)
	}},
	{`"topic":`, 0, 0, func(to []byte, m *chat.Message, _ *messageView) []byte {
		if m.Type == chat.TopicUpdated {
			return appendText(to, m.Content.Topic)
		}
		return to
	}},
	{`"participants":`, 0, 0, func(to []byte, m *chat.Message, v *messageView) []byte {
		if len(m.Content.Participants) == 0 {
			return to
		}
		before := byte('[')
		for i := range m.Content.Participants {
			to = append(append(to, before), web.EncodeJSON(toParticipant(&m.Content.Participants[i]).at(v.version))...)
			before = ','
		}
		return append(to, ']')
	}},
	{`"initiatorCommunicationIdentifier":`, 0, flatIDs, func(to []byte, m *chat.Message, _ *messageView) []byte {
		if m.Type.User() {
			return to
		}
		return appendIdentifier(to, m.Content.Initiator)
	}},
	{`"initiator":`, flatIDs, 0, func(to []byte, m *chat.Message, _ *messageView) []byte {
		if m.Content.Initiator == "" {
			return to
		}
		return appendText(to, string(m.Content.Initiator))
	}},
}

// appendFields writes an object with the fields that the version and the message have.
func appendFields(to []byte, fields []messageField, m *chat.Message, v *messageView) []byte {
	to = append(to, '{')
	for i := range fields {
		f := &fields[i]
		if v.has&f.with != f.with || v.has&f.without != 0 {
			continue
		}
		// The key is written first and taken back if there is no value, which is cheaper than to ask twice.
		before := len(to)
		if to[before-1] != '{' {
			to = append(to, ',')
		}
		to = append(to, f.key...)
		empty := len(to)
		if to = f.value(to, m, v); len(to) == empty {
			to = to[:before]
		}
	}
	return append(to, '}')
}

// messageReply is the body with one message.
type messageReply struct {
	message *chat.Message
	view    messageView
}

func (r messageReply) appendJSON(to []byte, version Version) []byte {
	return appendFields(slices.Grow(to, roughSize(r.message)), messageFields, r.message, r.view.in(version))
}

// messagePage is the body with a page of messages.
type messagePage struct {
	messages []chat.Message
	next     string // nextLink; empty for none
	view     messageView
}

func (p messagePage) appendJSON(to []byte, version Version) []byte {
	size := 100 + len(p.next) // for what is around the messages
	for i := range p.messages {
		size += roughSize(&p.messages[i])
	}
	view := p.view.in(version)
	to = append(slices.Grow(to, size), `{"value":[`...)
	for i := range p.messages {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendFields(to, messageFields, &p.messages[i], view)
	}
	to = append(to, ']')
	if p.next != "" {
		to = appendText(append(to, `,"nextLink":`...), p.next)
	}
	return append(to, '}')
}

// roughSize is about how many bytes a message takes, so that most are written into memory that need not grow.
func roughSize(m *chat.Message) int { return 600 + len(m.Content.Text) }

// messageView returns the view of messages of the call's thread.
func (c *call) messageView() messageView {
	return messageView{thread: c.thread(), address: c.imageAddress}
}

// in returns the view for a version.
func (v messageView) in(version Version) *messageView {
	v.version, v.has = version, features[version]
	return &v
}
