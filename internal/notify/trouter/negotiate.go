package trouter

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// config tells where the services are: here.
func (s *Server) config(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	if _, _, ok := s.caller(w, r, token); !ok {
		return
	}
	base := s.Base(r)
	sendJSON(w, map[string]string{"trouterServiceUrl": base, "registrarServiceUrl": base, "cloudType": "public"})
}

// allocate gives the client its connectparams, which it carries to the handshake and to later allocations. Params that are
// stale or not ours are passed over, never refused: the client would not drop them.
func (s *Server) allocate(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("X-Skypetoken")
	user, _, ok := s.caller(w, r, token)
	if !ok || s.limited(w, r, "allocation", user) {
		return
	}
	id, tags := rand.Text(), []string(nil)
	if old, err := s.readParams(r.URL.Query()); err == nil && old.user == user {
		id, tags = old.id, readTags(r.URL.Query().Get("tags"))
	}
	s.mu.Lock()
	s.grants[id] = grant{token, time.Now().Add(connectTime)}
	s.mu.Unlock()
	base := s.Base(r)
	here := base + "/v4/f/" + id + "/"
	sendJSON(w, map[string]any{
		"socketio": base + "/", "surl": here, "url": here, "curlb": base, "id": id, "ccid": id,
		"ttl":           strconv.Itoa(int(allocation.Seconds())),
		"connectparams": s.params(id, user, nextTags(tags)),
	})
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
	q := r.URL.Query()
	id := rand.Text() + rand.Text()
	s.mu.Lock()
	s.sessions[id] = &session{
		expires: expires, token: token, key: endpointKey{user, endpointID(q.Get("epid"), p.id)}, surl: "/v4/f/" + p.id + "/",
		tags: tagsOf(q), until: time.Now().Add(connectTime),
	}
	s.mu.Unlock()
	plainText(w)
	beat := strconv.Itoa(heartbeat)
	_, _ = w.Write([]byte(id + ":" + beat + ":" + beat + ":websocket,xhr-polling")) // the client may have gone
}
