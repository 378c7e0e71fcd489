package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// state is what is known of a request while it is served, for the log, the metrics and the answer.
type state struct {
	start     time.Time
	id        string // MS-CV of the answer
	client    string // x-ms-client-request-id
	row       *route // nil where the path is unknown
	supported string // api-supported-versions of the path
	version   Version
	user      chat.Identity
	status    int
	reason    error         // why it was refused, or what went wrong; never sent
	part      time.Duration // for a client to take a part of the answer
}

type stateKey struct{}

func stateOf(r *http.Request) *state { return r.Context().Value(stateKey{}).(*state) }

var correlation = regexp.MustCompile(`^[A-Za-z0-9+/]{22}(\.[0-9]+){0,8}$`)

// correlate returns the MS-CV of the answer: the caller's, one further, or a new one.
func correlate(caller string) string {
	if correlation.MatchString(caller) {
		return caller + ".0"
	}
	var b [16]byte
	rand.Read(b[:])
	return base64.RawStdEncoding.EncodeToString(b[:]) + ".0"
}

// begin numbers the request, and logs and counts it when it is over.
func (s *server) begin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st := &state{start: time.Now(), id: correlate(r.Header.Get("MS-CV")), client: r.Header.Get("x-ms-client-request-id"), part: s.WriteTimeout}
		h := w.Header()
		h.Set("MS-CV", st.id)
		if st.client != "" && (strings.EqualFold(r.Header.Get("x-ms-return-client-request-id"), "true") || isIdentity(r)) {
			h.Set("x-ms-client-request-id", st.client)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), stateKey{}, st)))
		s.log(r, st)
		s.metrics.observe(st)
	})
}

// Identity echoes the client's request id unasked, Chat only when asked (recordings; Azure/Communication issue 379).
func isIdentity(r *http.Request) bool {
	path := strings.TrimLeft(r.URL.Path, "/")
	return !strings.HasPrefix(path, "chat/")
}

// log writes the one line of a request. A refusal says why, which the client may not be told.
func (s *server) log(r *http.Request, st *state) {
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
	if st.client != "" {
		attrs = append(attrs, slog.String("client_request_id", web.Shortened(st.client, 100)))
	}
	if st.reason != nil {
		attrs = append(attrs, slog.String("reason", web.Shortened(st.reason.Error(), 500)))
	}
	s.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

func (st *state) operation() string {
	if st.row == nil {
		return "none"
	}
	return st.row.operation
}

// recover answers a request whose handling panicked; the others go on.
func (s *server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st := stateOf(r)
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
				panic(p)
			}
			s.Log.Error("request panicked", "request_id", st.id, "panic", p, "stack", string(debug.Stack()))
			if st.status == 0 {
				if st.row == nil {
					st.row = &routes[0]
				}
				s.fail(w, r, st, &chat.Error{Kind: chat.Internal, Reason: fmt.Sprint("panic: ", p)})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// cors lets web pages of the allowed origins call, on errors too: without it a page sees a network error instead of the
// answer. Preflights are answered here, for any path, since they carry no token. What another page has a browser send is
// refused here, since not all of it is preflighted.
func (s *server) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		allow, err := s.CORS(r)
		if allow != "*" {
			h.Add("Vary", "Origin")
		}
		if err != nil {
			s.refuse(w, r, http.StatusForbidden, err.Error())
			return
		}
		if allow == "" {
			next.ServeHTTP(w, r)
			return
		}
		web.AllowOrigin(h, allow)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			web.AllowPreflight(h, "GET, POST, PUT, PATCH, DELETE, OPTIONS", preflightHeaders(r))
			stateOf(r).write(w, http.StatusNoContent, "", nil)
			return
		}
		h.Set("Access-Control-Expose-Headers", "*")
		next.ServeHTTP(w, r)
	})
}

// preflightHeaders allows what is asked for, or what SDKs are known to send when the preflight names nothing.
func preflightHeaders(r *http.Request) string {
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		return asked
	}
	return "authorization, content-type, accept, accept-language, repeatability-request-id, idempotency-token, " +
		"x-ms-client-request-id, x-ms-return-client-request-id, x-ms-useragent, x-ms-date, x-ms-content-sha256, traceparent"
}

// cleanPath gives the router the path in one form: single slashes, literal colons, no slash at the end. It does so inside
// the server, since a redirect would break preflights: connection strings end in "/", and SDKs add paths that begin with
// one (azure-communication-signaling for JavaScript).
func cleanPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := web.CleanPath(r.URL.EscapedPath())
		path = strings.NewReplacer("%3A", ":", "%3a", ":").Replace(path)
		if len(path) > 1 {
			path = strings.TrimSuffix(path, "/")
		}
		if p, ok := strings.CutSuffix(path, "/readreceipts"); ok { // as it was written until 2020-09-21-preview2
			path = p + "/readReceipts"
		}
		chi.RouteContext(r.Context()).RoutePath = path
		next.ServeHTTP(w, r)
	})
}
