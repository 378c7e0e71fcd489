package httpapi

import (
	"net/http"
	"strings"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

type sendMessageRequest struct {
	Content     string            `json:"content"`
	SenderName  string            `json:"senderDisplayName"`
	Type        string            `json:"type"`
	Metadata    map[string]string `json:"metadata"`
	Attachments []web.Attachment  `json:"attachments"`

	priority string // only in the oldest version
}

func isHigh(priority string) bool { return strings.EqualFold(priority, "high") }

type sendMessageReply struct {
	ID string `json:"id"`
}

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

// listMessages gives every full page a nextLink, so that an exact multiple ends with an empty page (12 of 12 recorded
// lists; the .NET tests count on it).
func (s *server) listMessages(c *call) (reply, error) {
	return s.listMessagesAs(c, func(_ chat.ThreadID, messages []chat.Message, next string) any {
		return messagePage{list[messageModel]{models(messages, func(m *chat.Message) messageModel { return toMessage(m, c.imageAddress) }), next}}
	})
}

// listMessagesAs lists messages in the shape that render gives them.
func (s *server) listMessagesAs(c *call, render func(thread chat.ThreadID, messages []chat.Message, next string) any) (reply, error) {
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
		next = c.next("/chat/threads/"+string(thread)+"/messages", limit, "syncState", s.cursorAt(c, "messages", int64(messages[limit-1].ID)))
	}
	return ok(render(thread, messages, next))
}

func (s *server) getMessage(c *call) (reply, error) {
	m, err := s.message(c)
	if err != nil {
		return reply{}, err
	}
	return ok(toMessage(m, c.imageAddress))
}

func (s *server) message(c *call) (*chat.Message, error) {
	id, err := c.message()
	if err != nil {
		return nil, err
	}
	return s.Chat.GetMessage(c, c.user(), c.thread(), id)
}

// updateMessageRequest is a merge patch. A message cannot be without content, so null leaves it as it is.
type updateMessageRequest struct {
	Content     *string                    `json:"content"`
	Metadata    patched[map[string]string] `json:"metadata"`
	Attachments patched[[]web.Attachment]  `json:"attachments"`

	priority *string // only in the oldest version
}

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
	return done(http.StatusNoContent, s.Chat.UpdateMessage(c, c.user(), c.thread(), id, update))
}

func (s *server) deleteMessage(c *call) (reply, error) {
	id, err := c.message()
	if err != nil {
		return reply{}, err
	}
	return done(http.StatusNoContent, s.Chat.DeleteMessage(c, c.user(), c.thread(), id))
}
