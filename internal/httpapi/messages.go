package httpapi

import (
	"net/http"
	"strings"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// sendMessageRequest is the newest shape. Without a type the message is a text.
type sendMessageRequest struct {
	Content     string            `json:"content"`
	SenderName  string            `json:"senderDisplayName"`
	Type        string            `json:"type"`
	Metadata    map[string]string `json:"metadata"`
	Attachments []web.Attachment  `json:"attachments"`

	priority string // only until 2020-09-21-preview2
}

// isHigh reports whether a priority is the high one. Others, and none, are normal.
func isHigh(priority string) bool { return strings.EqualFold(priority, "high") }

// sendMessageReply has the id alone (all recordings): clients that want the message read it.
type sendMessageReply struct {
	ID string `json:"id"`
}

// sendMessage is the most frequent write. chat.Service decides on what it remembers of the thread, mostly without a read.
func (s *server) sendMessage(c *call, in sendMessageRequest) (reply, error) {
	thread := c.thread()
	m, err := s.Chat.SendMessage(c, c.user(), thread, chat.NewMessage{
		Type: chat.MessageType(strings.ToLower(in.Type)), Content: in.Content, SenderName: in.SenderName, Metadata: in.Metadata,
		High: isHigh(in.priority), Attachments: fromAttachments(in.Attachments),
	})
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, c.links.message(c.r, thread, m.ID), sendMessageReply{m.ID.String()}}, nil
}

// listMessages gives every full page a nextLink, so that a list of exactly so many messages ends with an empty page (12 of 12
// recorded lists; the tests of the .NET SDK depend on it).
func (s *server) listMessages(c *call) (reply, error) {
	limit, err := c.page(chat.MessagePage)
	if err != nil {
		return reply{}, err
	}
	since, err := c.startTime()
	if err != nil {
		return reply{}, err
	}
	at, err := s.cursor(c, "messages")
	if err != nil {
		return reply{}, err
	}
	var before chat.MessageID
	if at != nil {
		before = chat.MessageID(at[0])
	}
	thread := c.thread()
	messages, err := s.Chat.ListMessages(c, c.user(), thread, since, before, limit)
	if err != nil {
		return reply{}, err
	}
	next := ""
	if len(messages) == limit {
		next = c.nextLink("/chat/threads/"+string(thread)+"/messages", limit, "syncState", s.newCursor(c, "messages", int64(messages[limit-1].ID)))
	}
	return ok(messagePage{messages, next, c.messageView()})
}

// getMessage finds deleted messages too, with empty content (recordings of the CLI suite).
func (s *server) getMessage(c *call) (reply, error) {
	id, err := c.message()
	if err != nil {
		return reply{}, err
	}
	m, err := s.Chat.GetMessage(c, c.user(), c.thread(), id)
	if err != nil {
		return reply{}, err
	}
	return ok(messageReply{m, c.messageView()})
}

// updateMessageRequest is a merge patch. A message always has a content, so null leaves it unchanged.
type updateMessageRequest struct {
	Content     *string                       `json:"content"`
	Metadata    patchField[map[string]string] `json:"metadata"`
	Attachments patchField[[]web.Attachment]  `json:"attachments"`

	priority *string // only until 2020-09-21-preview2
}

// updateMessage accepts a body that changes nothing (recordings of the CLI suite).
func (s *server) updateMessage(c *call, in updateMessageRequest) (reply, error) {
	id, err := c.message()
	if err != nil {
		return reply{}, err
	}
	update := chat.MessageUpdate{Content: in.Content, ClearMetadata: in.Metadata.null()}
	if metadata := in.Metadata.Value; metadata != nil {
		update.Metadata = *metadata
	}
	if attachments := in.Attachments.or([]web.Attachment{}); attachments != nil {
		update.Attachments = fromAttachments(*attachments)
	}
	if in.priority != nil {
		high := isHigh(*in.priority)
		update.High = &high
	}
	return noBody(http.StatusNoContent, s.Chat.UpdateMessage(c, c.user(), c.thread(), id, update))
}

// deleteMessage keeps the place of the message in the thread.
func (s *server) deleteMessage(c *call) (reply, error) {
	id, err := c.message()
	if err != nil {
		return reply{}, err
	}
	return noBody(http.StatusNoContent, s.Chat.DeleteMessage(c, c.user(), c.thread(), id))
}

// fromAttachments keeps nil, which is an absent list: it changes nothing, where an empty one removes the attachments.
func fromAttachments(in []web.Attachment) []chat.Attachment {
	if in == nil {
		return nil
	}
	out := make([]chat.Attachment, len(in))
	for i, a := range in {
		out[i] = chat.Attachment(a)
	}
	return out
}
