package trouter

import (
	"bytes"
	"crypto/rand"
	"strconv"
	"strings"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/web"
)

// payloadKind is what a payload of a kind of event is: the number by which clients know the kind, and what fills in the rest.
type payloadKind struct {
	eventID int
	fill    func(p *payload, e *chat.Event, f format)
}

// payloadKinds has one for each kind of event.
var payloadKinds = map[chat.EventKind]payloadKind{
	chat.MessageReceived:         {200, (*payload).message},
	chat.TypingReceived:          {245, (*payload).typing},
	chat.ReadReceiptReceived:     {246, (*payload).receipt},
	chat.MessageEdited:           {247, (*payload).message},
	chat.MessageDeleted:          {248, (*payload).message},
	chat.ThreadCreated:           {257, (*payload).threadCreated},
	chat.ThreadPropertiesUpdated: {258, (*payload).propertiesUpdated},
	chat.ThreadDeleted:           {259, (*payload).threadDeleted},
	chat.ParticipantsAdded:       {260, (*payload).participantsAdded},
	chat.ParticipantsRemoved:     {261, (*payload).participantsRemoved},
}

// recipientMark stands for the recipient in a payload that is encoded once for all recipients. It is random, so that no message can
// contain it.
var recipientMark = rand.Text()

// bareRecipientMark stands for the recipient without "8:", which old clients put before it themselves.
var bareRecipientMark = rand.Text()

// payload is the superset of what the JavaScript, iOS and Android SDKs read. Ids and versions are decimal strings, times
// ISO 8601, and what is nested is JSON in a string. JavaScript finds the kind in eventId and the recipient in recipientMri, its
// release 1.0.0 in _eventId and recipientId; iOS finds the recipient there too, and requires senderId, recipientId, groupId,
// transactionId and priority of every event.
type payload struct {
	EventID       int    `json:"eventId"`
	OldEventID    int    `json:"_eventId"`
	SenderID      string `json:"senderId"`
	RecipientMRI  string `json:"recipientMri"`
	RecipientID   string `json:"recipientId"`
	GroupID       string `json:"groupId"`
	TransactionID string `json:"transactionId"`
	Priority      string `json:"priority"`
	Version       string `json:"version"`

	MessageID       *string `json:"messageId,omitempty"`
	ClientMessageID *string `json:"clientMessageId,omitempty"`
	SenderName      *string `json:"senderDisplayName,omitempty"`
	MessageType     string  `json:"messageType,omitempty"`
	MessageBody     *string `json:"messageBody,omitempty"`
	ArrivalTime     string  `json:"originalArrivalTime,omitempty"`
	Metadata        *string `json:"acsChatMessageMetadata,omitempty"`
	Attachments     string  `json:"attachments,omitempty"`
	EditTimeMessage string  `json:"edittime,omitempty"`
	DeleteTimeOf    string  `json:"deletetime,omitempty"`

	ThreadID     string `json:"threadId,omitempty"`
	CreateTime   string `json:"createTime,omitempty"`
	CreatedBy    string `json:"createdBy,omitempty"`
	Members      string `json:"members,omitempty"`
	Properties   string `json:"properties,omitempty"`
	EditTime     string `json:"editTime,omitempty"`
	EditedBy     string `json:"editedBy,omitempty"`
	DeleteTime   string `json:"deleteTime,omitempty"`
	DeletedBy    string `json:"deletedBy,omitempty"`
	Reason       string `json:"reason,omitempty"`
	Time         string `json:"time,omitempty"`
	AddedBy      string `json:"addedBy,omitempty"`
	Added        string `json:"participantsAdded,omitempty"`
	RemovedBy    string `json:"removedBy,omitempty"`
	RemovedUsers string `json:"participantsRemoved,omitempty"`
}

// format is how a kind of client reads nested JSON. The store keeps it under these names.
type format string

const (
	webFormat   format = "web"    // runs nested JSON through unescape(), which undoes %XX: AcsWeb templates
	phoneFormat format = "native" // does not: AcsiOS and AcsAndroid templates
)

func formatOf(template string) format {
	if strings.HasPrefix(template, "AcsiOS") || strings.HasPrefix(template, "AcsAndroid") {
		return phoneFormat
	}
	return webFormat
}

// sharedBody is the body of the frames of an event, with marks in place of the recipient: the payload as a JSON string.
func sharedBody(d notify.Delivery, f format) []byte {
	return d.Shared.Once("trouter:"+string(f), func() []byte {
		return web.EncodeJSON(string(web.EncodeJSON(payloadOf(d.Event, f))))
	})
}

// writeBody writes a shared body for its recipient. Each mark is in it once.
func writeBody(to *strings.Builder, body []byte, recipient chat.Identity) {
	before, rest, _ := bytes.Cut(body, []byte(recipientMark))
	to.Write(before)
	to.WriteString(string(recipient))
	before, rest, _ = bytes.Cut(rest, []byte(bareRecipientMark))
	to.Write(before)
	to.WriteString(strings.TrimPrefix(string(recipient), "8:"))
	to.Write(rest)
}

// payloadOf is for kinds that have a form.
func payloadOf(e *chat.Event, f format) payload {
	kind := payloadKinds[e.Kind]
	p := payload{
		EventID: kind.eventID, OldEventID: kind.eventID, SenderID: string(e.Actor), RecipientMRI: recipientMark, RecipientID: bareRecipientMark,
		GroupID: string(e.ThreadID), Version: strconv.FormatInt(e.Version, 10),
	}
	kind.fill(&p, e, f)
	return p
}

func (p *payload) typing(e *chat.Event, _ format) {
	p.SenderName, p.ArrivalTime = &e.ActorName, iso(e.At)
}

