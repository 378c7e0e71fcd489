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
)

// maxJSON bounds a JSON body, in bytes: 200 participants with full names and metadata fit in.
const maxJSON = 1 << 20

// invalid is a bad request of which the service's text is not known: the client is told what is wrong.
func invalid(message string, args ...any) error {
	return &chat.Error{Kind: chat.Invalid, Message: fmt.Sprintf(message, args...)}
}

func bodyTooLarge(limit int64) error {
	return &chat.Error{Kind: chat.TooLarge, Message: fmt.Sprintf("The body is larger than %d bytes.", limit)}
}

// errSlowBody is answered to a client that began a body and did not finish it in time.
var errSlowBody = errors.New("body did not arrive in time")

func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// limitReading gives the body of a request its time.
func (s *server) limitReading(w http.ResponseWriter, r *http.Request) {
	if hasBody(r) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.BodyTimeout)) // a test recorder has no deadlines
	}
}

// readBody reads the whole body, and ends its time with it.
func (s *server) readBody(w http.ResponseWriter, c *call, limit int64) ([]byte, error) {
	r := c.r
	if !hasBody(r) {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, bodyTooLarge(limit)
	}
	length := r.ContentLength
	if length < 0 { // it is not said
		length = limit
	}
	if length > smallBody {
		if err := c.held.grow(c, length); err != nil {
			return nil, err
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err == nil && int64(len(body)) <= limit {
		// Not before the end: net/http reads on after the answer, and would wait for the rest for ever.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errSlowBody
	case err != nil:
		return nil, &chat.Error{Kind: chat.Invalid, Message: "The body broke off.", Reason: err.Error()}
	case int64(len(body)) > limit:
		return nil, bodyTooLarge(limit)
	}
	return body, nil
}

// errMediaType is answered to a body that does not claim to be JSON.
var errMediaType = errors.New("unsupported content type")

func checkMediaType(r *http.Request) error {
	raw := r.Header.Get("Content-Type")
	if raw == "" { // some clients send none, the service reads the body as JSON
		return nil
	}
	kind, params, err := mime.ParseMediaType(raw)
	charset := strings.ToLower(params["charset"])
	if err != nil || (kind != "application/json" && !strings.HasSuffix(kind, "+json")) || (charset != "" && charset != "utf-8") {
		return errMediaType
	}
	return nil
}

// decodeAt reads a body as the version has it.
func decodeAt[T any](v Version, body []byte, in *T) error {
	if s, ok := any(*in).(shaped[T]); ok {
		if older := s.shape(v); older != nil {
			err := decode(body, older)
			*in = older.lift()
			return err
		}
	}
	err := decode(body, in)
	if l, ok := any(in).(limited); ok {
		l.limit(v)
	}
	return err
}

// patched is a field of a merge patch (RFC 7396), which tells a field that is absent from one that is null.
type patched[T any] struct {
	Sent  bool
	Value *T // nil where null was sent
}

func (p *patched[T]) UnmarshalJSON(raw []byte) error {
	*p = patched[T]{Sent: true}
	return json.Unmarshal(raw, &p.Value)
}

// null reports whether the field is to be taken away.
func (p patched[T]) null() bool { return p.Sent && p.Value == nil }

// or returns the value where there is one, what null stands for where that was sent, and nil for an absent field.
func (p patched[T]) or(null T) *T {
	if p.null() {
		return &null
	}
	return p.Value
}

// decode reads a JSON object. Unknown fields are passed over, as the service does. NUL is refused: PostgreSQL cannot keep
// it in text, and engines shall not differ.
func decode(body []byte, into any) error {
	body = chat.WithoutBOM(body)
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
		if errors.As(err, &known) {
			return known
		}
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) { // its own text speaks of types of Go
			return invalid("The field %q cannot hold a JSON %.40s.", mistyped.Field, mistyped.Value)
		}
		return invalid("The body is no JSON: %v.", err)
	}
	return nil
}

// hasNUL finds the escape of a NUL, not a backslash followed by the same letters.
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
