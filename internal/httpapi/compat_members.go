package httpapi

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/chatd/chatd/internal/chat"
)

// The API of 2020-09-21-preview2 (azure-communication-chat 1.0.0b1 to b3 for Python, 1.0.0-beta.1 and beta.3 for
// JavaScript, the betas of 2020 for Java, .NET, iOS and Android) differs so much that it has handlers of its own: members
// instead of participants, several results in one answer (207), messages with a priority. 2020-07-20-preview1, of which nothing
// is recorded, is served in the same way.

// memberStatus is the result for one member, or for the new thread itself.
type memberStatus struct {
	ID         string `json:"id"`
	StatusCode int    `json:"statusCode"`
	Message    string `json:"message,omitempty"`
	Type       string `json:"type"`
}

// multipleStatus is the body of the answer 207.
type multipleStatus struct {
	Statuses []memberStatus `json:"multipleStatus"`
}

// memberStatuses returns the result for each member, in the order of the request (recordings of the JavaScript and Java
// suites).
func memberStatuses(members []flatParticipant, bad []chat.InvalidParticipant) []memberStatus {
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

// createWithMembersRequest requires the caller among the members; later versions add the caller.
type createWithMembersRequest struct {
	Topic   string            `json:"topic"`
	Members []flatParticipant `json:"members"`
}

// createWithMembers requires the caller among the members (azure-sdk-for-java issue 21723).
func (s *server) createWithMembers(c *call, in createWithMembersRequest) (reply, error) {
	if !slices.ContainsFunc(in.Members, func(m flatParticipant) bool { return m.ID == string(c.user()) }) {
		return reply{}, &chat.Error{Kind: chat.Invalid, Message: "Initiator is not a participant of the thread", Reason: "caller is not among the members"}
	}
	made, err := s.Chat.CreateThread(c, c.user(), chat.NewThread{
		Topic: in.Topic, Participants: fromParticipants(upgradeAll(in.Members)), Token: c.idempotencyToken(),
	})
	if err != nil {
		return reply{}, err
	}
	statuses := append(memberStatuses(in.Members, made.Invalid), memberStatus{ID: string(made.Thread.ID), StatusCode: http.StatusCreated, Type: "Thread"})
	return reply{http.StatusMultiStatus, c.links.thread(c.r, made.Thread.ID), multipleStatus{statuses}}, nil
}

// addMembersRequest has a pointer, so that an absent list is an error and an empty one is not.
type addMembersRequest struct {
	Members *[]flatParticipant `json:"members"`
}

func (s *server) addMembers(c *call, in addMembersRequest) (reply, error) {
	if in.Members == nil {
		return reply{}, invalid("The members are missing.")
	}
	bad, err := s.Chat.AddParticipants(c, c.user(), c.thread(), fromParticipants(upgradeAll(*in.Members)))
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusMultiStatus, body: multipleStatus{memberStatuses(*in.Members, bad)}}, nil
}

// listMembers returns all members at once; these versions had no pages here.
func (s *server) listMembers(c *call) (reply, error) {
	members, err := s.members(c)
	if err != nil {
		return reply{}, err
	}
	return ok(list[flatParticipant]{Value: members})
}

// members returns all members of the thread of the call.
func (s *server) members(c *call) ([]flatParticipant, error) {
	present, _, err := s.Chat.ListParticipants(c, c.user(), c.thread(), chat.PageQuery{Limit: chat.MaxParticipants})
	return convert(present, func(p *chat.Participant) flatParticipant { return toParticipant(p).flat() }), err
}

// threadWithMembers is a thread with all of its members.
type threadWithMembers struct {
	flatThread
	Members []flatParticipant `json:"members"`
}

// getThreadWithMembers returns the members too, which later versions list separately.
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

// threadItemWithFlag says whether the thread is deleted, and not when it was.
type threadItemWithFlag struct {
	ID             string    `json:"id"`
	Topic          string    `json:"topic"`
	IsDeleted      bool      `json:"isDeleted"`
	LastReceivedOn *chatTime `json:"lastMessageReceivedOn,omitempty"`
}

func (t threadItemModel) at(v Version) any {
	if v.has(members) {
		return threadItemWithFlag{t.ID, t.Topic, t.DeletedOn != nil, t.LastReceivedOn}
	}
	return t
}

// sendWithPriorityRequest is sendMessageRequest of these versions. The type is always text.
type sendWithPriorityRequest struct {
	Content    string `json:"content"`
	SenderName string `json:"senderDisplayName"`
	Priority   string `json:"priority"`
}

func (in *sendWithPriorityRequest) upgrade() sendMessageRequest {
	return sendMessageRequest{Content: in.Content, SenderName: in.SenderName, priority: in.Priority}
}

func (sendMessageRequest) oldShape(v Version) oldRequest[sendMessageRequest] {
	if v.has(members) {
		return &sendWithPriorityRequest{}
	}
	return nil
}

// updateWithPriorityRequest has pointers, since an absent field changes nothing.
type updateWithPriorityRequest struct {
	Content  *string `json:"content"`
	Priority *string `json:"priority"`
}

func (in *updateWithPriorityRequest) upgrade() updateMessageRequest {
	return updateMessageRequest{Content: in.Content, priority: in.Priority}
}

func (updateMessageRequest) oldShape(v Version) oldRequest[updateMessageRequest] {
	if v.has(members) {
		return &updateWithPriorityRequest{}
	}
	return nil
}
