package httpapi

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// Wire types have the keys and the key order of the recorded service, in the newest version. Absent things are left out,
// never null.

// chatTime is written in whole seconds, cut, although ids carry milliseconds (all recordings).
type chatTime chat.Time

func (t chatTime) MarshalJSON() ([]byte, error) {
	at := chat.Time(t).Std()
	if y := at.Year(); y < 1 || y > 9999 { // a client may have sent what has no such form
		at = time.Time{}
	}
	return append(at.AppendFormat([]byte{'"'}, "2006-01-02T15:04:05Z"), '"'), nil
}

func (t *chatTime) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return invalid("%.40s is no time.", raw)
	}
	at, err := chat.ParseTime(text)
	if err != nil {
		return invalid("%.40q is no time.", text)
	}
	*t = chatTime(at)
	return nil
}

// orNil leaves an optional time out.
func orNil(t chat.Time) *chatTime {
	if t == 0 {
		return nil
	}
	w := chatTime(t)
	return &w
}

// tokenTime is the form of Identity: seven digits and an offset, never Z (all recordings).
func tokenTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.0000000") + "+00:00"
}

// identifierModel is CommunicationIdentifierModel. Answers hold rawId and the one nested object, never kind.
type identifierModel struct {
	RawID              string         `json:"rawId,omitempty"`
	CommunicationUser  *userModel     `json:"communicationUser,omitempty"`
	PhoneNumber        *phoneModel    `json:"phoneNumber,omitempty"`
	MicrosoftTeamsUser *teamsUser     `json:"microsoftTeamsUser,omitempty"`
	MicrosoftTeamsApp  *teamsAppModel `json:"microsoftTeamsApp,omitempty"`
}

type userModel struct {
	ID string `json:"id"`
}

type phoneModel struct {
	Value string `json:"value"`
}

type teamsUser struct {
	UserID      string `json:"userId"`
	IsAnonymous bool   `json:"isAnonymous,omitempty"`
	Cloud       string `json:"cloud,omitempty"`
}

type teamsAppModel struct {
	AppID string `json:"appId"`
	Cloud string `json:"cloud,omitempty"`
}

// clouds maps the prefixes of Teams ids to the cloud they name (azure-communication-common for JavaScript 2.5.0).
var clouds = []struct{ prefix, cloud string }{{"orgid:", "public"}, {"dod:", "dod"}, {"gcch:", "gcch"}}

func toModel(id chat.Identity) *identifierModel {
	raw := string(id)
	m := &identifierModel{RawID: raw}
	switch id.Kind() {
	case chat.KindUser:
		m.CommunicationUser = &userModel{raw}
	case chat.KindPhone:
		m.PhoneNumber = &phoneModel{raw[len("4:"):]}
	case chat.KindTeamsUser:
		if user, ok := strings.CutPrefix(raw, "8:teamsvisitor:"); ok {
			m.MicrosoftTeamsUser = &teamsUser{UserID: user, IsAnonymous: true, Cloud: "public"}
			break
		}
		user, cloud := cutCloud(raw[len("8:"):])
		m.MicrosoftTeamsUser = &teamsUser{UserID: user, Cloud: cloud}
	case chat.KindTeamsApp:
		app, cloud := cutCloud(raw[len("28:"):])
		m.MicrosoftTeamsApp = &teamsAppModel{app, cloud}
	case chat.KindUnknown:
	}
	return m
}

func cutCloud(rest string) (id, cloud string) {
	for _, c := range clouds {
		if id, ok := strings.CutPrefix(rest, c.prefix); ok {
			return id, c.cloud
		}
	}
	return rest, ""
}

func cloudPrefix(cloud string) string {
	for _, c := range clouds {
		if strings.EqualFold(c.cloud, cloud) {
			return c.prefix
		}
	}
	return "orgid:"
}

