package httpapi

import (
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// requestState is what is known about a request while it is served, for the log, the metrics and the answer.
type requestState struct {
	start           time.Time
	id              string // MS-CV of the answer
	clientRequestID string // x-ms-client-request-id
	route           *route // nil where the path is unknown
	supported       string // api-supported-versions of the path
	version         Version
	user            chat.Identity
	status          int
	reason          error         // why it was refused or failed; for the log, never sent
	writeTimeout    time.Duration // for the client to take each part of the answer
}

type requestStateKey struct{}

// stateOf returns the state that observe gave to the request.
func stateOf(r *http.Request) *requestState {
	return r.Context().Value(requestStateKey{}).(*requestState)
}

// correlationVector is the form of the header MS-CV (Correlation Vector, version 2).
var correlationVector = regexp.MustCompile(`^[A-Za-z0-9+/]{22}(\.[0-9]+){0,8}$`)

// correlate returns the MS-CV of the answer: that of the request with one more element, or a new one.
func correlate(caller string) string {
	if correlationVector.MatchString(caller) {
		return caller + ".0"
	}
	var b [16]byte
	rand.Read(b[:])
	return base64.RawStdEncoding.EncodeToString(b[:]) + ".0"
}

// isIdentityPath reports whether the request is one of Identity, which returns the client's request id always; Chat returns it
// only when asked to (recordings; Azure/Communication issue 379).
func isIdentityPath(r *http.Request) bool {
	path := strings.TrimLeft(r.URL.Path, "/")
	return !strings.HasPrefix(path, "chat/")
}

// log writes the one line of a request. It tells why a request was refused, which the answer may not reveal.
func (s *server) log(r *http.Request, st *requestState) {
	level := slog.LevelInfo // refused requests too: they are the clients' faults
	if st.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !s.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", st.id),
		slog.String("operation", st.operation()),
		slog.String("method", r.Method),
		slog.String("path", web.Shortened(r.URL.Path, 300)),
		slog.Int("status", st.status),
		slog.Duration("took", time.Since(st.start)),
	}
	if st.version != "" {
		attrs = append(attrs, slog.String("api_version", string(st.version)))
	}
	if st.user != "" {
		attrs = append(attrs, slog.String("user", string(st.user)))
	}
	if st.clientRequestID != "" {
		attrs = append(attrs, slog.String("client_request_id", web.Shortened(st.clientRequestID, 100)))
	}
	if st.reason != nil {
		attrs = append(attrs, slog.String("reason", web.Shortened(st.reason.Error(), 500)))
	}
	s.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// operation returns the name of the operation for logs and metrics.
func (st *requestState) operation() string {
	if st.route == nil {
		return "none"
	}
	return st.route.operation
}
