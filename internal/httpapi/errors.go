package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// versionError refuses an api-version. The service answers it before the API itself, with an envelope of its own.
type versionError struct{ code, message string }

// Error returns the message.
func (e *versionError) Error() string { return e.message }

// errorAnswer is the answer to a kind of error.
type errorAnswer struct {
	status  int
	code    string
	message string // unless the error has one of its own
}

// errorAnswers has the answer to each kind of error. The texts of 429, 500 and 503 come from recordings of the CLI suite and
// from examples of the specification.
var errorAnswers = map[chat.ErrorKind]errorAnswer{
	chat.Internal:     {http.StatusInternalServerError, "InternalServerError", "The server could not fulfill the request due to some unexpected failure."},
	chat.Invalid:      {http.StatusBadRequest, "BadRequest", ""},
	chat.Unauthorized: {http.StatusUnauthorized, "Unauthorized", ""},
	chat.Forbidden:    {http.StatusForbidden, "Forbidden", ""},
	chat.NotFound:     {http.StatusNotFound, "NotFound", ""},
	chat.TooLarge:     {http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", ""},
	chat.Unavailable:  {http.StatusServiceUnavailable, "ServiceUnavailable", "The server is currently unable to handle the request."},
	chat.TooMany:      {http.StatusTooManyRequests, "TooManyRequests", "Rate limit exceeded."},
}

// bindingError is an error that the service finds while it reads a request, before the operation begins: the answer does not
// list the supported versions (recordings of the Python suite).
type bindingError struct{ cause *chat.Error }

// Error returns the text of the cause.
func (e *bindingError) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *bindingError) Unwrap() error { return e.cause }

// documentedError is the envelope of the API descriptions. Identity sends it; Chat does not, see chatErrorBody.
type documentedError struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Target  string `json:"target,omitempty"`
	} `json:"error"`
}

// versioningError is the envelope of ASP.NET API versioning.
type versioningError struct {
	Error struct {
		Code       string  `json:"code"`
		Message    string  `json:"message"`
		InnerError *string `json:"innerError"`
	} `json:"error"`
}

// statusClientGone is in the log and the metrics for a client that disconnected before its answer, which is no failure of
// the server. No client sees it. The number is the one of nginx.
const statusClientGone = 499

// fail answers with an error and keeps the reason for the log. All errors of operations are answered here.
func (s *server) fail(w http.ResponseWriter, r *http.Request, st *requestState, err error) {
	st.reason = err
	var version *versionError
	var binding *bindingError
	switch {
	case errors.Is(err, errSlowBody): // the rest of the body may still come, so the connection cannot go on
		w.Header().Set("Connection", "close")
		st.write(w, http.StatusRequestTimeout, "", nil)
	case errors.Is(err, errMediaType):
		st.write(w, http.StatusUnsupportedMediaType, "", nil)
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil: // canceled by the client, not by the server
		st.write(w, statusClientGone, "", nil)
	case errors.As(err, &version):
		var body versioningError
		body.Error.Code, body.Error.Message = version.code, version.message
		w.Header().Set("api-supported-versions", st.supported)
		st.write(w, http.StatusBadRequest, jsonType, web.EncodeJSON(body))
	default:
		if !errors.As(err, &binding) {
			w.Header().Set("api-supported-versions", st.supported)
		}
		s.failOperation(w, st, err)
	}
}

// failOperation answers with an error in the envelope of its API.
func (s *server) failOperation(w http.ResponseWriter, st *requestState, err error) {
	e := &chat.Error{Kind: chat.Internal}
	errors.As(err, &e)
	out := errorAnswers[e.Kind]
	if e.Code != "" {
		out.code = e.Code
	}
	if e.Message != "" {
		out.message = e.Message
	}
	h := w.Header()
	if e.Kind == chat.Unavailable {
		h.Set("Retry-After", web.RetryAfter)
	}
	if st.route.api == identityAPI {
		if e.Kind == chat.Unauthorized && e.Code != "IdentityNotOwned" { // a refused token or key (all recordings)
			h.Del("api-supported-versions")
		}
		if out.code == "BadRequest" { // what has no code of its own is a validation error there
			out.code = "ValidationError"
		}
		st.write(w, out.status, "application/json", web.EncodeJSON(toDocumentedError(out, e.Target)))
		return
	}
	if e.Kind == chat.Unauthorized { // empty, without WWW-Authenticate (recordings of the iOS suite)
		h.Del("api-supported-versions")
		st.write(w, out.status, "", nil)
		return
	}
	if st.route.imageErrors { // as specified; no recording shows one
		st.write(w, out.status, "application/json", web.EncodeJSON(toDocumentedError(out, "")))
		return
	}
	st.write(w, out.status, "application/json", web.EncodeJSON(chatErrorBody(st.version, out.code, out.message)))
}

// toDocumentedError returns the documented envelope, which must have a message.
func toDocumentedError(out errorAnswer, target string) documentedError {
	var body documentedError
	if out.message == "" {
		out.message = "The request is invalid."
	}
	body.Error.Code, body.Error.Message, body.Error.Target = out.code, out.message, target
	return body
}

// refuse answers a request that reaches no operation, without a body. The reason is for the log.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	st := stateOf(r)
	st.reason = errors.New(reason)
	st.write(w, status, "", nil)
}
