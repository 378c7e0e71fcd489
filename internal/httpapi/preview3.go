package httpapi

import "github.com/chatd/chatd/internal/chat"

// The shapes of 2020-11-01-preview3 (azure-communication-chat 1.0.0b4 for Python, 1.0.0-beta.4 for JavaScript and Java):
// identifiers are plain strings, and the participants who could not be added stand below "errors". The latter is so in
// 2021-01-27-preview4 too.

type nestedErrorsModel struct {
	InvalidParticipants []invalidModel `json:"invalidParticipants"`
}

func nest(in []invalidModel) *nestedErrorsModel {
	if in == nil {
		return nil
	}
	return &nestedErrorsModel{in}
}

type nestedCreateReply struct {
	ChatThread any                `json:"chatThread"`
	Errors     *nestedErrorsModel `json:"errors,omitempty"`
}

type nestedAddReply struct {
	Errors *nestedErrorsModel `json:"errors,omitempty"`
}

type flatThread struct {
	ID        string    `json:"id"`
	Topic     string    `json:"topic"`
	CreatedOn chatTime  `json:"createdOn"`
	CreatedBy string    `json:"createdBy"`
	DeletedOn *chatTime `json:"deletedOn,omitempty"`
}

func (t threadModel) flat() flatThread {
	return flatThread{t.ID, t.Topic, t.CreatedOn, string(t.CreatedBy.identity()), t.DeletedOn}
}

type flatParticipant struct {
	ID               string    `json:"id"`
	DisplayName      string    `json:"displayName,omitempty"`
	ShareHistoryTime *chatTime `json:"shareHistoryTime,omitempty"`
}

func (p participantModel) flat() flatParticipant {
	return flatParticipant{string(p.Identifier.identity()), p.DisplayName, p.ShareHistoryTime}
}

// lift returns the participant in the newest shape.
func (p flatParticipant) lift() participantModel {
	return participantModel{Identifier: &identifierModel{RawID: p.ID}, DisplayName: p.DisplayName, ShareHistoryTime: p.ShareHistoryTime}
}

func liftAll(in []flatParticipant) []participantModel {
	if in == nil {
		return nil
	}
	out := make([]participantModel, len(in))
	for i, p := range in {
		out[i] = p.lift()
	}
	return out
}

type flatReceipt struct {
	SenderID  string   `json:"senderId"`
	MessageID string   `json:"chatMessageId"`
	ReadOn    chatTime `json:"readOn"`
}

func (r receiptModel) flat() flatReceipt {
	return flatReceipt{string(r.Sender.identity()), r.MessageID, r.ReadOn}
}

type flatMessage struct {
	ID         string      `json:"id"`
	Type       string      `json:"type"`
	SequenceID string      `json:"sequenceId"`
	Version    string      `json:"version"`
	Content    flatContent `json:"content"`
	SenderName *string     `json:"senderDisplayName,omitempty"`
	CreatedOn  chatTime    `json:"createdOn"`
	SenderID   string      `json:"senderId,omitempty"`
	DeletedOn  *chatTime   `json:"deletedOn,omitempty"`
	EditedOn   *chatTime   `json:"editedOn,omitempty"`
}

type flatContent struct {
	Message      *string           `json:"message,omitempty"`
	Topic        *string           `json:"topic,omitempty"`
	Participants []flatParticipant `json:"participants,omitempty"`
	Initiator    string            `json:"initiator,omitempty"`
}

func (m messageModel) flat() flatMessage {
	out := flatMessage{
		ID: m.ID, Type: m.Type, SequenceID: m.SequenceID, Version: m.Version, CreatedOn: m.CreatedOn,
		SenderID: string(m.Sender.identity()), DeletedOn: m.DeletedOn, EditedOn: m.EditedOn,
		Content: flatContent{Message: m.Content.Message, Topic: m.Content.Topic, Initiator: string(m.Content.Initiator.identity())},
	}
	if chat.MessageType(m.Type).User() { // an empty name was sent then (recordings of the JavaScript and Python suites)
		out.SenderName = &m.SenderName
	}
	for _, p := range m.Content.Participants {
		out.Content.Participants = append(out.Content.Participants, p.flat())
	}
	return out
}

type flatCreateRequest struct {
	Topic        string            `json:"topic"`
	Participants []flatParticipant `json:"participants"`
}

func (in *flatCreateRequest) lift() createThreadRequest {
	return createThreadRequest{Topic: in.Topic, Participants: liftAll(in.Participants)}
}

func (createThreadRequest) shape(v Version) olderRequest[createThreadRequest] {
	if v.has(flatIDs) {
		return &flatCreateRequest{}
	}
	return nil
}

type flatAddRequest struct {
	Participants []flatParticipant `json:"participants"`
}

func (in *flatAddRequest) lift() addParticipantsRequest {
	return addParticipantsRequest{liftAll(in.Participants)}
}

func (addParticipantsRequest) shape(v Version) olderRequest[addParticipantsRequest] {
	if v.has(flatIDs) {
		return &flatAddRequest{}
	}
	return nil
}

// removeByPath removes the participant whom the path names (until 2020-11-01-preview3).
func (s *server) removeByPath(c *call) (reply, error) {
	return s.removeParticipant(c, identifierModel{RawID: c.param("participant")})
}
