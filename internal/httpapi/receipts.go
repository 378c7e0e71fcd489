package httpapi

import (
	"net/http"

	"github.com/chatd/chatd/internal/chat"
)

// sendReceiptRequest names the last message that the caller has read.
type sendReceiptRequest struct {
	MessageID string `json:"chatMessageId"`
}

// sendReadReceipt answers 200, and until 2020-09-21-preview2 201.
func (s *server) sendReadReceipt(c *call, in sendReceiptRequest) (reply, error) {
	id, err := chat.ParseMessageID(in.MessageID)
	if err != nil {
		return reply{}, err
	}
	return noBody(http.StatusOK, s.Chat.SendReadReceipt(c, c.user(), c.thread(), id))
}

// listReadReceipts returns the last receipt of each participant.
func (s *server) listReadReceipts(c *call) (reply, error) {
	return listBySkip(s, c, "readReceipts", chat.ReceiptPage, s.Chat.ListReadReceipts, toReceipt)
}

// typingRequest may be absent: only SDKs since 2021-04-05-preview6 send a body.
type typingRequest struct {
	SenderName string `json:"senderDisplayName"`
}

// sendTyping tells the other participants, and keeps nothing.
func (s *server) sendTyping(c *call, in typingRequest) (reply, error) {
	return noBody(http.StatusOK, s.Chat.SendTyping(c, c.user(), c.thread(), in.SenderName))
}
