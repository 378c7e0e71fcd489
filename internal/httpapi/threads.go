package httpapi

import (
	"net/http"

	"github.com/chatd/chatd/internal/chat"
)

// createThreadRequest is the newest shape. The caller becomes a participant, whether named or not.
type createThreadRequest struct {
	Topic           string             `json:"topic"`
	Participants    []participantModel `json:"participants"`
	Metadata        map[string]string  `json:"metadata"`
	RetentionPolicy *retentionModel    `json:"retentionPolicy"`
	MessagingPolicy *policyModel       `json:"messagingPolicy"`
}

// createThreadReply has the properties of the thread; a participant who could not be added is no error.
type createThreadReply struct {
	ChatThread          threadModel               `json:"chatThread"`
	InvalidParticipants []invalidParticipantModel `json:"invalidParticipants,omitempty"`
}

// createThread creates a thread even if some participants cannot be added, and names those in its answer.
func (s *server) createThread(c *call, in createThreadRequest) (reply, error) {
	thread := chat.NewThread{
		Topic: in.Topic, Participants: fromParticipants(in.Participants), Metadata: in.Metadata, Token: c.idempotencyToken(),
	}
	retention, err := in.RetentionPolicy.retention()
	if err != nil {
		return reply{}, err
	}
	if retention != nil {
		thread.Retention = *retention
	}
	if in.MessagingPolicy != nil {
		thread.TextOnly = in.MessagingPolicy.TextOnly
	}
	made, err := s.Chat.CreateThread(c, c.user(), thread)
	if err != nil {
		return reply{}, err
	}
	body := createThreadReply{toThread(&made.Thread), toInvalid(made.Invalid)}
	return reply{http.StatusCreated, c.links.thread(c.r, made.Thread.ID), body}, nil
}

// idempotencyToken returns the token that makes a repeated create return the first thread, "" for none. The header has had both
// names (azure-communication-chat for Python 1.0.0b5 and 1.0.0).
func (c *call) idempotencyToken() string {
	if token := c.header("repeatability-request-id"); token != "" {
		return token
	}
	return c.header("idempotency-token")
}

// listThreads returns the threads of the caller, latest activity first, with deleted ones and those that the caller was removed
// from.
func (s *server) listThreads(c *call) (reply, error) {
	limit, err := c.page(chat.ThreadPage)
	if err != nil {
		return reply{}, err
	}
	since, err := c.startTime()
	if err != nil {
		return reply{}, err
	}
	after, err := s.cursor(c, "threads")
	if err != nil {
		return reply{}, err
	}
	items, next, err := s.Chat.ListThreads(c, c.user(), chat.ThreadQuery{Since: since, After: after, Limit: limit})
	if err != nil {
		return reply{}, err
	}
	out := list[threadItemModel]{Value: convert(items, toThreadItem)}
	if next != nil {
		out.NextLink = c.nextLink("/chat/threads", limit, "syncState", s.newCursor(c, "threads", next...))
	}
	return ok(out)
}

// getThread works for former participants too, who get the thread as they left it.
func (s *server) getThread(c *call) (reply, error) {
	thread, err := s.Chat.GetThread(c, c.user(), c.thread())
	if err != nil {
		return reply{}, err
	}
	return ok(toThread(&thread))
}

// updateThreadRequest is a merge patch. A thread always has a topic, so null leaves it unchanged.
type updateThreadRequest struct {
	Topic           *string                       `json:"topic"`
	Metadata        patchField[map[string]string] `json:"metadata"`
	RetentionPolicy patchField[retentionModel]    `json:"retentionPolicy"`
	MessagingPolicy patchField[policyModel]       `json:"messagingPolicy"`
}

// updateThread removes what is null. The retention policy is "none" then (live suite of azure-sdk-for-js,
// chatThreadClient.spec.ts).
func (s *server) updateThread(c *call, in updateThreadRequest) (reply, error) {
	retention, err := in.RetentionPolicy.or(retentionModel{Kind: chat.RetentionNone}).retention()
	if err != nil {
		return reply{}, err
	}
	update := chat.ThreadUpdate{Topic: in.Topic, ClearMetadata: in.Metadata.null(), Retention: retention}
	if metadata := in.Metadata.Value; metadata != nil {
		update.Metadata = *metadata
	}
	if policy := in.MessagingPolicy.or(policyModel{}); policy != nil {
		update.TextOnly = &policy.TextOnly
	}
	return noBody(http.StatusNoContent, s.Chat.UpdateThread(c, c.user(), c.thread(), update))
}

// deleteThread leaves the thread in lists for a while, with the time of its deletion.
func (s *server) deleteThread(c *call) (reply, error) {
	return noBody(http.StatusNoContent, s.Chat.DeleteThread(c, c.user(), c.thread()))
}
