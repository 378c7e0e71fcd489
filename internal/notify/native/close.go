package native

import (
	"fmt"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/internal/notify"
)

// The codes with which the server closes a connection. The reason beside them is for people.
const (
	CloseGoingAway = websocket.StatusGoingAway // the server is stopping: connect again and resume
	CloseInternal  = websocket.StatusInternalError

	CloseBadFrame     websocket.StatusCode = 4400 // what the client sent is not of the protocol
	CloseUnauthorized websocket.StatusCode = 4401 // no token, or one that is not, or no longer, good
	CloseSlow         websocket.StatusCode = 4408 // the client does not read, or not start: connect again and resume
	CloseTooLarge     websocket.StatusCode = 4413 // a frame of the client over 64 KiB
	CloseTooMany      websocket.StatusCode = 4429 // too many connections, of the user or in all
)

// closeReason says with which code and reason the server ends a connection.
type closeReason struct {
	code   websocket.StatusCode
	reason string
}

func (c closeReason) Error() string { return fmt.Sprintf("close with %d: %s", c.code, c.reason) }

func badFrame(reason string) error { return closeReason{CloseBadFrame, reason} }

// closeReasonFor is how the hub's reasons look to the client.
func closeReasonFor(r notify.Reason) closeReason {
	code := CloseUnauthorized
	switch r {
	case notify.Stopping:
		code = CloseGoingAway
	case notify.Slow:
		code = CloseSlow
	case notify.Revoked, notify.Expired:
	}
	return closeReason{code, string(r)}
}
