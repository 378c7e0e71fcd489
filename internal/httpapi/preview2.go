package httpapi

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/chatd/chatd/internal/chat"
)

// The API of 2020-09-21-preview2 (azure-communication-chat 1.0.0b1 to b3 for Python, 1.0.0-beta.1 and beta.3 for
// JavaScript, the betas of 2020 for Java, .NET, iOS and Android) is so much another one that it has handlers of its own:
// members instead of participants, several results in one answer, system messages as XML. 2020-07-20-preview1, of which
// nothing is recorded, is served alike.

type memberStatus struct {
	ID         string `json:"id"`
	StatusCode int    `json:"statusCode"`
	Message    string `json:"message,omitempty"`
	Type       string `json:"type"`
}

type multipleStatus struct {
	Statuses []memberStatus `json:"multipleStatus"`
}

// membersStatus answers for each member in the order of the request (recordings of the JavaScript and Java suites).
func membersStatus(members []flatParticipant, bad []chat.InvalidParticipant) []memberStatus {
	out := make([]memberStatus, len(members))
	for i, m := range members {
		out[i] = memberStatus{ID: m.ID, StatusCode: http.StatusCreated, Type: "ThreadMember"}
		for _, b := range bad {
			if string(b.Identity) == m.ID {
				out[i].StatusCode, _ = strconv.Atoi(b.Code)
				out[i].Message = b.Message
			}
		}
	}
	return out
}

type createWithMembers struct {
	Topic   string            `json:"topic"`
	Members []flatParticipant `json:"members"`
}

// createWithMembers demands the caller among the members (azure-sdk-for-java issue 21723).
func (s *server) createWithMembers(c *call, in createWithMembers) (reply, error) {
	if !slices.ContainsFunc(in.Members, func(m flatParticipant) bool { return m.ID == string(c.user()) }) {
		return reply{}, &chat.Error{Kind: chat.Invalid, Message: "Initiator is not a participant of the thread", Reason: "caller is not among the members"}
	}
	made, err := s.Chat.CreateThread(c, c.user(), chat.NewThread{
		Topic: in.Topic, Participants: fromParticipants(liftAll(in.Members)), Token: c.idempotencyToken(),
	})
	if err != nil {
		return reply{}, err
	}
	statuses := append(membersStatus(in.Members, made.Invalid), memberStatus{ID: string(made.Thread.ID), StatusCode: http.StatusCreated, Type: "Thread"})
	return reply{http.StatusMultiStatus, c.links.thread(c.r, made.Thread.ID), multipleStatus{statuses}}, nil
}

type addMembersRequest struct {
	Members *[]flatParticipant `json:"members"`
}

func (s *server) addMembers(c *call, in addMembersRequest) (reply, error) {
	if in.Members == nil {
		return reply{}, invalid("The members are missing.")
	}
	bad, err := s.Chat.AddParticipants(c, c.user(), c.thread(), fromParticipants(liftAll(*in.Members)))
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusMultiStatus, body: multipleStatus{membersStatus(*in.Members, bad)}}, nil
}

// listMembers has no pages.
func (s *server) listMembers(c *call) (reply, error) {
	members, err := s.members(c)
	if err != nil {
		return reply{}, err
	}
	return ok(list[flatParticipant]{Value: members})
}

func (s *server) members(c *call) ([]flatParticipant, error) {
	present, _, err := s.Chat.ListParticipants(c, c.user(), c.thread(), chat.PageQuery{Limit: chat.MaxParticipants})
	return models(present, func(p *chat.Participant) flatParticipant { return toParticipant(p).flat() }), err
}

type threadWithMembers struct {
	flatThread
	Members []flatParticipant `json:"members"`
}

func (s *server) getThreadWithMembers(c *call) (reply, error) {
	thread, err := s.Chat.GetThread(c, c.user(), c.thread())
	if err != nil {
		return reply{}, err
	}
	members, err := s.members(c)
	if err != nil {
		return reply{}, err
	}
	return ok(threadWithMembers{toThread(&thread).flat(), members})
}

type itemWithFlag struct {
	ID             string    `json:"id"`
	Topic          string    `json:"topic"`
	IsDeleted      bool      `json:"isDeleted"`
	LastReceivedOn *chatTime `json:"lastMessageReceivedOn,omitempty"`
}

func (t threadItemModel) at(v Version) any {
	if v <= preview2 {
		return itemWithFlag{t.ID, t.Topic, t.DeletedOn != nil, t.LastReceivedOn}
	}
	return t
}

type sendWithPriority struct {
	Content    string `json:"content"`
	SenderName string `json:"senderDisplayName"`
	Priority   string `json:"priority"`
}

