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

// requestState is what is known of a request while it is served, for the log, the metrics and the answer.
type requestState struct {
	start           time.Time
	id              string // MS-CV of the answer
	clientRequestID string // x-ms-client-request-id
	route           *route // nil where the path is unknown
	supported       string // api-supported-versions of the path
	version         Version
	user            chat.Identity
	status          int
	reason          error         // why it was refused, or what went wrong; never sent
	writeTimeout    time.Duration // for a client to take a part of the answer
}

type requestStateKey struct{}

func stateOf(r *http.Request) *requestState {
	return r.Context().Value(requestStateKey{}).(*requestState)
}

var correlationVector = regexp.MustCompile(`^[A-Za-z0-9+/]{22}(\.[0-9]+){0,8}$`)

// correlate returns the MS-CV of the answer: the caller's, one further, or a new one.
func correlate(caller string) string {
	if correlationVector.MatchString(caller) {
		return caller + ".0"
	}
	var b [16]byte
	rand.Read(b[:])
	return base64.RawStdEncoding.EncodeToString(b[:]) + ".0"
}

// Identity echoes the client's request id unasked, Chat only when asked (recordings; Azure/Communication issue 379).
func isIdentityPath(r *http.Request) bool {
	path := strings.TrimLeft(r.URL.Path, "/")
	return !strings.HasPrefix(path, "chat/")
}

// log writes the one line of a request. A refusal says why, which the client may not be told.
func (s *server) log(r *http.Request, st *requestState) {
	level := slog.LevelInfo
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

func (st *requestState) operation() string {
	if st.route == nil {
		return "none"
	}
	return st.route.operation
}
