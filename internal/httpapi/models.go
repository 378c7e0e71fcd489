package httpapi

import "github.com/chatd/chatd/internal/chat"

// The models of threads, participants and receipts, in the newest version. Their keys and the order of them are those of the
// recorded service, which leaves absent fields out and never sends null.

// list is a page of anything.
type list[T any] struct {
	Value    []T    `json:"value"`
	NextLink string `json:"nextLink,omitempty"`
}

// threadModel is ChatThreadProperties. It never has the participants, which clients list (recordings).
type threadModel struct {
	ID              string            `json:"id"`
	Topic           string            `json:"topic"`
	CreatedOn       chatTime          `json:"createdOn"`
	CreatedBy       *identifierModel  `json:"createdByCommunicationIdentifier"`
	DeletedOn       *chatTime         `json:"deletedOn,omitempty"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	RetentionPolicy *retentionModel   `json:"retentionPolicy,omitempty"`
	MessagingPolicy *policyModel      `json:"messagingPolicy,omitempty"`
}

// policyModel is the messaging policy, which only 2024-06-05-preview has.
type policyModel struct {
	TextOnly bool `json:"textOnlyChat"`
}

// retentionModel is a retention policy: threadCreationDate with 30 to 90 days, or none (chat concepts page of the ACS
// documentation).
type retentionModel struct {
	Kind string `json:"kind"`
	Days int    `json:"deleteThreadAfterDays,omitempty"`
}

// toThread leaves out a retention policy that was never set, and a messaging policy that allows everything.
func toThread(t *chat.Thread) threadModel {
	m := threadModel{
		ID: string(t.ID), Topic: t.Topic, CreatedOn: chatTime(t.CreatedOn), CreatedBy: toIdentifier(t.CreatedBy),
		DeletedOn: orNil(t.DeletedOn), Metadata: t.Metadata,
	}
	if t.Retention.Kind != "" {
		m.RetentionPolicy = &retentionModel{t.Retention.Kind, t.Retention.Days}
	}
	if t.TextOnly {
		m.MessagingPolicy = &policyModel{true}
	}
	return m
}

// retention returns the policy of a request, nil for none. It refuses one without a kind, which the API description requires.
func (m *retentionModel) retention() (*chat.Retention, error) {
	if m == nil {
		return nil, nil
	}
	if m.Kind == "" {
		return nil, invalid("The retentionPolicy has no kind.")
	}
	r := chat.Retention{Kind: m.Kind}
	if m.Kind == chat.RetentionCreationDate {
		r.Days = m.Days
	}
	return &r, nil
}

// threadItemModel is a thread in the list of threads. One without messages has no lastMessageReceivedOn (recordings of the Android
// and iOS suites).
type threadItemModel struct {
	ID             string    `json:"id"`
	Topic          string    `json:"topic"`
	DeletedOn      *chatTime `json:"deletedOn,omitempty"`
	LastReceivedOn *chatTime `json:"lastMessageReceivedOn,omitempty"`
}

func toThreadItem(t *chat.ThreadItem) threadItemModel {
	return threadItemModel{string(t.ID), t.Topic, orNil(t.DeletedOn), orNil(t.LastOn)}
}

// participantModel is ChatParticipant, in requests and answers.
type participantModel struct {
	Identifier       *identifierModel  `json:"communicationIdentifier"`
	DisplayName      string            `json:"displayName,omitempty"`
	ShareHistoryTime *chatTime         `json:"shareHistoryTime,omitempty"`
	Metadata         map[string]string `json:"metadata,omitempty"`
	RoleIDs          []string          `json:"roleIds,omitempty"`
}

// toParticipant always has shareHistoryTime; 1970 shares all of the history.
func toParticipant(p *chat.Participant) participantModel {
	from := chatTime(p.ShareFrom)
	return participantModel{toIdentifier(p.Identity), p.DisplayName, &from, p.Metadata, p.Roles}
}

// fromParticipants returns the participants of a request; without shareHistoryTime they see all of the history.
func fromParticipants(in []participantModel) []chat.NewParticipant {
	out := make([]chat.NewParticipant, len(in))
	for i, p := range in {
		out[i] = chat.NewParticipant{Identity: p.Identifier.identity(), DisplayName: p.DisplayName, Metadata: p.Metadata, Roles: p.RoleIDs}
		if p.ShareHistoryTime != nil {
			out[i].ShareFrom = chat.Time(*p.ShareHistoryTime)
		}
	}
	return out
}

// invalidParticipantModel says why a participant could not be added. It has no envelope, since the request succeeded.
type invalidParticipantModel struct {
	Target  string `json:"target"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// toInvalid returns nil for none, so that the field is left out.
func toInvalid(in []chat.InvalidParticipant) []invalidParticipantModel {
	var out []invalidParticipantModel
	for _, p := range in {
		out = append(out, invalidParticipantModel{string(p.Identity), p.Code, p.Message})
	}
	return out
}

// receiptModel is ChatMessageReadReceipt.
type receiptModel struct {
	Sender    *identifierModel `json:"senderCommunicationIdentifier"`
	MessageID string           `json:"chatMessageId"`
	ReadOn    chatTime         `json:"readOn"`
}

func toReceipt(r *chat.ReadReceipt) receiptModel {
	return receiptModel{toIdentifier(r.Reader), r.MessageID.String(), chatTime(r.ReadOn)}
}

// convert returns the model of each item. The list is never nil, since an empty list is [].
func convert[D, W any](in []D, render func(*D) W) []W {
	out := make([]W, len(in))
	for i := range in {
		out[i] = render(&in[i])
	}
	return out
}
