package trouter

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// session is the result of a handshake: who may connect, for a short time. Its id contains all of it, signed, so that the connection
// may come to any server. It is good for one connection, that of its number among those of the endpoint. It holds no token, only
// what tells whether that was revoked since.
type session struct {
	Caller
	Endpoint   string
	Allocation string
	Number     int64
	Start      chat.Position `json:"Begin"` // where an endpoint starts that is new or had unregistered; servers of older versions call it so
	Tags       []string      // of the connection and of those before; see marks.go
	Until      chat.Time
}

func (se *session) key() endpointKey { return endpointKey{se.User, se.Endpoint} }

// surl is the path under which the client knows its requests.
func (se *session) surl() string { return "/v4/f/" + se.Allocation + "/" }

// seal makes the id of a session.
func (s *Server) seal(se session) string {
	text := base64.RawURLEncoding.EncodeToString(web.EncodeJSON(se))
	return text + "." + s.sign("session", text)
}

func (s *Server) unseal(id string) (*session, bool) {
	text, signature, _ := strings.Cut(id, ".")
	if !hmac.Equal([]byte(s.sign("session", text)), []byte(signature)) {
		return nil, false
	}
	var se session
	body, err := base64.RawURLEncoding.DecodeString(text)
	return &se, err == nil && json.Unmarshal(body, &se) == nil
}

// handshakeCaller returns who makes a handshake: by the token, or else as in the allocation just before, since SDKs before chat 1.5.2
// send none. It answers the request when it returns false.
func (s *Server) handshakeCaller(w http.ResponseWriter, r *http.Request, p params) (Caller, bool) {
	token := r.Header.Get("X-Skypetoken")
	if token != "" || s.Now() >= p.validFrom.Add(stepLife+clockSkew) {
		return s.caller(w, r, token)
	}
	if err := s.valid(r.Context(), p.Caller); err != nil {
		s.refuseToken(w, r, err)
		return Caller{}, false
	}
	return p.Caller, true
}

// valid returns why a token that was accepted is refused by now.
func (s *Server) valid(ctx context.Context, c Caller) error {
	if c.Expires <= s.Now() {
		return &chat.Error{Kind: chat.Unauthorized, Reason: "token is expired"}
	}
	return s.Revalidate(ctx, c)
}

// requester returns who makes a request, "" when nothing in it says. A websocket of a browser has no header for the token, but
// carries the connectparams.
func (s *Server) requester(r *http.Request) (chat.Identity, error) {
	if token := r.Header.Get("X-Skypetoken"); token != "" {
		c, err := s.Authenticate(r.Context(), token)
		return c.User, err
	}
	p, err := s.readParams(r.URL.Query())
	if err != nil {
		return "", nil //nolint:nilerr // then the session id alone must do
	}
	return p.User, nil
}

var errSession = &chat.Error{Kind: chat.NotFound, Reason: "unknown or used session, or that of somebody else"}

// readSession reads the session of a request. It must be for the user who makes it, whose token must still be valid.
func (s *Server) readSession(r *http.Request, id string) (*session, error) {
	requester, err := s.requester(r)
	if err != nil {
		return nil, err
	}
	se, ok := s.unseal(id)
	if !ok || s.Now() > se.Until || requester != "" && requester != se.User {
		return nil, errSession
	}
	return se, s.valid(r.Context(), se.Caller)
}
