package server

import (
	"net/http"
	"slices"

	"github.com/chatd/chatd/internal/httpapi"
	"github.com/chatd/chatd/internal/notify/trouter"
	"github.com/chatd/chatd/internal/web"
)

// Who may call a route, beside what package httpapi has.
const (
	Anyone  = "anyone"
	Session = "client of a session" // which POST /v4/a begins for a user token, and whose signed parameters are in the URL
)

const (
	nativePath = "/realtime"
	rootPath   = "/"
)

// operationRoutes are for operators. They are served by exact path, with GET and HEAD.
var operationRoutes = []httpapi.Route{
	{Method: "GET", Pattern: "/healthz", Caller: Anyone},
	{Method: "GET", Pattern: "/readyz", Caller: Anyone},
	{Method: "GET", Pattern: "/metrics", Caller: Anyone},
	{Method: "GET", Pattern: "/version", Caller: Anyone},
	{Method: "GET", Pattern: "/ca.pem", Caller: Anyone},
	{Method: "GET", Pattern: "/.well-known/jwks.json", Caller: Anyone},
}

// realtimeRoutes are those of the real-time protocols. trouter.Serves matches Trouter's, since SDKs write them in several ways:
// with double slashes, in other case, below the URLs that they are configured with.
var realtimeRoutes = []httpapi.Route{
	{Method: "GET", Pattern: nativePath, Caller: httpapi.UserToken},
	{Method: "GET", Pattern: rootPath, Caller: Anyone},
	{Method: "GET", Pattern: "/chat/config/realTimeNotifications", Caller: httpapi.UserToken},
	{Method: "POST", Pattern: "/chat/config/realTimeNotifications/{begin}/v4/a", Caller: httpapi.UserToken},
	{Method: "POST", Pattern: "/v4/a", Caller: httpapi.UserToken},
	{Method: "GET", Pattern: "/socket.io/1/", Caller: Session},
	{Method: "GET", Pattern: "/socket.io/1/websocket/{session}", Caller: Session},
	{Method: "GET", Pattern: "/socket.io/1/xhr-polling/{session}", Caller: Session},
	{Method: "POST", Pattern: "/socket.io/1/xhr-polling/{session}", Caller: Session, Body: true},
	{Method: "POST", Pattern: "/v3/registrations", Caller: httpapi.UserToken, Body: true},
	{Method: "DELETE", Pattern: "/v3/registrations/{endpoint}", Caller: httpapi.UserToken},
	{Method: "POST", Pattern: "/registrar/prod/v3/registrations", Caller: httpapi.UserToken, Body: true},
	{Method: "DELETE", Pattern: "/registrar/prod/v3/registrations/{endpoint}", Caller: httpapi.UserToken},
}

// Routes is the table of everything that a server serves: for operators, in real time, by REST.
func Routes() []httpapi.Route {
	return slices.Concat(operationRoutes, realtimeRoutes, httpapi.Routes())
}

// handler serves the routes of all parts; rest serves those of the REST APIs.
func (s *Server) handler(rest http.Handler) http.Handler {
	exact := s.operations.handlers()
	exact[nativePath] = s.realtime.native
	routes := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, found := exact[r.URL.Path]
		switch {
		case found:
			h.ServeHTTP(w, r)
		case trouter.Serves(r.URL.Path):
			s.realtime.trouter.ServeHTTP(w, r)
		case r.URL.Path == rootPath && r.Method == http.MethodGet: // by which clients of Trouter test whether the host can be reached
			web.Send(w, "text/plain", []byte("Trouter"))
		default:
			rest.ServeHTTP(w, r)
		}
	})
	if s.config.Hosts == nil {
		return routes
	}
	return hosts(s.config.Hosts).guard(s.config.Log, routes)
}
