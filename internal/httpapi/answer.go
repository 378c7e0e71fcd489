package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// outcome is how a kind of error looks in REST.
type outcome struct {
	status  int
	code    string
	message string // where the error brings none
}

// outcomes maps kinds to answers. Texts of 429, 500 and 503: recordings of the CLI suite and examples of the specification.
var outcomes = map[chat.ErrorKind]outcome{
	chat.Internal:     {http.StatusInternalServerError, "InternalServerError", "The server could not fulfill the request due to some unexpected failure."},
	chat.Invalid:      {http.StatusBadRequest, "BadRequest", ""},
	chat.Unauthorized: {http.StatusUnauthorized, "Unauthorized", ""},
	chat.Forbidden:    {http.StatusForbidden, "Forbidden", ""},
	chat.NotFound:     {http.StatusNotFound, "NotFound", ""},
	chat.TooLarge:     {http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", ""},
	chat.Unavailable:  {http.StatusServiceUnavailable, "ServiceUnavailable", "The server is currently unable to handle the request."},
	chat.TooMany:      {http.StatusTooManyRequests, "TooManyRequests", "Rate limit exceeded."},
}

// bindingError is found before the operation itself is reached; such answers do not list the supported versions
// (recordings of the Python suite).
type bindingError struct{ cause *chat.Error }

func (e *bindingError) Error() string { return e.cause.Error() }
func (e *bindingError) Unwrap() error { return e.cause }

// identityError is the documented envelope, which Identity does send.
type identityError struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Target  string `json:"target,omitempty"`
	} `json:"error"`
}

// frameworkError is the envelope of ASP.NET API versioning.
type frameworkError struct {
	Error struct {
		Code       string  `json:"code"`
		Message    string  `json:"message"`
		InnerError *string `json:"innerError"`
	} `json:"error"`
}

// answer writes what a handler returned, in the version that was asked for. What is held becomes what is written.
func (s *server) answer(w http.ResponseWriter, st *state, re reply, held *hold) {
	h := w.Header()
	h.Set("api-supported-versions", st.supported)
	if re.location != "" {
		h.Set("Location", re.location)
	}
	if re.body == nil {
		st.write(w, re.status, "", nil)
		return
	}
	contentType, body := render(re.body, st.version)
	re.body = nil // while it is written only the rendered one is needed
	if contentType != jsonType {
		h.Set("X-Content-Type-Options", "nosniff")
	}
	held.set(int64(len(body)))
	st.write(w, re.status, contentType, body)
}

const jsonType = "application/json; charset=utf-8"

// render makes the bytes of a body, as a version has it.
func render(body any, version Version) (contentType string, bytes []byte) {
	if file, ok := body.(raw); ok {
		return file.contentType, file.bytes
	}
	if v, ok := body.(versioned); ok {
		body = v.at(version)
	}
	if page, ok := body.(messagePage); ok {
		return jsonType, page.appendJSON(nil)
	}
	return jsonType, web.EncodeJSON(body)
}

// statusClientGone is for log and metrics: the client went away before its answer, which is no failure of the server. Nobody
// reads it. The number is nginx's.
const statusClientGone = 499

// fail writes the answer to an error and notes the reason for the log. It is the only writer of errors that operations
// return.
func (s *server) fail(w http.ResponseWriter, r *http.Request, st *state, err error) {
	st.reason = err
	var version *versionError
	var binding *bindingError
	switch {
	case errors.Is(err, errSlowBody):
		w.Header().Set("Connection", "close")
		st.write(w, http.StatusRequestTimeout, "", nil)
	case errors.Is(err, errMediaType):
		st.write(w, http.StatusUnsupportedMediaType, "", nil)
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		st.write(w, statusClientGone, "", nil)
	case errors.As(err, &version):
		var body frameworkError
		body.Error.Code, body.Error.Message = version.code, version.message
		w.Header().Set("api-supported-versions", st.supported)
		st.write(w, http.StatusBadRequest, "application/json; charset=utf-8", web.EncodeJSON(body))
	default:
		if !errors.As(err, &binding) {
			w.Header().Set("api-supported-versions", st.supported)
		}
		s.failWith(w, st, err)
	}
}

// failWith writes an error of the operation in the envelope of its API.
func (s *server) failWith(w http.ResponseWriter, st *state, err error) {
	e := &chat.Error{Kind: chat.Internal}
	errors.As(err, &e)
	out := outcomes[e.Kind]
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
	if st.row.api == identityAPI {
		if e.Kind == chat.Unauthorized && e.Code != "IdentityNotOwned" { // a refused token or key (all recordings)
			h.Del("api-supported-versions")
		}
		if out.code == "BadRequest" { // a kind without a code of its own is a validation error there
			out.code = "ValidationError"
		}
		st.write(w, out.status, "application/json", web.EncodeJSON(documented(out, e.Target)))
		return
	}
	if e.Kind == chat.Unauthorized { // empty, with nothing that says how to authenticate (recordings of the iOS suite)
		h.Del("api-supported-versions")
		st.write(w, out.status, "", nil)
		return
	}
	if st.row.images { // specified with the documented envelope; none is recorded
		st.write(w, out.status, "application/json", web.EncodeJSON(documented(out, "")))
		return
	}
	st.write(w, out.status, "application/json", web.EncodeJSON(envelope(st.version, out.code, out.message)))
}

func documented(out outcome, target string) identityError {
	var body identityError
	if out.message == "" {
		out.message = "The request is invalid."
	}
	body.Error.Code, body.Error.Message, body.Error.Target = out.code, out.message, target
	return body
}

// refuse answers a request that reaches no operation.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	st := stateOf(r)
	st.reason = errors.New(reason)
	st.write(w, status, "", nil)
}

// write sends the answer. Empty answers have no Content-Type (all recordings).
func (st *state) write(w http.ResponseWriter, status int, contentType string, body []byte) {
	st.status = status
	h := w.Header()
	h.Set("X-Processing-Time", strconv.FormatInt(time.Since(st.start).Milliseconds(), 10)+"ms")
	if contentType != "" {
		h.Set("Content-Type", contentType)
	} else {
		h["Content-Type"] = nil
	}
	if status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if err := writeParts(w, body, st.part); err != nil && st.reason == nil { // who has gone away needs no answer
		st.reason = fmt.Errorf("the client did not take its answer: %w", err)
	}
}

// writePart is how much a client takes in the time that it has for a part of an answer. Answers that are no larger have the time
// of the http.Server for a whole request.
const writePart = 256 << 10

// writeParts writes a body. The time ends with each part that was written, over HTTP/2 too, where it is the stream's: a client
// may be slow, but not stop. It stays as the last part set it until net/http sets it for the next request.
func writeParts(w http.ResponseWriter, body []byte, each time.Duration) error {
	control := http.NewResponseController(w)
	for len(body) > writePart {
		_ = control.SetWriteDeadline(time.Now().Add(each)) // a test recorder has no deadlines
		if _, err := w.Write(body[:writePart]); err != nil {
			return err
		}
		if body = body[writePart:]; len(body) <= writePart {
			_ = control.SetWriteDeadline(time.Now().Add(each))
		}
	}
	_, err := w.Write(body)
	return err
}
