package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// Config is what the API is made of. Chat, Identities, AccessKeys, Base, CORS, CursorKey and Now are required.
type Config struct {
	Chat       *chat.Service
	Identities *auth.Identities
	AccessKeys *auth.AccessKeys

	Base         func(*http.Request) string // by which scheme and host a client reaches this server; see web.Base
	EntraToken   string                     // a static bearer that the Identity API accepts; empty for none
	CORS         web.OriginPolicy           // which web pages may call
	CursorKey    []byte                     // signs continuation tokens
	WriteTimeout time.Duration              // for a client to take a part of a large answer; 0 for 30 s. That for a whole request is the http.Server's
	BodyTimeout  time.Duration              // for a client to send a whole body; 0 for 30 s

	Log     *slog.Logger
	Metrics prometheus.Registerer
	Now     func() chat.Time
}

type server struct {
	Config
	metrics metrics
	memory  memoryBudget
}

// New returns the handler of both APIs. It refuses a configuration that lacks a required part.
func New(c Config) (http.Handler, error) {
	if c.Chat == nil || c.Identities == nil || c.AccessKeys == nil || c.Base == nil || c.CORS == nil || len(c.CursorKey) == 0 || c.Now == nil {
		return nil, errors.New("httpapi: incomplete configuration")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.BodyTimeout == 0 {
		c.BodyTimeout = 30 * time.Second
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = 30 * time.Second
	}
	s := &server{Config: c, memory: memoryBudget{by: map[string]int64{}}}
	var err error
	if s.metrics, err = newMetrics(c.Metrics); err != nil {
		return nil, err
	}
	return s.router(), nil
}

func (s *server) router() http.Handler {
	r := chi.NewRouter()
	r.Use(s.observe, s.recover, s.cors, cleanPath)
	rows := map[[2]string][]*route{} // by method and pattern: versions may have rows of their own
	for i := range routes {
		key := [2]string{routes[i].method, routes[i].pattern}
		rows[key] = append(rows[key], &routes[i])
	}
	for key, group := range rows {
		r.Method(key[0], key[1], s.serve(group))
	}
	r.NotFound(func(w http.ResponseWriter, r *http.Request) { s.refuse(w, r, http.StatusNotFound, "no such route") })
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		status := http.StatusNotFound // methods that the router has never heard of come here from any path
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			if r.Match(chi.NewRouteContext(), method, chi.RouteContext(req.Context()).RoutePath) {
				w.Header().Add("Allow", method)
				status = http.StatusMethodNotAllowed
			}
		}
		s.refuse(w, req, status, "no such route, or not with this method")
	})
	return r
}
