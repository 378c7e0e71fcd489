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
	memory    *reservation // what it keeps in memory
	entra     bool         // the caller has the Entra token instead of the access key
	key       auth.KeyID   // of the access key that the caller has
}

// reply is what a handler answers.
type reply struct {
	status   int
	location string // absolute; empty for none
	body     any    // nil for none
}

func ok(body any) (reply, error) { return reply{status: http.StatusOK, body: body}, nil }

// noBody is the reply without a body, or the error.
func noBody(status int, err error) (reply, error) { return reply{status: status}, err }

func (c *call) user() chat.Identity { return c.principal.Identity }

// What a client sends reaches handlers by decode, param, header and query alone, as UTF-8 without NUL: PostgreSQL cannot
// keep anything else in text, and engines shall not differ.

// param returns a path parameter. It is decoded here and nowhere else: chi routes on, and returns, the escaped path. What is
// no text has U+FFFD in it, so that it is an id of nothing.
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

// escapedText makes text of what was percent-encoded, which is UTF-8 (RFC 3986, 2.5).
func escapedText(raw string) string { return chat.ToText(strings.ToValidUTF8(raw, "\ufffd")) }

func (c *call) thread() chat.ThreadID   { return chat.ThreadID(c.param("thread")) }
func (c *call) identity() chat.Identity { return chat.Identity(c.param("identity")) }

func (c *call) message() (chat.MessageID, error) { return chat.ParseMessageID(c.param("message")) }

// number reads a whole number of the query, from least on; absent is the fallback.
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

// page reads maxPageSize, and makes room for so many items; more than the limit is cut to it.
func (c *call) page(limit chat.PageLimit) (int, error) {
	n, err := c.number("maxPageSize", 1, limit.Default)
	if err != nil {
		return 0, err
	}
	n = min(n, limit.Max)
	return n, c.memory.reserve(c, int64(n)*itemSize)
}

// startTime reads the time from which on to list; 0 for none.
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
