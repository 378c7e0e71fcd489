package trouter

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// Serves reports whether the path is one of this protocol.
func Serves(path string) bool {
	path = web.CleanPath(path)
	_, isAllocation := allocationPath(path)
	return path == configPath || isAllocation || strings.HasPrefix(path, handshakePath) || registrations(path)
}

const (
	configPath    = "/chat/config/realTimeNotifications"
	allocatePath  = "/v4/a"
	handshakePath = "/socket.io/1/"
)

// registrations reports whether the path is the registrar's: below the configured URL, or where older SDKs have it.
func registrations(path string) bool {
	path = strings.ToLower(strings.TrimPrefix(path, "/registrar/prod"))
	return path == "/v3/registrations" || strings.HasPrefix(path, "/v3/registrations/")
}

// ServeHTTP routes by path. All answers carry CORS headers. Other origins are refused, since browsers send websockets and simple
// requests without a preflight.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Origin")
	if _, err := s.CORS(r); err != nil {
		s.refuse(w, r, http.StatusForbidden, "origin", err)
		return
	}
	s.cors(w, r)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	path := web.CleanPath(r.URL.Path)
	start, isAllocation := allocationPath(path)
	switch {
	case path == configPath && r.Method == http.MethodGet:
		s.config(w, r)
	case isAllocation && r.Method == http.MethodPost:
		s.allocate(w, r, start)
	case path == handshakePath && r.Method == http.MethodGet:
		s.handshake(w, r)
	case strings.HasPrefix(path, handshakePath+"websocket/"):
		s.websocket(w, r, strings.TrimPrefix(path, handshakePath+"websocket/"))
	case strings.HasPrefix(path, handshakePath+"xhr-polling/"):
		s.polling(w, r, strings.TrimPrefix(path, handshakePath+"xhr-polling/"))
	case registrations(path):
		s.registrar(w, r, path)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// cors echoes the origin, which is allowed: SDKs up to 1.2.0 send credentials with the handshake, for which browsers do not accept
// "*".
func (s *Server) cors(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	h := w.Header()
	if origin == "" {
		return
	}
	web.AllowOrigin(h, origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if r.Method == http.MethodOptions {
		web.AllowPreflight(h, "GET, POST, PUT, PATCH, DELETE", "authorization, content-type, accept, x-skypetoken, x-ms-client-request-id, x-ms-useragent")
	}
}

// refuse answers without a body; the reason is for the log.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, reason string, err error) {
	s.Log.Info("realtime request refused", "method", r.Method, "step", stepOf(r.URL.Path), "status", status, "reason", reason, "error", err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", web.RetryAfter)
	}
	w.WriteHeader(status)
}

// stepOf names a path for logs, without what is secret in it: a session id or a start position.
func stepOf(path string) string {
	path = web.CleanPath(path)
	if _, ok := allocationPath(path); ok {
		return allocatePath
	}
	for _, known := range []string{handshakePath + "websocket", handshakePath + "xhr-polling"} {
		if strings.HasPrefix(path, known) {
			return known
		}
	}
	return path
}

// caller authenticates by a header that holds the token, or answers.
func (s *Server) caller(w http.ResponseWriter, r *http.Request, token string) (Caller, bool) {
	c, err := s.Authenticate(r.Context(), token)
	if err != nil {
		s.refuseToken(w, r, err)
	}
	return c, err == nil
}

// refuseToken answers a request without a valid token.
func (s *Server) refuseToken(w http.ResponseWriter, r *http.Request, err error) {
	s.refuse(w, r, statusOf(err), "token", err)
}

// statusOf is 404 for an unknown session, 401 for a token that is refused, and 503 when it cannot be checked: after three 401s in a
// row the SDK for JavaScript stops for good.
func statusOf(err error) int {
	switch chat.KindOf(err) {
	case chat.NotFound:
		return http.StatusNotFound
	case chat.Unauthorized, chat.Forbidden:
		return http.StatusUnauthorized
	default:
		return http.StatusServiceUnavailable
	}
}

func plainText(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
}

func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(writeTimeout)) // a test recorder has no deadlines
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}
