package httpapi

import (
	"encoding/xml"
	"strings"

	"github.com/chatd/chatd/internal/chat"
)

// memberTypes are the names that the types of messages had until 2020-09-21-preview2. The name of html is in the enumerations of
// later SDKs, that of a removal in the documentation of the enumeration; the others are recorded.
var memberTypes = map[chat.MessageType]string{
	chat.Text:               "Text",
	chat.HTML:               "RichText/Html",
	chat.TopicUpdated:       "ThreadActivity/TopicUpdate",
	chat.ParticipantAdded:   "ThreadActivity/AddMember",
	chat.ParticipantRemoved: "ThreadActivity/DeleteMember",
}

// activityXML returns the content of a system message of these versions: XML in a string, with the message id for the time and the
// roster version (recordings of the Java suite; a removal is not recorded and has the form of an addition).
func activityXML(m *chat.Message) string {
	var b strings.Builder
	element := func(name, text string) {
		b.WriteString("<" + name + ">")
		_ = xml.EscapeText(&b, []byte(text)) // a builder does not fail
		b.WriteString("</" + name + ">")
	}
	root := map[chat.MessageType]string{
		chat.TopicUpdated: "topicupdate", chat.ParticipantAdded: "addmember", chat.ParticipantRemoved: "deletemember",
	}[m.Type]
	b.WriteString("<" + root + ">")
	element("eventtime", m.ID.String())
	element("initiator", string(m.Content.Initiator))
	if m.Type == chat.TopicUpdated {
		element("value", m.Content.Topic)
		b.WriteString("</" + root + ">")
		return b.String()
	}
	b.WriteString("<detailedinitiatorinfo>")
	element("friendlyName", displayNameOf(m.Content.Participants, m.Content.Initiator))
	b.WriteString("</detailedinitiatorinfo>")
	element("rosterVersion", m.ID.String())
	for _, p := range m.Content.Participants {
		element("target", string(p.Identity))
		b.WriteString("<detailedtargetinfo>")
		element("id", string(p.Identity))
		element("friendlyName", p.DisplayName)
		b.WriteString("</detailedtargetinfo>")
	}
	b.WriteString("</" + root + ">")
	return b.String()
}

// displayNameOf returns the name of a participant, "" if it is none of these.
func displayNameOf(participants []chat.Participant, who chat.Identity) string {
	for _, p := range participants {
		if p.Identity == who {
			return p.DisplayName
		}
	}
	return ""
}