func (in *sendWithPriority) lift() sendMessageRequest {
	return sendMessageRequest{Content: in.Content, SenderName: in.SenderName, priority: in.Priority}
}

func (sendMessageRequest) shape(v Version) olderRequest[sendMessageRequest] {
	if v <= preview2 {
		return &sendWithPriority{}
	}
	return nil
}

type updateWithPriority struct {
	Content  *string `json:"content"`
	Priority *string `json:"priority"`
}

func (in *updateWithPriority) lift() updateMessageRequest {
	return updateMessageRequest{Content: in.Content, priority: in.Priority}
}

func (updateMessageRequest) shape(v Version) olderRequest[updateMessageRequest] {
	if v <= preview2 {
		return &updateWithPriority{}
	}
	return nil
}

type messageWithPriority struct {
	ID         string    `json:"id"`
	Type       string    `json:"type"`
	Priority   string    `json:"priority"`
	Version    string    `json:"version"`
	Content    string    `json:"content"`
	SenderName *string   `json:"senderDisplayName,omitempty"`
	CreatedOn  chatTime  `json:"createdOn"`
	SenderID   string    `json:"senderId"`
	DeletedOn  *chatTime `json:"deletedOn,omitempty"`
	EditedOn   *chatTime `json:"editedOn,omitempty"`
}

// oldTypes are the names that the types of message had. That of html is seen in the enumerations of later SDKs, that of a
// removal in the documentation of the enumeration; the others are recorded.
var oldTypes = map[chat.MessageType]string{
	chat.Text:               "Text",
	chat.HTML:               "RichText/Html",
	chat.TopicUpdated:       "ThreadActivity/TopicUpdate",
	chat.ParticipantAdded:   "ThreadActivity/AddMember",
	chat.ParticipantRemoved: "ThreadActivity/DeleteMember",
}

func toOldMessage(thread chat.ThreadID, m *chat.Message) messageWithPriority {
	out := messageWithPriority{
		ID: m.ID.String(), Type: oldTypes[m.Type], Priority: "Normal", Version: chat.MessageID(m.Version).String(), Content: m.Content.Text,
		CreatedOn: chatTime(m.CreatedOn()), SenderID: string(m.Sender), DeletedOn: orNil(m.DeletedOn), EditedOn: orNil(m.EditedOn),
	}
	if m.High {
		out.Priority = "High"
	}
	if m.Type.User() {
		out.SenderName = &m.SenderName
		return out
	}
	// The sender of a system message is the thread (recordings of the Java suite).
	out.SenderID, out.Content = string(thread), activity(m)
	return out
}

// activity renders a system message as the XML that stands in its content (recordings of the Java suite; that of a removal
// is not recorded and formed like an addition).
func activity(m *chat.Message) string {
	var b strings.Builder
	element := func(name, text string) {
		b.WriteString("<" + name + ">")
		_ = xml.EscapeText(&b, []byte(text)) // a builder does not fail
		b.WriteString("</" + name + ">")
	}
	root := map[chat.MessageType]string{
		chat.TopicUpdated: "topicupdate", chat.ParticipantAdded: "addmember", chat.ParticipantRemoved: "deletemember",
	}[m.Type]
	b.WriteString("<" + root + ">")
	element("eventtime", m.ID.String())
	element("initiator", string(m.Content.Initiator))
	if m.Type == chat.TopicUpdated {
		element("value", m.Content.Topic)
		b.WriteString("</" + root + ">")
		return b.String()
	}
	b.WriteString("<detailedinitiatorinfo>")
	element("friendlyName", nameIn(m.Content.Participants, m.Content.Initiator))
	b.WriteString("</detailedinitiatorinfo>")
	element("rosterVersion", m.ID.String())
	for _, p := range m.Content.Participants {
		element("target", string(p.Identity))
		b.WriteString("<detailedtargetinfo>")
		element("id", string(p.Identity))
		element("friendlyName", p.DisplayName)
		b.WriteString("</detailedtargetinfo>")
	}
	b.WriteString("</" + root + ">")
	return b.String()
}

func nameIn(participants []chat.Participant, who chat.Identity) string {
	for _, p := range participants {
		if p.Identity == who {
			return p.DisplayName
		}
	}
	return ""
}

func (s *server) listOldMessages(c *call) (reply, error) {
	return s.listMessagesAs(c, func(thread chat.ThreadID, messages []chat.Message, next string) any {
		return list[messageWithPriority]{
			Value:    models(messages, func(m *chat.Message) messageWithPriority { return toOldMessage(thread, m) }),
			NextLink: next,
		}
	})
}

func (s *server) getOldMessage(c *call) (reply, error) {
	m, err := s.message(c)
	if err != nil {
		return reply{}, err
	}
	return ok(toOldMessage(c.thread(), m))
}
