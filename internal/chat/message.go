package chat

import "strconv"

// MessageID names a message in its thread: the millisecond of its arrival since 1970, raised by one where that
// was taken.
type MessageID int64

// ParseMessageID reads an id from a path or body.
func ParseMessageID(raw string) (MessageID, error) {
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || raw[0] == '+' || raw[0] == '-' {
		return 0, ErrMessageID(raw)
	}
	return MessageID(n), nil
}

// String returns the id as clients see it.
func (id MessageID) String() string { return strconv.FormatInt(int64(id), 10) }

// MessageType says what a message holds.
type MessageType string

// The types of message. Text and HTML are written by participants, the others by the service.
const (
	Text               MessageType = "text"
	HTML               MessageType = "html"
	TopicUpdated       MessageType = "topicUpdated"
	ParticipantAdded   MessageType = "participantAdded"
	ParticipantRemoved MessageType = "participantRemoved"
)

// User reports whether messages of this type are written by participants.
func (t MessageType) User() bool { return t == Text || t == HTML }

// Message is one entry of a thread.
type Message struct {
	ID         MessageID
	Seq        int64 // from 1, without gaps, shared by user and system messages; unchanged by edits
	Version    int64 // the id at first, then the millisecond of the last edit or deletion
	Type       MessageType
	Content    Content
	Sender     Identity // empty on system messages
	SenderName string
	EditedOn   Time
	DeletedOn  Time
	Metadata   map[string]string
	High       bool // priority
}

// CreatedOn returns when the message arrived.
func (m *Message) CreatedOn() Time { return Time(m.ID) }

// Content is what a message says: Text for user messages, the rest for system messages.
type Content struct {
	Text         string
	Attachments  []Attachment
	Topic        string
	Participants []Participant
	Initiator    Identity
}

// Attachment is something beside the text of a message: an uploaded image, or a file that is elsewhere.
type Attachment struct {
	ID         string
	Type       string // AttachedImage or AttachedFile
	Name       string
	URL        string // as the sender gave it; empty for an uploaded image, whose address depends on who asks
	PreviewURL string
}

// The types of attachment.
const (
	AttachedImage = "image"
	AttachedFile  = "file"
)

// ReadReceipt says that a participant has read up to a message.
type ReadReceipt struct {
	Reader    Identity
	MessageID MessageID
	ReadOn    Time
}
