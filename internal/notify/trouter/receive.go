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
func (sk *socket) receive(text string) error {
	p, err := parsePacket(text)
	if err != nil {
		return err
	}
	switch p.kind {
	case disconnectPacket:
		sk.close()
	case heartbeatPacket:
		sk.beat()
	case eventPacket:
		return sk.event(p)
	case messagePacket:
		return sk.answered(p.data)
	}
	return nil
}

// event handles one of the client: ping, user.activity, what it says of marks, and whatever else. Those that want it are
// acknowledged, known or not.
func (sk *socket) event(p packet) error {
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
		sk.processed(event.Args)
	}
	if !p.ack {
		return nil
	}
	sk.mu.Lock()
	defer sk.mu.Unlock()
	if len(sk.control) >= maxControl {
		return errFlood
	}
	sk.control = append(sk.control, acknowledge(p.id, args))
	sk.stir()
	return nil
}

// answered handles the client's response to a frame. One that it was not sent is passed over.
func (sk *socket) answered(data string) error {
	var response struct {
		ID     json.Number `json:"id"`
		Status int         `json:"status"`
	}
	if err := json.Unmarshal([]byte(data), &response); err != nil {
		return errPacket
	}
	id, _ := response.ID.Int64() // of what is no number there is no frame
	f, again, ok := sk.settle(id, response.Status)
	if !ok {
		return nil
	}
	sk.s.Metrics.Acks.WithLabelValues(statusLabel(response.Status)).Inc()
	if again || response.Status == http.StatusOK {
		return nil
	}
	if response.Status == http.StatusGatewayTimeout {
		sk.s.Metrics.Dropped.WithLabelValues(protocol, "too early").Inc()
	}
	// 404: the page has no handler, its handler threw, or the SDK could not read the payload; the SDK does not say which
	// (trouter-client of the JavaScript SDK). The first two are the page's own, hence no error of ours.
	sk.s.Log.Warn("a page did not handle an event: its handler is missing or threw an exception, or the SDK could not read the event",
		"kind", f.Kind, "position", f.Position, "status", response.Status, "user", sk.e.key.user)
	return nil
}

// settle takes a frame off those that are outstanding. again says that its event is to be told again, since the client was
// not ready for it.
func (sk *socket) settle(id int64, status int) (f waiting, again, ok bool) {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	f, ok = sk.frames[id]
	if !ok {
		return f, false, false
	}
	delete(sk.frames, id)
	sk.flight -= f.size
	again = status == http.StatusGatewayTimeout && f.attempts < maxAttempts
	switch {
	case again && !sk.retired:
		i, _ := slices.BinarySearchFunc(sk.pending, f.Position, func(w waiting, p chat.Position) int { return cmp.Compare(w.Position, p) })
		sk.pending = slices.Insert(sk.pending, i, f)
	case again: // on the connection that took over
		sk.weigh(-f.size)
	default:
		sk.weigh(-f.size)
		sk.e.settle(f.Position)
		sk.s.saver.note(sk.e)
	}
	sk.drain()
	sk.stir()
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
