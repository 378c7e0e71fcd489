package trouter

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/chatd/chatd/internal/chat"
)

// receive handles a packet of the client. An error ends the connection.
func (c *connection) receive(text string) error {
	p, err := parsePacket(text)
	if err != nil {
		return err
	}
	switch p.kind {
	case disconnectPacket:
		c.close()
	case heartbeatPacket:
		c.onHeartbeat()
	case eventPacket:
		return c.onEvent(p)
	case messagePacket:
		return c.onResponse(p.data)
	}
	return nil
}

// onEvent handles one of the client: ping, user.activity, what it says of marks, and whatever else. Those that want it are
// acknowledged, known or not.
func (c *connection) onEvent(p packet) error {
	var event struct {
		Name string            `json:"name"`
		Args []json.RawMessage `json:"args"`
	}
	_ = json.Unmarshal([]byte(p.data), &event)
	args := "[]"
	switch event.Name {
	case "ping":
		args = `["pong"]`
	case "trouter.processed_message_loss":
		c.onProcessedLoss(event.Args)
	}
	if !p.ack {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.control) >= maxControl {
		return errFlood
	}
	c.control = append(c.control, formatAck(p.id, args))
	c.signal()
	return nil
}

// onResponse handles the client's response to a frame. One to an unknown frame is ignored.
func (c *connection) onResponse(data string) error {
	var response struct {
		ID     json.Number `json:"id"`
		Status int         `json:"status"`
	}
	if err := json.Unmarshal([]byte(data), &response); err != nil {
		return errPacket
	}
	id, _ := response.ID.Int64() // of what is no number there is no frame
	f, again, ok := c.ackFrame(id, response.Status)
	if !ok {
		return nil
	}
	c.s.Metrics.Acks.WithLabelValues(statusLabel(response.Status)).Inc()
	if again || response.Status == http.StatusOK {
		return nil
	}
	if response.Status == http.StatusGatewayTimeout {
		c.s.Metrics.Dropped.WithLabelValues(protocol, "too early").Inc()
	}
	// 404: the application has no handler, its handler threw, or the SDK could not read the payload; the SDK does not say which
	// (trouter-client of the JavaScript SDK). The first two are matters of the application, hence only a warning.
	c.s.Log.Warn("a page did not handle an event: its handler is missing or threw an exception, or the SDK could not read the event",
		"kind", f.Kind, "position", f.Position, "status", response.Status, "user", c.e.key.user)
	return nil
}

// ackFrame removes a frame from the unacknowledged ones. again reports that its event is to be sent again, since the client was not
// ready for it (504).
func (c *connection) ackFrame(id int64, status int) (f pendingEvent, again, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok = c.unacked[id]
	if !ok {
		return f, false, false
	}
	delete(c.unacked, id)
	c.unackedBytes -= f.size
	again = status == http.StatusGatewayTimeout && f.attempts < maxAttempts
	switch {
	case again && !c.stopped:
		i, _ := slices.BinarySearchFunc(c.pending, f.Position, func(w pendingEvent, p chat.Position) int { return cmp.Compare(w.Position, p) })
		c.pending = slices.Insert(c.pending, i, f)
	case again: // on the connection that took over
		c.addHeld(-f.size)
	default:
		c.addHeld(-f.size)
		c.e.ack(f.Position)
		c.s.saver.add(c.e)
	}
	c.signalDrained()
	c.signal()
	return f, again, true
}

// statusLabel bounds what a client can put into metrics.
func statusLabel(status int) string {
	switch status {
	case http.StatusOK, http.StatusNotFound, http.StatusInternalServerError, http.StatusGatewayTimeout:
		return strconv.Itoa(status)
	}
	return "other"
}
