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
	return noBody(http.StatusOK, s.Chat.SendReadReceipt(c, c.user(), c.thread(), id))
}

func (s *server) listReadReceipts(c *call) (reply, error) {
	return listBySkip(s, c, "readReceipts", chat.ReceiptPage, s.Chat.ListReadReceipts, toReceipt)
}

type typingRequest struct {
	SenderName string `json:"senderDisplayName"`
}

func (s *server) sendTyping(c *call, in typingRequest) (reply, error) {
	return noBody(http.StatusOK, s.Chat.SendTyping(c, c.user(), c.thread(), in.SenderName))
}
