package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
)

// call is one request as handlers see it.
type call struct {
	context.Context
	r         *http.Request
	principal auth.Principal
	version   Version
	query     url.Values
	body      []byte
	links     links
	memory    *reservation
	entra     bool       // the caller has the Entra token
	key       auth.KeyID // of the caller's access key; empty for none
}

// reply is the answer of a handler, in the newest version.
type reply struct {
	status   int
	location string // absolute; empty for none
	body     any    // nil for none
}

// ok is the reply 200 with a body.
func ok(body any) (reply, error) { return reply{status: http.StatusOK, body: body}, nil }

// noBody is the reply without a body, unless there is an error.
func noBody(status int, err error) (reply, error) { return reply{status: status}, err }

// user is the caller of an operation of Chat.
func (c *call) user() chat.Identity { return c.principal.Identity }

// What a client sends reaches handlers only through decode, param, header and query, as UTF-8 without NUL: PostgreSQL cannot
// keep anything else in text, and engines must not differ. TestTextComesThroughTheGate reads the handlers for it.

// param returns a path parameter. It is decoded only here: chi routes by the escaped path and returns that. Bytes that are no
// UTF-8 become U+FFFD, so that the id is that of nothing.
func (c *call) param(name string) string {
	raw := chi.URLParam(c.r, name)
	if decoded, err := url.PathUnescape(raw); err == nil {
		raw = decoded
	}
	return escapedText(raw)
}

// header returns a header field of the request.
func (c *call) header(name string) string { return chat.ToText(c.r.Header.Get(name)) }

// queryOf returns the query of a request.
func queryOf(r *http.Request) url.Values {
	query := r.URL.Query()
	for _, values := range query {
		for i, v := range values {
			values[i] = escapedText(v)
		}
	}
	return query
}

// escapedText returns the text of bytes that were percent-encoded, which are meant to be UTF-8 (RFC 3986, 2.5).
func escapedText(raw string) string { return chat.ToText(strings.ToValidUTF8(raw, "\ufffd")) }

// thread, identity and message are the ids in the path; the last may be malformed.

func (c *call) thread() chat.ThreadID   { return chat.ThreadID(c.param("thread")) }
func (c *call) identity() chat.Identity { return chat.Identity(c.param("identity")) }

func (c *call) message() (chat.MessageID, error) { return chat.ParseMessageID(c.param("message")) }

// number reads a whole number from the query, at least least; fallback if there is none.
func (c *call) number(name string, least, fallback int) (int, error) {
	raw := c.query.Get(name)
	if raw == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < least {
		return 0, invalid("The query parameter %s is no number from %d on.", name, least)
	}
	return n, nil
}

// page reads maxPageSize, which is cut to the maximum (docs/fidelity.md), and reserves memory for so many items.
func (c *call) page(limit chat.PageLimit) (int, error) {
	n, err := c.number("maxPageSize", 1, limit.Default)
	if err != nil {
		return 0, err
	}
	n = min(n, limit.Max)
	return n, c.memory.reserve(c, int64(n)*itemSize)
}

// startTime reads the time from which to list; 0 for none.
func (c *call) startTime() (chat.Time, error) {
	raw := c.query.Get("startTime")
	if raw == "" {
		return 0, nil
	}
	t, err := chat.ParseTime(raw)
	if err != nil {
		return 0, invalid("The query parameter startTime is no time.")
	}
	return t, nil
}