// identity returns who is meant: the nested object where there is one, else the raw id, since old SDKs send the former
// alone and an identifier of unknown kind has the latter alone.
func (m *identifierModel) identity() chat.Identity {
	switch {
	case m == nil:
		return ""
	case m.CommunicationUser != nil:
		return chat.Identity(m.CommunicationUser.ID)
	case m.PhoneNumber != nil:
		return chat.Identity("4:" + m.PhoneNumber.Value)
	case m.MicrosoftTeamsUser != nil && m.MicrosoftTeamsUser.IsAnonymous:
		return chat.Identity("8:teamsvisitor:" + m.MicrosoftTeamsUser.UserID)
	case m.MicrosoftTeamsUser != nil:
		return chat.Identity("8:" + cloudPrefix(m.MicrosoftTeamsUser.Cloud) + m.MicrosoftTeamsUser.UserID)
	case m.MicrosoftTeamsApp != nil:
		return chat.Identity("28:" + cloudPrefix(m.MicrosoftTeamsApp.Cloud) + m.MicrosoftTeamsApp.AppID)
	default:
		return chat.Identity(m.RawID)
	}
}

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
		ID: string(t.ID), Topic: t.Topic, CreatedOn: chatTime(t.CreatedOn), CreatedBy: toModel(t.CreatedBy),
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
	return participantModel{toModel(p.Identity), p.DisplayName, &from, p.Metadata, p.Roles}
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

type invalidModel struct {
	Target  string `json:"target"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func toInvalid(in []chat.InvalidParticipant) []invalidModel {
	var out []invalidModel
	for _, p := range in {
		out = append(out, invalidModel{string(p.Identity), p.Code, p.Message})
	}
	return out
}

type messageModel struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	SequenceID string            `json:"sequenceId"`
	Version    string            `json:"version"`
	Content    contentModel      `json:"content"`
	SenderName string            `json:"senderDisplayName,omitempty"`
	CreatedOn  chatTime          `json:"createdOn"`
	Sender     *identifierModel  `json:"senderCommunicationIdentifier,omitempty"`
	DeletedOn  *chatTime         `json:"deletedOn,omitempty"`
	EditedOn   *chatTime         `json:"editedOn,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

// contentModel is what a message says; Message and Attachments belong to user messages, the rest to system messages.
type contentModel struct {
	Message      *string            `json:"message,omitempty"`
	Attachments  *[]web.Attachment  `json:"attachments,omitempty"`
	Topic        *string            `json:"topic,omitempty"`
	Participants []participantModel `json:"participants,omitempty"`
	Initiator    *identifierModel   `json:"initiatorCommunicationIdentifier,omitempty"`
}

// System messages have no sender at all (all recordings). address tells where an image of the thread is.
func toMessage(m *chat.Message, address func(image, view string) string) messageModel {
	out := messageModel{
		ID: m.ID.String(), Type: string(m.Type), SequenceID: chat.MessageID(m.Seq).String(), Version: chat.MessageID(m.Version).String(),
		SenderName: m.SenderName, CreatedOn: chatTime(m.CreatedOn()), DeletedOn: orNil(m.DeletedOn), EditedOn: orNil(m.EditedOn),
		Metadata: m.Metadata,
	}
	if m.Type.User() {
		out.Sender = toModel(m.Sender)
		attachments := web.Attachments(m.Content.Attachments, address)
		out.Content = contentModel{Message: &m.Content.Text, Attachments: &attachments}
		return out
	}
	out.Content.Initiator = toModel(m.Content.Initiator)
	if m.Type == chat.TopicUpdated {
		out.Content.Topic = &m.Content.Topic
	}
	for i := range m.Content.Participants {
		out.Content.Participants = append(out.Content.Participants, toParticipant(&m.Content.Participants[i]))
	}
	return out
}

type receiptModel struct {
	Sender    *identifierModel `json:"senderCommunicationIdentifier"`
	MessageID string           `json:"chatMessageId"`
	ReadOn    chatTime         `json:"readOn"`
}

func toReceipt(r *chat.ReadReceipt) receiptModel {
	return receiptModel{toModel(r.Reader), r.MessageID.String(), chatTime(r.ReadOn)}
}

// models renders a page.
func models[D, W any](in []D, render func(*D) W) []W {
	out := make([]W, len(in))
	for i := range in {
		out[i] = render(&in[i])
	}
	return out
}
