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
	user, expires, ok := s.caller(w, r, r.Header.Get("X-Skypetoken"))
	if !ok {
		return
	}
	id := rand.Text()
	if old, err := s.readParams(r.URL.Query()); err == nil && old.user == user {
		id = old.id
	}
	if !s.mayAllocate(endpointKey{user, r.URL.Query().Get("epid")}) {
		w.Header().Set("Retry-After", "1")
		s.refuse(w, r, http.StatusTooManyRequests, "too many allocations of one endpoint", nil)
		return
	}
	base := s.Base(r)
	here := base + "/v4/f/" + id + "/"
	sendJSON(w, map[string]any{
		"socketio": base + "/", "surl": here, "url": here, "curlb": base, "id": id, "ccid": id,
		"ttl":           strconv.Itoa(int(allocation.Seconds())),
		"connectparams": s.params(id, user, expires),
	})
}

// params are connectparams. They are put into URLs unescaped and cut at "=", so their values are URL-safe, and their names
// none that the client uses itself. Only se (ms, when they end) has a meaning for the client.
type params struct {
	id      string
	user    chat.Identity
	expires chat.Time // of the token behind them
	end     chat.Time
}

func (s *Server) params(id string, user chat.Identity, expires chat.Time) map[string]string {
	now := s.Now()
	p := params{id, user, expires, now + chat.Time(allocation.Milliseconds())}
	return map[string]string{
		"sr": p.id, "issuer": "chatd", "sp": "connect", "st": number(now), "se": number(p.end),
		"u": base64.RawURLEncoding.EncodeToString([]byte(p.user)), "x": number(p.expires), "sig": s.signature(p),
	}
}

func number(t chat.Time) string { return strconv.FormatInt(int64(t), 10) }

func (s *Server) signature(p params) string {
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write([]byte(strings.Join([]string{p.id, string(p.user), number(p.expires), number(p.end)}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

var allocationID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// readParams returns the connectparams of a request when they are ours and have not ended.
func (s *Server) readParams(q url.Values) (params, error) {
	user, err := base64.RawURLEncoding.DecodeString(q.Get("u"))
	if err != nil {
		return params{}, errParams
	}
	expires, err1 := strconv.ParseInt(q.Get("x"), 10, 64)
	end, err2 := strconv.ParseInt(q.Get("se"), 10, 64)
	p := params{q.Get("sr"), chat.Identity(user), chat.Time(expires), chat.Time(end)}
	if err1 != nil || err2 != nil || !allocationID.MatchString(p.id) || !hmac.Equal([]byte(s.signature(p)), []byte(q.Get("sig"))) || p.end < s.Now() {
		return params{}, errParams
	}
	return p, nil
}

var errParams = &chat.Error{Kind: chat.Unauthorized, Reason: "connectparams are missing, altered or have ended"}

// session is what a handshake leads to: who may connect once, for a little while.
type session struct {
	user    chat.Identity
	expires chat.Time // of the token
	token   string    // empty where the client sends none: then connectparams speak for it
	key     endpointKey
	surl    string // path under which the client knows its requests
	until   time.Time
}

// handshake answers with a session id, heartbeat and close timeouts, and transports. SDKs before chat 1.5.2 send no token
// here, so the signed connectparams do.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request) {
	p, err := s.readParams(r.URL.Query())
	if err != nil {
		s.refuse(w, r, http.StatusUnauthorized, "handshake", err)
		return
	}
	se := &session{user: p.user, expires: p.expires, token: r.Header.Get("X-Skypetoken"), until: time.Now().Add(sessionLife)}
	if se.token != "" {
		user, expires, ok := s.caller(w, r, se.token)
		if !ok {
			return
		}
		if user != p.user {
			s.refuse(w, r, http.StatusUnauthorized, "handshake with the connectparams of somebody else", nil)
			return
		}
		se.expires = expires
	}
	if se.expires <= s.Now() {
		s.refuse(w, r, http.StatusUnauthorized, "handshake with an expired token", nil)
		return
	}
	se.key = endpointKey{p.user, endpointID(r.URL.Query().Get("epid"), p.id)}
	se.surl = "/v4/f/" + p.id + "/"
	id := rand.Text() + rand.Text()
	s.mu.Lock()
	s.sessions[id] = se
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	beat := strconv.Itoa(heartbeat)
	_, _ = w.Write([]byte(id + ":" + beat + ":" + beat + ":websocket,xhr-polling")) // the client may have gone
}

// open takes a session: it is there once, and its token must still be good.
func (s *Server) open(ctx context.Context, id string) (*session, error) {
	s.mu.Lock()
	se := s.sessions[id]
	delete(s.sessions, id)
	s.mu.Unlock()
	if se == nil || time.Now().After(se.until) {
		return nil, &chat.Error{Kind: chat.NotFound, Reason: "unknown or used session"}
	}
	if se.token != "" {
		if _, _, err := s.Authenticate(ctx, se.token); err != nil {
			return nil, err
		}
	}
	return se, nil
}

// giveBack lets a session be used after all: when an upgrade fails the client tries long polling with the same one.
func (s *Server) giveBack(id string, se *session) {
	s.mu.Lock()
	s.sessions[id] = se
	s.mu.Unlock()
}

// bucket limits how often an endpoint allocates: chat 1.0.0 tries again without any pause when a handshake fails.
type bucket struct {
	left float64
	at   time.Time
}

func (s *Server) mayAllocate(key endpointKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[key]
	if b == nil {
		b = &bucket{left: allocBurst, at: time.Now()}
		s.buckets[key] = b
	}
	now := time.Now()
	b.left = min(allocBurst, b.left+now.Sub(b.at).Seconds()/allocEvery.Seconds())
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// forget drops sessions that nobody used, buckets that are full again and endpoints that nobody came back to.
func (s *Server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, se := range s.sessions {
		if now.After(se.until) {
			delete(s.sessions, id)
		}
	}
	for key, b := range s.buckets {
		if now.Sub(b.at) > allocBurst*allocEvery {
			delete(s.buckets, key)
		}
	}
	for key, e := range s.endpoints {
		if e.idleSince(now) > registerTTL {
			delete(s.endpoints, key)
		}
	}
}
