package httpapi

import (
	"github.com/chatd/chatd/internal/chat"
)

// Wire types have the keys and the key order of the recorded service, in the newest version. Absent things are left out,
// never null.

// list is a page of anything.
type list[T any] struct {
	Value    []T    `json:"value"`
	NextLink string `json:"nextLink,omitempty"`
}

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

type policyModel struct {
	TextOnly bool `json:"textOnlyChat"`
}

type retentionModel struct {
	Kind string `json:"kind"`
	Days int    `json:"deleteThreadAfterDays,omitempty"`
}

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

// retention refuses a policy without a kind, which the API description requires; nil is no policy.
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

type threadItemModel struct {
	ID             string    `json:"id"`
	Topic          string    `json:"topic"`
	DeletedOn      *chatTime `json:"deletedOn,omitempty"`
	LastReceivedOn *chatTime `json:"lastMessageReceivedOn,omitempty"`
}

func toThreadItem(t *chat.ThreadItem) threadItemModel {
	return threadItemModel{string(t.ID), t.Topic, orNil(t.DeletedOn), orNil(t.LastOn)}
}

type participantModel struct {
	Identifier       *identifierModel  `json:"communicationIdentifier"`
	DisplayName      string            `json:"displayName,omitempty"`
	ShareHistoryTime *chatTime         `json:"shareHistoryTime,omitempty"`
	Metadata         map[string]string `json:"metadata,omitempty"`
	RoleIDs          []string          `json:"roleIds,omitempty"`
}

// toParticipant always tells from when history is shared; 1970 is all of it.
func toParticipant(p *chat.Participant) participantModel {
	from := chatTime(p.ShareFrom)
	return participantModel{toIdentifier(p.Identity), p.DisplayName, &from, p.Metadata, p.Roles}
}

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

type invalidParticipantModel struct {
	Target  string `json:"target"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func toInvalid(in []chat.InvalidParticipant) []invalidParticipantModel {
	var out []invalidParticipantModel
	for _, p := range in {
		out = append(out, invalidParticipantModel{string(p.Identity), p.Code, p.Message})
	}
	return out
}

type receiptModel struct {
	Sender    *identifierModel `json:"senderCommunicationIdentifier"`
	MessageID string           `json:"chatMessageId"`
	ReadOn    chatTime         `json:"readOn"`
}

func toReceipt(r *chat.ReadReceipt) receiptModel {
	return receiptModel{toIdentifier(r.Reader), r.MessageID.String(), chatTime(r.ReadOn)}
}

// convert renders a page.
func convert[D, W any](in []D, render func(*D) W) []W {
	out := make([]W, len(in))
	for i := range in {
		out[i] = render(&in[i])
	}
	return out
}
