package store

import (
	"encoding/json"

	"github.com/chatd/chatd/internal/chat"
)

// Records are JSON in columns. They are types of this package, so that a change of a type of package chat does not silently change
// what is on disk. A field that is added must be optional, and one that was released keeps its name and meaning.

// participantRecord is a participant in an event or a system message, as of then.
type participantRecord struct {
	Identity  chat.Identity      `json:"id"`
	Name      string             `json:"name,omitempty"`
	ShareFrom chat.Time          `json:"since,omitempty"`
	Metadata  map[string]string  `json:"metadata,omitempty"`
	Roles     []string           `json:"roles,omitempty"`
	Joined    chat.RosterVersion `json:"joined,omitempty"`
	Left      chat.RosterVersion `json:"left,omitempty"`
	Until     chat.MessageID     `json:"until,omitempty"`
}

// contentRecord is the content of a message: of users text and attachments, of system messages the rest.
type contentRecord struct {
	Text         string              `json:"text,omitempty"`
	Attachments  []attachmentRecord  `json:"attachments,omitempty"`
	Topic        string              `json:"topic,omitempty"`
	Participants []participantRecord `json:"participants,omitempty"`
	Initiator    chat.Identity       `json:"initiator,omitempty"`
}

// attachmentRecord must have the fields of chat.Attachment, to which it is converted.
type attachmentRecord struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	Name       string `json:"name,omitempty"`
	URL        string `json:"url,omitempty"`
	PreviewURL string `json:"preview,omitempty"`
}

// propertiesRecord are the properties of a thread that events and creations have.
type propertiesRecord struct {
	Topic         string            `json:"topic"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	RetentionKind string            `json:"retention_kind,omitempty"`
	RetentionDays int               `json:"retention_days,omitempty"`
	TextOnly      bool              `json:"text_only,omitempty"`
}

// creationRecord is the response to a creation, which its repetition gets.
type creationRecord struct {
	propertiesRecord
	Creator chat.Identity             `json:"creator"`
	On      chat.Time                 `json:"on"`
	Invalid []chat.InvalidParticipant `json:"invalid,omitempty"`
}

func recordsOf(in []chat.Participant) []participantRecord {
	out := make([]participantRecord, len(in))
	for i, p := range in {
		out[i] = participantRecord{p.Identity, p.DisplayName, p.ShareFrom, p.Metadata, p.Roles, p.Joined, p.Left, p.Until}
	}
	return out
}

func participantsOf(in []participantRecord) []chat.Participant {
	if len(in) == 0 {
		return nil
	}
	out := make([]chat.Participant, len(in))
	for i, p := range in {
		out[i] = chat.Participant{
			Identity: p.Identity, DisplayName: p.Name, ShareFrom: p.ShareFrom, Metadata: p.Metadata, Roles: p.Roles, Joined: p.Joined, Left: p.Left, Until: p.Until,
		}
	}
	return out
}

func recordOfContent(c chat.Content) contentRecord {
	return contentRecord{c.Text, attachmentRecords(c.Attachments), c.Topic, recordsOf(c.Participants), c.Initiator}
}

func contentOf(r contentRecord) chat.Content {
	return chat.Content{Text: r.Text, Attachments: attachmentsOf(r.Attachments), Topic: r.Topic, Participants: participantsOf(r.Participants), Initiator: r.Initiator}
}

func recordOfProperties(p *chat.Properties) propertiesRecord {
	return propertiesRecord{p.Topic, p.Metadata, p.Retention.Kind, p.Retention.Days, p.TextOnly}
}

func propertiesOf(r propertiesRecord) chat.Properties {
	return chat.Properties{Topic: r.Topic, Metadata: r.Metadata, Retention: chat.Retention{Kind: r.RetentionKind, Days: r.RetentionDays}, TextOnly: r.TextOnly}
}

func formatCreation(c chat.Creation) (string, error) {
	t := &c.Thread
	raw, err := json.Marshal(creationRecord{
		propertiesRecord{t.Topic, t.Metadata, t.Retention.Kind, t.Retention.Days, t.TextOnly}, t.CreatedBy, t.CreatedOn, c.Invalid,
	})
	return string(raw), err
}

func parseCreation(id chat.ThreadID, raw string) (chat.Creation, error) {
	var r creationRecord
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		return chat.Creation{}, err
	}
	p := propertiesOf(r.propertiesRecord)
	return chat.Creation{Invalid: r.Invalid, Thread: chat.Thread{
		ID: id, CreatedBy: r.Creator, CreatedOn: r.On, Topic: p.Topic, Metadata: p.Metadata, Retention: p.Retention, TextOnly: p.TextOnly,
	}}, nil
}

// formatMap renders metadata. The empty string stands for none.
func formatMap(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	raw, _ := json.Marshal(m) //nolint:errchkjson // a map of strings cannot fail
	return string(raw)
}

// parseMap is the inverse of formatMap.
func parseMap(raw string) (map[string]string, error) {
	if raw == "" {
		return nil, nil
	}
	var m map[string]string
	err := json.Unmarshal([]byte(raw), &m)
	return m, err
}

// formatList renders a list. The empty string stands for an empty one.
func formatList[T any](list []T) string {
	if len(list) == 0 {
		return ""
	}
	raw, _ := json.Marshal(list) //nolint:errchkjson // lists of strings and records cannot fail
	return string(raw)
}

// parseList is the inverse of formatList.
func parseList[T any](raw string) ([]T, error) {
	if raw == "" {
		return nil, nil
	}
	var list []T
	err := json.Unmarshal([]byte(raw), &list)
	return list, err
}

func attachmentRecords(in []chat.Attachment) []attachmentRecord {
	var out []attachmentRecord
	for _, a := range in {
		out = append(out, attachmentRecord(a))
	}
	return out
}

func attachmentsOf(in []attachmentRecord) []chat.Attachment {
	var out []chat.Attachment
	for _, a := range in {
		out = append(out, chat.Attachment(a))
	}
	return out
}
