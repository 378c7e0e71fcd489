package trouter

import (
	"crypto/rand"
	"net/http"
	"strconv"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// config answers where the services are: here. It is the first request of a client.
func (s *Server) config(w http.ResponseWriter, r *http.Request) {
	token, _ := web.BearerToken(r)
	c, ok := s.caller(w, r, token)
	if !ok {
		return
	}
	head, err := s.Hub.Head(r.Context()) // not Position: this server may be behind what the client knows
	if err != nil {
		s.refuse(w, r, http.StatusServiceUnavailable, "journal", err)
		return
	}
	base, start := s.Base(r), s.startPosition(c.User, head, startLife)
	trouter := base
	if keepsServicePath(r.Header) {
		trouter += configPath + "/" + start
	} else {
		s.keepStartPosition(c.User, start)
	}
	w.Header().Set("Cache-Control", "no-store")
	web.SendJSON(w, struct {
		Trouter   string `json:"trouterServiceUrl"`
		Registrar string `json:"registrarServiceUrl"`
		Cloud     string `json:"cloudType"`
	}{trouter, base, "public"})
}

// allocate gives the client its connectparams, which it carries to the handshake and to later allocations. Params that are expired or
// not ours are ignored, never refused: the client would keep them. So is a start position that is.
func (s *Server) allocate(w http.ResponseWriter, r *http.Request, start string) {
	c, ok := s.caller(w, r, r.Header.Get("X-Skypetoken"))
	if !ok || s.stopped(w, r) || s.limited(w, r, "allocation", c.User) {
		return
	}
	q, id, tags := r.URL.Query(), rand.Text(), []string(nil)
	if old, err := s.readParams(q); err == nil && old.User == c.User {
		id, tags, start = old.id, readTags(q.Get("tags")), q.Get("begin")
	} else if start == "" {
		start = s.takeStartPosition(c.User)
	}
	params := s.params(id, c, nextTags(tags))
	s.addStartPositions(r.Context(), params, c.User, start)
	base := s.Base(r)
	here := base + "/v4/f/" + id + "/"
	web.SendJSON(w, map[string]any{
		"socketio": base + "/", "surl": here, "url": here, "curlb": base, "id": id, "ccid": id,
		"ttl":           strconv.Itoa(int(allocationLife.Seconds())),
		"connectparams": params,
	})
}

// handshake answers with a session id, heartbeat and close timeouts, and transports.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request) {
	p, err := s.readParams(r.URL.Query())
	if err != nil {
		s.refuse(w, r, http.StatusUnauthorized, "handshake", err)
		return
	}
	c, ok := s.handshakeCaller(w, r, p)
	if !ok || s.stopped(w, r) || s.limited(w, r, "handshake", c.User) {
		return
	}
	if c.User != p.User {
		s.refuse(w, r, http.StatusUnauthorized, "handshake with the connectparams of somebody else", nil)
		return
	}
	id := endpointID(r.URL.Query().Get("epid"), p.id)
	e, err := s.Endpoints.Endpoint(r.Context(), c.User, id)
	var start chat.Position
	if err == nil && e.Ended == e.Newest {
		start, err = s.startOf(r.Context(), &e, r.URL.Query())
	}
	if err != nil {
		s.refuse(w, r, http.StatusServiceUnavailable, "endpoint", err)
		return
	}
	se := session{
		Caller: c, Endpoint: id, Allocation: p.id, Number: e.Newest + 1, Start: start, Tags: tagsOf(r.URL.Query()),
		Until: s.Now().Add(stepLife + clockSkew),
	}
	plainText(w)
	interval := strconv.Itoa(heartbeatSeconds)
	_, _ = w.Write([]byte(s.seal(se) + ":" + interval + ":" + interval + ":websocket,xhr-polling")) // the client may have gone
}
