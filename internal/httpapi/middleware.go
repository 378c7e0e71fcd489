package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// observe gives each request an id and a state, and logs and counts it at its end.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st := &requestState{start: time.Now(), id: correlate(r.Header.Get("MS-CV")), clientRequestID: r.Header.Get("x-ms-client-request-id"), writeTimeout: s.WriteTimeout}
		h := w.Header()
		h.Set("MS-CV", st.id)
		if st.clientRequestID != "" && (strings.EqualFold(r.Header.Get("x-ms-return-client-request-id"), "true") || isIdentityPath(r)) {
			h.Set("x-ms-client-request-id", st.clientRequestID)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestStateKey{}, st)))
		s.log(r, st)
		s.metrics.observe(st)
	})
}

// recover answers 500 to a request whose handler panicked, and keeps the server running.
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
			if st.status == 0 { // nothing was answered yet
				if st.route == nil { // before routing; any row of Chat gives the envelope
					st.route = &routes[0]
				}
				s.fail(w, r, st, &chat.Error{Kind: chat.Internal, Reason: fmt.Sprint("panic: ", p)})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// cors lets web pages of the allowed origins call. It answers preflights for any path, since they carry no token, and refuses
// requests of other pages, since browsers send simple requests without a preflight.
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

// preflightHeaders returns the headers that the preflight asks for, or if it names none, those that SDKs are known to send.
func preflightHeaders(r *http.Request) string {
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		return asked
	}
	return "authorization, content-type, accept, accept-language, repeatability-request-id, idempotency-token, " +
		"x-ms-client-request-id, x-ms-return-client-request-id, x-ms-useragent, x-ms-date, x-ms-content-sha256, traceparent"
}

// cleanPath gives the router each path in one form: single slashes, literal colons, no slash at the end.
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
