package fanout

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/bench/setup"
)

// acknowledgement is what an SDK answers to each frame, by its id.
const acknowledgement = `3:::{"id":%s,"status":200,"headers":{},"body":""}`

// trouter is chatd with listeners that speak the protocol of the official SDKs.
type trouter struct{ native }

// Trouter is the target for listeners that speak the protocol of the official SDKs.
func Trouter(w *setup.World, secure bool) Target {
	return trouter{native{newOrigin(w.Origin(secure)), w}}
}

// Dial goes through allocation and handshake, with a new endpoint.
func (h trouter) Dial(ctx context.Context, i int) (*websocket.Conn, error) {
	token := h.w.Listeners()[i%len(h.w.Listeners())].Token
	answer, err := h.ask(ctx, http.MethodPost, "/v4/a", token)
	if err != nil {
		return nil, err
	}
	var allocated struct{ ConnectParams map[string]string }
	if err := json.Unmarshal(answer, &allocated); err != nil {
		return nil, err
	}
	q := url.Values{"v": {"v4"}, "epid": {rand.Text()}}
	for name, value := range allocated.ConnectParams {
		q.Set(name, value)
	}
	if answer, err = h.ask(ctx, http.MethodGet, "/socket.io/1/?"+q.Encode(), token); err != nil {
		return nil, err
	}
	session, _, _ := strings.Cut(string(answer), ":")
	return h.dial(ctx, "/socket.io/1/websocket/"+session+"?"+q.Encode(), nil, "", "trouter.connected")
}

func (h trouter) ask(ctx context.Context, method, path, token string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, h.url+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Skypetoken", token)
	answer, err := h.web.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s", method, path, answer.Status)
	}
	return body, errors.Join(err, answer.Body.Close())
}

// Reply acknowledges a frame, which begins with its id.
func (h trouter) Reply(frame []byte) []byte {
	_, rest, ok := bytes.Cut(frame, []byte(`"id":`))
	id, _, ok2 := bytes.Cut(rest, []byte(","))
	if !ok || !ok2 {
		return nil
	}
	return fmt.Appendf(nil, acknowledgement, id)
}
