package httpapi

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chatd/chatd/internal/web"
)

// messagePage is a page of messages. It writes itself, as it is asked for more often than all else: what encoding/json would
// write, in a fraction of the time.
type messagePage struct{ list[messageModel] }

func (p messagePage) appendJSON(to []byte) []byte {
	size := 100 + len(p.NextLink)
	for i := range p.Value {
		size += 600
		if text := p.Value[i].Content.Message; text != nil {
			size += len(*text)
		}
	}
	to = append(slices.Grow(to, size), `{"value":[`...)
	for i := range p.Value {
		if i > 0 {
			to = append(to, ',')
		}
		to = p.Value[i].appendJSON(to)
	}
	to = append(to, ']')
	if p.NextLink != "" {
		to = appendText(append(to, `,"nextLink":`...), p.NextLink)
	}
	return append(to, '}')
}

func (m *messageModel) appendJSON(to []byte) []byte {
	to = appendText(append(to, `{"id":`...), m.ID)
	to = appendText(append(to, `,"type":`...), m.Type)
	to = appendText(append(to, `,"sequenceId":`...), m.SequenceID)
	to = appendText(append(to, `,"version":`...), m.Version)
	to = m.Content.appendJSON(append(to, `,"content":`...))
	if m.SenderName != "" {
		to = appendText(append(to, `,"senderDisplayName":`...), m.SenderName)
	}
	to = appendTime(append(to, `,"createdOn":`...), m.CreatedOn)
	if m.Sender != nil {
		to = m.Sender.appendJSON(append(to, `,"senderCommunicationIdentifier":`...))
	}
	if m.DeletedOn != nil {
		to = appendTime(append(to, `,"deletedOn":`...), *m.DeletedOn)
	}
	if m.EditedOn != nil {
		to = appendTime(append(to, `,"editedOn":`...), *m.EditedOn)
	}
	if len(m.Metadata) > 0 {
		to = append(append(to, `,"metadata":`...), web.EncodeJSON(m.Metadata)...)
	}
	return append(to, '}')
}

// appendJSON writes what plain user messages have, and leaves the rest to the encoder of all types.
func (c *contentModel) appendJSON(to []byte) []byte {
	if c.Message == nil || c.Topic != nil || len(c.Participants) > 0 || c.Initiator != nil || c.Attachments != nil && len(*c.Attachments) > 0 {
		return append(to, web.EncodeJSON(c)...)
	}
	to = appendText(append(to, `{"message":`...), *c.Message)
	if c.Attachments != nil {
		to = append(to, `,"attachments":[]`...)
	}
	return append(to, '}')
}

func (m *identifierModel) appendJSON(to []byte) []byte {
	u := m.CommunicationUser
	if u == nil || m.RawID == "" || m.PhoneNumber != nil || m.MicrosoftTeamsUser != nil || m.MicrosoftTeamsApp != nil {
		return append(to, web.EncodeJSON(m)...)
	}
	to = appendText(append(to, `{"rawId":`...), m.RawID)
	to = appendText(append(to, `,"communicationUser":{"id":`...), u.ID)
	return append(to, '}', '}')
}

// appendTime writes a time as chatTime has it.
func appendTime(to []byte, t chatTime) []byte {
	raw, _ := t.MarshalJSON() // it cannot fail
	return append(to, raw...)
}

// appendText writes a string. One that needs an escape is left to the encoder of all types.
func appendText(to []byte, text string) []byte {
	ascii := true
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c == '"' || c == '\\':
			return append(to, web.EncodeJSON(text)...)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	// encoding/json escapes the line and paragraph separators too.
	if !ascii && (!utf8.ValidString(text) || strings.Contains(text, "\u2028") || strings.Contains(text, "\u2029")) {
		return append(to, web.EncodeJSON(text)...)
	}
	return append(append(append(to, '"'), text...), '"')
}
