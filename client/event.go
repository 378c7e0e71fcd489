package client

import "time"

// The kinds of Event.
const (
	MessageReceived         = "chatMessageReceived"
	MessageEdited           = "chatMessageEdited"
	MessageDeleted          = "chatMessageDeleted"
	TypingReceived          = "typingIndicatorReceived"
	ReadReceiptReceived     = "readReceiptReceived"
	ThreadCreated           = "chatThreadCreated"
	ThreadPropertiesUpdated = "chatThreadPropertiesUpdated"
	ThreadDeleted           = "chatThreadDeleted"
	ParticipantsAdded       = "participantsAdded"
	ParticipantsRemoved     = "participantsRemoved"

	// Gap is no event of a thread. It says that the server no longer has all that happened since the position that was
	// resumed: read what may have been missed over REST.
	Gap = "gap"
)

// Event is something that happened in a thread of the user.
type Event struct {
	Position string    `json:"position"` // to resume behind it
	Kind     string    `json:"event"`
	ThreadID string    `json:"threadId"`
	At       time.Time `json:"at"`
	Version  string    `json:"version"`
	By       *User     `json:"by"` // who did it; nil for the service itself

	Message      *Message      `json:"message"`      // messages; of a deleted one what is left
	Receipt      *Receipt      `json:"receipt"`      // read receipts
	Thread       *Thread       `json:"thread"`       // thread created, properties updated
	Participants []Participant `json:"participants"` // thread created, participants added or removed
	Missed       *Missed       `json:"-"`            // gap
}

// User is who did something.
type User struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
}

// Message is a message as it is after the event.
type Message struct {
	ID                string            `json:"id"`
	Type              string            `json:"type"`
	SequenceID        string            `json:"sequenceId"`
	Version           string            `json:"version"`
	Content           Content           `json:"content"`
	SenderDisplayName string            `json:"senderDisplayName"`
	CreatedOn         time.Time         `json:"createdOn"`
	SenderID          string            `json:"senderId"`
	EditedOn          time.Time         `json:"editedOn"`  // zero: it was not
	DeletedOn         time.Time         `json:"deletedOn"` // zero: it was not
	Metadata          map[string]string `json:"metadata"`
}

// Content is what a message says.
type Content struct {
	Message     string       `json:"message"`
	Attachments []Attachment `json:"attachments"`
}

// Attachment is something beside the text. An uploaded image has no URL here: REST serves it by its id.
type Attachment struct {
	ID             string `json:"id"`
	AttachmentType string `json:"attachmentType"`
	Name           string `json:"name"`
	URL            string `json:"url"`
	PreviewURL     string `json:"previewUrl"`
}

// Receipt says that its sender has read up to a message.
type Receipt struct {
	SenderID      string    `json:"senderId"`
	ChatMessageID string    `json:"chatMessageId"`
	ReadOn        time.Time `json:"readOn"`
}

// Thread is how a thread is called and marked.
type Thread struct {
	Topic           string            `json:"topic"`
	Metadata        map[string]string `json:"metadata"`
	RetentionPolicy *RetentionPolicy  `json:"retentionPolicy"`
	MessagingPolicy *MessagingPolicy  `json:"messagingPolicy"`
}

// RetentionPolicy says when the thread is deleted by itself.
type RetentionPolicy struct {
	Kind                  string `json:"kind"`
	DeleteThreadAfterDays int    `json:"deleteThreadAfterDays"`
}

// MessagingPolicy says what may be sent.
type MessagingPolicy struct {
	TextOnlyChat bool `json:"textOnlyChat"`
}

// Participant is a user who was added to a thread or removed from it.
type Participant struct {
	ID               string    `json:"id"`
	DisplayName      string    `json:"displayName"`
	ShareHistoryTime time.Time `json:"shareHistoryTime"`
}

// Missed says where a gap is: from behind After to before Oldest.
type Missed struct{ After, Oldest string }
