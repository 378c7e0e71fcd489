package trouter

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// allocate gives the client its connectparams, which it carries to the handshake and to later allocations. Params that are
// stale or not ours are passed over, never refused: the client would not drop them.
func (s *Server) allocate(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("X-Skypetoken")
	user, _, ok := s.caller(w, r, token)
	if !ok || s.limited(w, r, "allocation", user) {
		return
	}
	id := rand.Text()
	if old, err := s.readParams(r.URL.Query()); err == nil && old.user == user {
		id = old.id
	}
	s.mu.Lock()
	s.grants[id] = grant{token, time.Now().Add(connectTime)}
	s.mu.Unlock()
	base := s.Base(r)
	here := base + "/v4/f/" + id + "/"
	sendJSON(w, map[string]any{
		"socketio": base + "/", "surl": here, "url": here, "curlb": base, "id": id, "ccid": id,
		"ttl":           strconv.Itoa(int(allocation.Seconds())),
		"connectparams": s.params(id, user),
	})
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

// params are connectparams. They are put into URLs unescaped and cut at "=", so their values are URL-safe, and their names
// none that the client uses itself. Only se (ms, when they end) has a meaning for the client.
type params struct {
	id   string
	user chat.Identity
	end  chat.Time
}

func (s *Server) params(id string, user chat.Identity) map[string]string {
	now := s.Now()
	p := params{id, user, now + chat.Time(allocation.Milliseconds())}
	return map[string]string{
		"sr": p.id, "issuer": "chatd", "sp": "connect", "st": number(now), "se": number(p.end),
		"u": base64.RawURLEncoding.EncodeToString([]byte(p.user)), "sig": s.signature(p),
	}
}

func number(t chat.Time) string { return strconv.FormatInt(int64(t), 10) }

func (s *Server) signature(p params) string {
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write([]byte(strings.Join([]string{p.id, string(p.user), number(p.end)}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

var allocationID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// readParams returns the connectparams of a request when they are ours and have not ended.
func (s *Server) readParams(q url.Values) (params, error) {
	user, err := base64.RawURLEncoding.DecodeString(q.Get("u"))
	if err != nil {
		return params{}, errParams
	}
	end, err := strconv.ParseInt(q.Get("se"), 10, 64)
	p := params{q.Get("sr"), chat.Identity(user), chat.Time(end)}
	if err != nil || !allocationID.MatchString(p.id) || !hmac.Equal([]byte(s.signature(p)), []byte(q.Get("sig"))) || p.end < s.Now() {
		return params{}, errParams
	}
	return p, nil
}

var errParams = &chat.Error{Kind: chat.Unauthorized, Reason: "connectparams are missing, altered or have ended"}

// session is what a handshake leads to: who may connect once, for a little while.
type session struct {
	user    chat.Identity
	expires chat.Time // of the token
	token   string
	key     endpointKey
	surl    string // path under which the client knows its requests
	until   time.Time
}

// handshake answers with a session id, heartbeat and close timeouts, and transports.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request) {
	p, err := s.readParams(r.URL.Query())
	if err != nil {
		s.refuse(w, r, http.StatusUnauthorized, "handshake", err)
		return
	}
	token := s.granted(r, p.id)
	user, expires, ok := s.caller(w, r, token)
	if !ok || s.limited(w, r, "handshake", user) {
		return
	}
	if user != p.user {
		s.refuse(w, r, http.StatusUnauthorized, "handshake with the connectparams of somebody else", nil)
		return
	}
	id := rand.Text() + rand.Text()
	s.mu.Lock()
	s.sessions[id] = &session{
		user: user, expires: expires, token: token, key: endpointKey{user, endpointID(r.URL.Query().Get("epid"), p.id)},
		surl: "/v4/f/" + p.id + "/", until: time.Now().Add(connectTime),
	}
	s.mu.Unlock()
	plainText(w)
	beat := strconv.Itoa(heartbeat)
	_, _ = w.Write([]byte(id + ":" + beat + ":" + beat + ":websocket,xhr-polling")) // the client may have gone
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
	if se == nil || time.Now().After(se.until) || asker != "" && asker != se.user {
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
