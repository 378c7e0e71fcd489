package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// maxJSON is the size of a JSON body, in bytes. 200 participants with long names and full metadata fit in.
const maxJSON = 1 << 20

// invalid is a bad request for which the service's text is not known. The text, as for fmt.Sprintf, says what is wrong.
func invalid(message string, args ...any) error {
	return &chat.Error{Kind: chat.Invalid, Message: fmt.Sprintf(message, args...)}
}

func bodyTooLarge(limit int64) error {
	return &chat.Error{Kind: chat.TooLarge, Message: fmt.Sprintf("The body is larger than %d bytes.", limit)}
}

// errSlowBody is the error of a body that did not arrive within the body timeout.
var errSlowBody = errors.New("body did not arrive in time")

// hasBody reports whether a body follows the headers.
func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// startBodyTimeout starts the body timeout, so that a client cannot keep a request open by sending slowly.
func (s *server) startBodyTimeout(w http.ResponseWriter, r *http.Request) {
	if hasBody(r) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.BodyTimeout)) // a test recorder has no deadlines
	}
}

// readBody reads the whole body, up to limit bytes, and ends the body timeout.
func (s *server) readBody(w http.ResponseWriter, c *call, limit int64) ([]byte, error) {
	r := c.r
	if !hasBody(r) {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, bodyTooLarge(limit)
	}
	length := r.ContentLength
	if length < 0 { // chunked: any length is possible
		length = limit
	}
	if length > smallBody { // a small one is read at once, without waiting for memory
		if err := c.memory.reserve(c, length); err != nil {
			return nil, err
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err == nil && int64(len(body)) <= limit {
		// Only now: net/http reads the rest of an unfinished body after the answer, and would wait for it without a deadline.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // the body timeout
		return nil, errSlowBody
	case err != nil:
		return nil, &chat.Error{Kind: chat.Invalid, Message: "The body broke off.", Reason: err.Error()}
	case int64(len(body)) > limit:
		return nil, bodyTooLarge(limit)
	}
	return body, nil
}

// errMediaType is the error of a body whose Content-Type is not JSON.
var errMediaType = errors.New("unsupported content type")

// checkMediaType accepts JSON and its kinds, such as application/merge-patch+json, in UTF-8.
func checkMediaType(r *http.Request) error {
	raw := r.Header.Get("Content-Type")
	if raw == "" { // some clients send none, and the service reads their bodies as JSON
		return nil
	}
	kind, params, err := mime.ParseMediaType(raw)
	charset := strings.ToLower(params["charset"])
	if err != nil || (kind != "application/json" && !strings.HasSuffix(kind, "+json")) || (charset != "" && charset != "utf-8") {
		return errMediaType
	}
	return nil
}

// decodeAt reads the body of a version into the newest shape.
func decodeAt[T any](v Version, body []byte, in *T) error {
	if s, ok := any(*in).(reshaped[T]); ok {
		if older := s.oldShape(v); older != nil {
			err := decode(body, older)
			*in = older.upgrade()
			return err
		}
	}
	err := decode(body, in)
	if l, ok := any(in).(trimmed); ok {
		l.trim(v)
	}
	return err
}

// patchField is a field of a merge patch (RFC 7396), where an absent field and null have different meanings.
type patchField[T any] struct {
	Sent  bool
	Value *T // nil where null was sent
}

// UnmarshalJSON notes that the field was sent.
func (p *patchField[T]) UnmarshalJSON(raw []byte) error {
	*p = patchField[T]{Sent: true}
	return json.Unmarshal(raw, &p.Value)
}

// null reports whether the field is null, which removes what it names.
func (p patchField[T]) null() bool { return p.Sent && p.Value == nil }

// or returns the value, or a pointer to null if null was sent, or nil if the field is absent.
func (p patchField[T]) or(null T) *T {
	if p.null() {
		return &null
	}
	return p.Value
}

// decode reads a JSON object. Unknown fields are ignored, as by the service. NUL is refused: PostgreSQL cannot keep it in text,
// and engines must not differ.
func decode(body []byte, into any) error {
	body = web.WithoutBOM(body)
	if !utf8.Valid(body) {
		return invalid("The body is not UTF-8.")
	}
	if hasNUL(body) {
		return invalid("The body holds a NUL character.")
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return invalid("The body is no JSON object.")
	}
	if err := json.Unmarshal(body, into); err != nil {
		var known *chat.Error
		if errors.As(err, &known) { // of a time, whose text says which
			return known
		}
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) { // its own text names types of Go
			return invalid("The field %q cannot hold a JSON %.40s.", mistyped.Field, mistyped.Value)
		}
		return invalid("The body is no JSON: %v.", err)
	}
	return nil
}

// hasNUL finds the escape of a NUL, but not an escaped backslash before the same letters.
func hasNUL(body []byte) bool {
	for rest := body; ; {
		i := bytes.Index(rest, []byte(`\u0000`))
		if i < 0 {
			return false
		}
		slashes := 0
		for j := i - 1; j >= 0 && rest[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return true
		}
		rest = rest[i+6:]
	}
}
