package httpapi

// The shapes of 2020-11-01-preview3 (azure-communication-chat 1.0.0b4 for Python, 1.0.0-beta.4 for JavaScript and Java):
// identifiers are plain strings, and the participants who could not be added stand below "errors". 2021-01-27-preview4 has the
// latter too.

// errorsModel has the participants who could not be added, where later versions have them one level higher.
type errorsModel struct {
	InvalidParticipants []invalidParticipantModel `json:"invalidParticipants"`
}

func nestErrors(in []invalidParticipantModel) *errorsModel {
	if in == nil {
		return nil
	}
	return &errorsModel{in}
}

// nestedCreateReply is createThreadReply with the invalid participants below "errors".
type nestedCreateReply struct {
	ChatThread any          `json:"chatThread"`
	Errors     *errorsModel `json:"errors,omitempty"`
}

// nestedAddReply is addParticipantsReply with the invalid participants below "errors".
type nestedAddReply struct {
	Errors *errorsModel `json:"errors,omitempty"`
}

// flatThread is a thread whose creator is a string.
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

// flatParticipant is a participant, or a member in the versions before, in requests and answers.
type flatParticipant struct {
	ID               string    `json:"id"`
	DisplayName      string    `json:"displayName,omitempty"`
	ShareHistoryTime *chatTime `json:"shareHistoryTime,omitempty"`
}

func (p participantModel) flat() flatParticipant {
	return flatParticipant{string(p.Identifier.identity()), p.DisplayName, p.ShareHistoryTime}
}

// upgrade returns the participant in the newest shape. The raw id says what kind of identifier it is.
func (p flatParticipant) upgrade() participantModel {
	return participantModel{Identifier: &identifierModel{RawID: p.ID}, DisplayName: p.DisplayName, ShareHistoryTime: p.ShareHistoryTime}
}

// upgradeAll keeps nil, which is an absent list.
func upgradeAll(in []flatParticipant) []participantModel {
	if in == nil {
		return nil
	}
	out := make([]participantModel, len(in))
	for i, p := range in {
		out[i] = p.upgrade()
	}
	return out
}

// flatReceipt is a read receipt whose sender is a string.
type flatReceipt struct {
	SenderID  string   `json:"senderId"`
	MessageID string   `json:"chatMessageId"`
	ReadOn    chatTime `json:"readOn"`
}

func (r receiptModel) flat() flatReceipt {
	return flatReceipt{string(r.Sender.identity()), r.MessageID, r.ReadOn}
}

// flatCreateThreadRequest is createThreadRequest with strings for identifiers.
type flatCreateThreadRequest struct {
	Topic        string            `json:"topic"`
	Participants []flatParticipant `json:"participants"`
}

func (in *flatCreateThreadRequest) upgrade() createThreadRequest {
	return createThreadRequest{Topic: in.Topic, Participants: upgradeAll(in.Participants)}
}

func (createThreadRequest) oldShape(v Version) oldRequest[createThreadRequest] {
	if v.has(flatIDs) {
		return &flatCreateThreadRequest{}
	}
	return nil
}

// flatAddParticipantsRequest is addParticipantsRequest with strings for identifiers.
type flatAddParticipantsRequest struct {
	Participants []flatParticipant `json:"participants"`
}

func (in *flatAddParticipantsRequest) upgrade() addParticipantsRequest {
	return addParticipantsRequest{upgradeAll(in.Participants)}
}

func (addParticipantsRequest) oldShape(v Version) oldRequest[addParticipantsRequest] {
	if v.has(flatIDs) {
		return &flatAddParticipantsRequest{}
	}
	return nil
}

// removeByPath removes the participant in the path. Since 2021-01-27-preview4 the body names the participant, because an
// identifier is no longer a string.
func (s *server) removeByPath(c *call) (reply, error) {
	return s.removeParticipant(c, identifierModel{RawID: c.param("participant")})
}
