package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/chatd/chatd/internal/web"
)

// answer writes what a handler returned, in the version that the request asked for.
func (s *server) answer(w http.ResponseWriter, st *requestState, re reply, memory *reservation) {
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
	re.body = nil // may be collected while the client reads
	if contentType != jsonType {
		h.Set("X-Content-Type-Options", "nosniff")
	}
	memory.resize(int64(len(body)))
	st.write(w, re.status, contentType, body)
}

// jsonType is the Content-Type of success. Errors of operations have application/json without a charset (all recordings).
const jsonType = "application/json; charset=utf-8"

// render encodes a body as a version has it.
func render(body any, version Version) (contentType string, bytes []byte) {
	switch b := body.(type) {
	case file:
		return b.contentType, b.bytes
	case jsonAppender:
		return jsonType, b.appendJSON(nil, version)
	case downgradable:
		body = b.at(version)
	}
	return jsonType, web.EncodeJSON(body)
}

// write sends the answer. Empty answers have no Content-Type (all recordings); nil keeps net/http from adding one.
func (st *requestState) write(w http.ResponseWriter, status int, contentType string, body []byte) {
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
	if err := writeParts(w, body, st.writeTimeout); err != nil && st.reason == nil { // the request itself has succeeded
		st.reason = fmt.Errorf("the client did not take its answer: %w", err)
	}
}

// writePart is how many bytes a client must take within the write timeout. Smaller answers have the write timeout of the
// http.Server, as whole requests have.
const writePart = 256 << 10

// writeParts writes a body with a new deadline for each part, so that a client may be slow but cannot stop: a large image over a
// slow connection takes minutes. With HTTP/2 each stream has its own deadline. The last part's stays until net/http
// sets one for the next request.
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

// file is a body of bytes as they are.
type file struct {
	contentType string
	bytes       []byte
}
