package httpapi

import (
	"net/http"

	"github.com/chatd/chatd/internal/chat"
)

type sendReceiptRequest struct {
	MessageID string `json:"chatMessageId"`
}

func (s *server) sendReadReceipt(c *call, in sendReceiptRequest) (reply, error) {
	id, err := chat.ParseMessageID(in.MessageID)
	if err != nil {
		return reply{}, err
	}
	return done(http.StatusOK, s.Chat.SendReadReceipt(c, c.user(), c.thread(), id))
}

func (s *server) listReadReceipts(c *call) (reply, error) {
	limit, skip, err := c.window(chat.ReceiptPage)
	if err != nil {
		return reply{}, err
	}
	thread := c.thread()
	receipts, err := s.Chat.ListReadReceipts(c, c.user(), thread, skip, limit+1)
	if err != nil {
		return reply{}, err
	}
	return ok(window(c, "/chat/threads/"+string(thread)+"/readReceipts", models(receipts, toReceipt), limit, skip))
}

type typingRequest struct {
	SenderName string `json:"senderDisplayName"`
}

func (s *server) sendTyping(c *call, in typingRequest) (reply, error) {
	return done(http.StatusOK, s.Chat.SendTyping(c, c.user(), c.thread(), in.SenderName))
}
