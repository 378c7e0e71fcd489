package web

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// RetryAfter is how many seconds a client waits after a 503 before it tries again. SDKs try three times more (azure-core of
// all languages), and a database takes some seconds to fail over, so with a second they would give up too early.
const RetryAfter = "3"

// EncodeJSON returns a value as JSON on one line, without a line feed. Unlike json.Marshal it leaves <, > and & as they are,
// as the service does. It panics on a value that has no JSON, which is a defect of the type.
func EncodeJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("web: a value cannot be encoded: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// SendJSON answers 200 with a value as JSON and a line feed.
func SendJSON(w http.ResponseWriter, v any) { Send(w, "application/json", append(EncodeJSON(v), '\n')) }

// Send answers 200 with a body. A client that has gone away is no error.
func Send(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body)
}
