package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/chatd/chatd/internal/web"
)

// answer writes what a handler returned, in the version that was asked for. What is held becomes what is written.
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
	re.body = nil // while it is written only the rendered one is needed
	if contentType != jsonType {
		h.Set("X-Content-Type-Options", "nosniff")
	}
	memory.resize(int64(len(body)))
	st.write(w, re.status, contentType, body)
}

const jsonType = "application/json; charset=utf-8"

// render makes the bytes of a body, as a version has it.
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

// write sends the answer. Empty answers have no Content-Type (all recordings).
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
	if err := writeParts(w, body, st.writeTimeout); err != nil && st.reason == nil { // who has gone away needs no answer
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

// file is a body that is not JSON.
type file struct {
	contentType string
	bytes       []byte
}
