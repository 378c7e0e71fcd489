package native

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/web"
)

// Version is the version of the protocol.
const Version = 1

// frame makes a websocket frame (RFC 6455 section 5.2: text, final, not masked) of a message. Frames are made here and
// not by the websocket library, so that one can go to many clients and many into one write.
func frame(message any) []byte {
	text := web.EncodeJSON(message)
	out := make([]byte, 0, 10+len(text))
	switch n := len(text); {
	case n < 126:
		out = append(out, 0x81, byte(n))
	case n <= math.MaxUint16:
		out = binary.BigEndian.AppendUint16(append(out, 0x81, 126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x81, 127), uint64(n))
	}
	return append(out, text...)
}

// pingFrame is the ping of the websocket protocol.
var pingFrame = []byte{0x89, 0}

var pongFrame = frame(struct {
	Type string `json:"type"`
}{"pong"})

// positionFrame says that all up to a position was sent; the type "ready" says that what follows is behind it.
func positionFrame(kind string, position chat.Position) []byte {
	return frame(struct {
		Type     string `json:"type"`
		Position string `json:"position"`
	}{kind, decimal(position)})
}

func gapFrame(after, oldest chat.Position) []byte {
	return frame(struct {
		Type   string `json:"type"`
		After  string `json:"after"`
		Oldest string `json:"oldest"`
	}{"gap", decimal(after), decimal(oldest)})
}

// kinds are the kinds of event that asyncapi.yaml specifies.
var kinds = map[chat.EventKind]bool{
	chat.MessageReceived: true, chat.MessageEdited: true, chat.MessageDeleted: true, chat.TypingReceived: true, chat.ReadReceiptReceived: true,
	chat.ThreadCreated: true, chat.ThreadPropertiesUpdated: true, chat.ThreadDeleted: true, chat.ParticipantsAdded: true, chat.ParticipantsRemoved: true,
}

// eventFrame is the frame of an event, encoded once for all recipients.
func eventFrame(d notify.Delivery) []byte {
	return d.Shared.Once("native", func() []byte { return frame(toEvent(d.Event)) })
}

type eventModel struct {
	Type         string             `json:"type"`
	Position     string             `json:"position"`
	Event        chat.EventKind     `json:"event"`
	ThreadID     chat.ThreadID      `json:"threadId"`
	At           timestamp          `json:"at"`
	Version      string             `json:"version"`
	By           *userModel         `json:"by,omitempty"`
	Message      *messageModel      `json:"message,omitempty"`
	Receipt      *receiptModel      `json:"receipt,omitempty"`
	Thread       *threadModel       `json:"thread,omitempty"`
	Participants []participantModel `json:"participants,omitempty"`
}

type userModel struct {
	ID          chat.Identity `json:"id"`
	DisplayName string        `json:"displayName,omitempty"`
}

type messageModel struct {
	ID         string            `json:"id"`
	Type       chat.MessageType  `json:"type"`
	SequenceID string            `json:"sequenceId"`
	Version    string            `json:"version"`
	Content    contentModel      `json:"content"`
	SenderName string            `json:"senderDisplayName,omitempty"`
	CreatedOn  timestamp         `json:"createdOn"`
	Sender     chat.Identity     `json:"senderId"`
	EditedOn   timestamp         `json:"editedOn,omitzero"`
	DeletedOn  timestamp         `json:"deletedOn,omitzero"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

type contentModel struct {
	Message     string           `json:"message"`
	Attachments []web.Attachment `json:"attachments,omitempty"`
}

type receiptModel struct {
	Sender    chat.Identity `json:"senderId"`
	MessageID string        `json:"chatMessageId"`
	ReadOn    timestamp     `json:"readOn"`
}

type threadModel struct {
	Topic           string            `json:"topic"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	RetentionPolicy *retentionModel   `json:"retentionPolicy,omitempty"`
	MessagingPolicy *policyModel      `json:"messagingPolicy,omitempty"`
}

type retentionModel struct {
	Kind string `json:"kind"`
	Days int    `json:"deleteThreadAfterDays,omitempty"`
}

type policyModel struct {
	TextOnly bool `json:"textOnlyChat"`
}

type participantModel struct {
	ID               chat.Identity `json:"id"`
	DisplayName      string        `json:"displayName,omitempty"`
	ShareHistoryTime timestamp     `json:"shareHistoryTime"`
}

func toEvent(e *chat.Event) eventModel {
	out := eventModel{
		Type: "event", Position: decimal(e.Position), Event: e.Kind, ThreadID: e.ThreadID, At: timestamp(e.At), Version: decimal(e.Version),
		Message: toMessage(e.Message), Thread: toThread(e.Properties),
	}
	if e.Actor != "" {
		out.By = &userModel{e.Actor, e.ActorName}
	}
	if r := e.Receipt; r != nil {
		out.Receipt = &receiptModel{r.Reader, r.MessageID.String(), timestamp(r.ReadOn)}
	}
	for _, p := range e.Participants {
		out.Participants = append(out.Participants, participantModel{p.Identity, p.DisplayName, timestamp(p.ShareFrom)})
	}
	return out
}

func toMessage(m *chat.Message) *messageModel {
	if m == nil {
		return nil
	}
	out := &messageModel{
		ID: m.ID.String(), Type: m.Type, SequenceID: decimal(m.Seq), Version: decimal(m.Version), Sender: m.Sender, SenderName: m.SenderName,
		Content: contentModel{Message: m.Content.Text}, CreatedOn: timestamp(m.CreatedOn()), EditedOn: timestamp(m.EditedOn),
		DeletedOn: timestamp(m.DeletedOn), Metadata: m.Metadata,
	}
	for _, a := range m.Content.Attachments {
		out.Content.Attachments = append(out.Content.Attachments, web.Attachment(a))
	}
	return out
}

func toThread(p *chat.Properties) *threadModel {
	if p == nil {
		return nil
	}
	out := &threadModel{Topic: p.Topic, Metadata: p.Metadata}
	if p.Retention.Kind != "" {
		out.RetentionPolicy = &retentionModel{p.Retention.Kind, p.Retention.Days}
	}
	if p.TextOnly {
		out.MessagingPolicy = &policyModel{true}
	}
	return out
}

// timestamp is a moment, written as RFC 3339 in UTC with milliseconds.
type timestamp chat.Time

// MarshalJSON writes what no such form has, which a client may have sent, as the year 1.
func (s timestamp) MarshalJSON() ([]byte, error) {
	at := chat.Time(s).Std()
	if y := at.Year(); y < 1 || y > 9999 {
		at = time.Time{}
	}
	return at.AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

func decimal[N ~int | ~int64](n N) string { return strconv.FormatInt(int64(n), 10) }
