package server

import (
	"net/http"
	"slices"

	"github.com/chatd/chatd/internal/notify/trouter"
)

// Route is a row of the table of all routes.
type Route struct {
	Method    string
	Path      string // with {parameters}
	Operation string // in openapi.yaml, logs and metrics
	Caller    Caller
	Body      bool // it reads a body
}

// Caller says who may call a route.
type Caller string

// Who may call.
const (
	Anyone    Caller = "anyone"
	UserToken Caller = "user token"                      // of a scope that allows the operation
	AccessKey Caller = "access key or Entra token"       // a signature, or the --entra-token
	Session   Caller = "parameters signed by POST /v4/a" // which are in the URL
)

// operationRoutes are for operators. They answer GET and HEAD, by exact path.
var operationRoutes = []Route{
	{"GET", "/healthz", "GetHealth", Anyone, false},
	{"GET", "/readyz", "GetReady", Anyone, false},
	{"GET", "/metrics", "GetMetrics", Anyone, false},
	{"GET", "/version", "GetVersion", Anyone, false},
	{"GET", "/ca.pem", "GetCA", Anyone, false},
	{"GET", "/.well-known/jwks.json", "GetSigningKeys", Anyone, false},
}

const (
	nativePath = "/realtime"
	rootPath   = "/"
)

// realtimeRoutes are those of the real-time protocols. Trouter's are matched by trouter.Serves, since SDKs write them in several
// ways: with doubled slashes, in other case, below the URLs that they are configured with.
var realtimeRoutes = []Route{
	{"GET", nativePath, "Listen", UserToken, false},
	{"GET", rootPath, "ProbeTrouter", Anyone, false},
	{"GET", "/chat/config/realTimeNotifications", "GetTrouterConfig", UserToken, false},
	{"POST", "/chat/config/realTimeNotifications/{begin}/v4/a", "AllocateTrouter", UserToken, false},
	{"POST", "/v4/a", "AllocateTrouter", UserToken, false},
	{"GET", "/socket.io/1/", "StartTrouterSession", Session, false},
	{"GET", "/socket.io/1/websocket/{session}", "ConnectTrouter", Session, false},
	{"GET", "/socket.io/1/xhr-polling/{session}", "PollTrouter", Session, false},
	{"POST", "/socket.io/1/xhr-polling/{session}", "AnswerTrouterPoll", Session, true},
	{"POST", "/v3/registrations", "RegisterTrouter", UserToken, true},
	{"DELETE", "/v3/registrations/{endpoint}", "UnregisterTrouter", UserToken, false},
	{"POST", "/registrar/prod/v3/registrations", "RegisterTrouter", UserToken, true},
	{"DELETE", "/registrar/prod/v3/registrations/{endpoint}", "UnregisterTrouter", UserToken, false},
}

// Routes is the table of all routes.
func Routes() []Route { return slices.Concat(operationRoutes, realtimeRoutes) }

// handler serves the routes of all parts; rest serves those of the REST APIs.
func (s *Server) handler(rest http.Handler) http.Handler {
	exact := map[string]http.Handler{}
	handlers := s.operations.handlers()
	for _, r := range operationRoutes {
		exact[r.Path] = readOnly(handlers[r.Operation])
	}
	exact[nativePath] = s.realtime.native
	routes := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, found := exact[r.URL.Path]
		switch {
		case found:
			h.ServeHTTP(w, r)
		case trouter.Serves(r.URL.Path):
			s.realtime.trouter.ServeHTTP(w, r)
		case r.URL.Path == rootPath && r.Method == http.MethodGet: // by which clients of Trouter test whether the host can be reached
			send(w, "text/plain", []byte("Trouter"))
		default:
			rest.ServeHTTP(w, r)
		}
	})
	if s.config.Hosts == nil {
		return routes
	}
	return hosts(s.config.Hosts).guard(s.config.Log, routes)
}

// readOnly answers GET and HEAD.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}
