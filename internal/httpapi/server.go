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

// Config has the parts of the API. Chat, Identities, AccessKeys, Base, CORS, CursorKey and Now are required.
type Config struct {
	Chat       *chat.Service
	Identities *auth.Identities
	AccessKeys *auth.AccessKeys

	Base       func(*http.Request) string // the scheme and host by which the client reaches this server; see web.Base
	EntraToken string                     // a fixed bearer token that Identity accepts; empty for none
	CORS       web.OriginPolicy           // which web pages may call
	CursorKey  []byte                     // signs nextLinks; the same on all nodes, so that a list may continue on another

	// WriteTimeout is how long a client may take for each part of a large answer; 0 for 30 s. The write timeout of the
	// http.Server limits small answers.
	WriteTimeout time.Duration
	BodyTimeout  time.Duration // how long a client may take to send a body; 0 for 30 s

	Log     *slog.Logger
	Metrics prometheus.Registerer
	Now     func() chat.Time // for the dates of signed requests
}

// server handles the requests of both APIs.
type server struct {
	Config
	metrics metrics
	memory  memoryBudget
}

// New returns the handler of both APIs, or an error if the configuration lacks a required part.
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

// router routes the escaped path, so that an escaped slash in an id separates nothing.
func (s *server) router() http.Handler {
	r := chi.NewRouter()
	r.Use(s.observe, s.recover, s.cors, cleanPath)
	rows := map[[2]string][]*route{} // by method and pattern
	for i := range routes {
		key := [2]string{routes[i].method, routes[i].pattern}
		rows[key] = append(rows[key], &routes[i])
	}
	for key, group := range rows {
		r.Method(key[0], key[1], s.serve(group))
	}
	r.NotFound(func(w http.ResponseWriter, r *http.Request) { s.refuse(w, r, http.StatusNotFound, "no such route") })
	// A path that exists answers 405 with Allow to other methods, any other path 404.
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		status := http.StatusNotFound // for methods that the router does not know, whatever the path
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