// messageTypes are not the names of REST.
var messageTypes = map[chat.MessageType]string{chat.Text: "Text", chat.HTML: "RichText/Html"}

func (p *payload) message(e *chat.Event, _ format) {
	m := e.Message
	id, none, metadata := m.ID.String(), "", "{}"
	p.SenderID = string(m.Sender)
	p.MessageID, p.ClientMessageID, p.SenderName = &id, &none, &m.SenderName
	p.MessageType, p.ArrivalTime = messageTypes[m.Type], iso(m.CreatedOn())
	switch e.Kind {
	case chat.MessageDeleted:
		p.DeleteTimeOf = iso(m.DeletedOn)
		return
	case chat.MessageEdited:
		p.EditTimeMessage = iso(m.EditedOn)
	}
	if m.Metadata != nil {
		metadata = string(web.EncodeJSON(m.Metadata))
	}
	p.MessageBody, p.Metadata = &m.Content.Text, &metadata
	if len(m.Content.Attachments) > 0 {
		p.Attachments = attachments(e.ThreadID, m.Content.Attachments)
	}
}

// attachments gives uploaded images paths without an origin: the SDK for JavaScript puts its own endpoint before them.
func attachments(thread chat.ThreadID, in []chat.Attachment) string {
	return string(web.EncodeJSON(web.Attachments(in, func(image, view string) string { return web.ImagePath(thread, image, view) })))
}

func (p *payload) receipt(e *chat.Event, _ format) {
	id, none := e.Receipt.MessageID.String(), ""
	at := e.Receipt.ReadOn.String()
	body := string(web.EncodeJSON(struct {
		User       string `json:"user"`
		Horizon    string `json:"consumptionhorizon"` // the client reads the second part only: when it was read
		Visibility int64  `json:"messageVisibilityTime"`
		Version    string `json:"version"`
	}{string(e.Receipt.Reader), id + ";" + at + ";0", int64(e.Receipt.MessageID), at}))
	p.MessageID, p.ClientMessageID, p.SenderName, p.MessageBody, p.ArrivalTime = &id, &none, &e.ActorName, &body, iso(e.Receipt.ReadOn)
}

// member is a participant as thread events name one. shareHistoryTime is a number of milliseconds, always there: Android
// reads it as mandatory.
type member struct {
	ID               string `json:"participantId"`
	DisplayName      string `json:"displayName"`
	ShareHistoryTime int64  `json:"shareHistoryTime"`
	Metadata         string `json:"memberMetaData,omitempty"`
}

// thread fills in the thread, and returns when and by whom, as thread events have it.
func (p *payload) thread(e *chat.Event, f format) (at, by string) {
	p.ThreadID = string(e.ThreadID)
	return iso(e.At), nested(member{ID: string(e.Actor), DisplayName: e.ActorName}, f)
}

func (p *payload) threadCreated(e *chat.Event, f format) {
	p.CreateTime, p.CreatedBy = p.thread(e, f)
	p.Members, p.Properties = members(e.Participants, f), properties(e.Properties, f)
}

func (p *payload) propertiesUpdated(e *chat.Event, f format) {
	p.EditTime, p.EditedBy = p.thread(e, f)
	p.Properties = properties(e.Properties, f)
}

func (p *payload) threadDeleted(e *chat.Event, f format) {
	p.DeleteTime, p.DeletedBy = p.thread(e, f)
	p.Reason = "deletedByUser"
	if e.Actor == "" { // the retention policy did it
		p.Reason = "deletedByPolicy"
		if f == webFormat { // iOS requires it always
			p.DeletedBy = ""
		}
	}
}

func (p *payload) participantsAdded(e *chat.Event, f format) {
	p.Time, p.AddedBy = p.thread(e, f)
	p.Added = members(e.Participants, f)
}

func (p *payload) participantsRemoved(e *chat.Event, f format) {
	p.Time, p.RemovedBy = p.thread(e, f)
	p.RemovedUsers = members(e.Participants, f)
}

// nested renders JSON that is inside a string. For clients that run it through unescape() a percent sign must be escaped,
// else it would change the text or break the JSON.
func nested(v any, f format) string {
	text := string(web.EncodeJSON(v))
	if f == webFormat {
		text = strings.ReplaceAll(text, "%", "%25")
	}
	return text
}

func members(in []chat.Participant, f format) string {
	out := make([]member, len(in))
	for i, p := range in {
		out[i] = member{ID: string(p.Identity), DisplayName: p.DisplayName, ShareHistoryTime: int64(p.ShareFrom)}
		if p.Metadata != nil {
			out[i].Metadata = string(web.EncodeJSON(p.Metadata))
		}
	}
	return nested(out, f)
}

func properties(in *chat.Properties, f format) string {
	out := struct {
		Topic     string `json:"topic"`
		Metadata  string `json:"acsChatThreadMetadata"`
		Retention string `json:"retentionPolicy,omitempty"`
	}{Topic: in.Topic, Metadata: "{}"}
	if in.Metadata != nil {
		out.Metadata = string(web.EncodeJSON(in.Metadata))
	}
	switch in.Retention.Kind {
	case chat.RetentionCreationDate:
		out.Retention = `{"retentionPolicyType":"DeleteAfterCreationTime","executeAfter":"` + strconv.Itoa(in.Retention.Days) + `.00:00:00"}`
	case chat.RetentionNone:
		out.Retention = `{"retentionPolicyType":"None"}`
	}
	return nested(out, f)
}

func iso(t chat.Time) string { return t.Std().Format("2006-01-02T15:04:05.000Z") }
