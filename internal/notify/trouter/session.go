package trouter

import (
	"context"
	"net/http"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// session is what a handshake leads to: who may connect once, for a little while.
type session struct {
	expires chat.Time // of the token
	token   string
	key     endpointKey
	surl    string   // path under which the client knows its requests
	tags    []string // of the connection and of those before; see recall.go
	until   time.Time
}

// grant remembers the token of an allocation, for the handshake that follows: SDKs before chat 1.5.2 send none there, and
// connectparams alone could not be revoked.
type grant struct {
	token string
	until time.Time
}

// granted returns the token of the caller: as it was sent, else that of the allocation just before.
func (s *Server) granted(r *http.Request, allocation string) string {
	if token := r.Header.Get("X-Skypetoken"); token != "" {
		return token
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.grants[allocation]; time.Now().Before(g.until) {
		return g.token
	}
	return ""
}

// asker tells whose request it is, "" when nothing in it says. A websocket has no header for the token, but carries the
// connectparams.
func (s *Server) asker(r *http.Request) (chat.Identity, error) {
	if token := r.Header.Get("X-Skypetoken"); token != "" {
		user, _, err := s.Authenticate(r.Context(), token)
		return user, err
	}
	p, err := s.readParams(r.URL.Query())
	if err != nil {
		return "", nil //nolint:nilerr // then the session id alone must do
	}
	return p.user, nil
}

// open takes a session: it is there once, for its user, whose token must still be good. Nobody else can use it up.
func (s *Server) open(ctx context.Context, id string, asker chat.Identity) (*session, error) {
	s.mu.Lock()
	se := s.sessions[id]
	if se == nil || time.Now().After(se.until) || asker != "" && asker != se.key.user {
		s.mu.Unlock()
		return nil, &chat.Error{Kind: chat.NotFound, Reason: "unknown or used session, or that of somebody else"}
	}
	delete(s.sessions, id)
	s.mu.Unlock()
	_, _, err := s.Authenticate(ctx, se.token)
	return se, err
}

// giveBack lets a session be used after all: when an upgrade fails the client tries long polling with the same one.
func (s *Server) giveBack(id string, se *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[id] = se
}
