package httpapi

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// links builds the absolute URLs in answers. Clients call them as they are, so they begin with the address by which the client
// reaches this server.
type links struct {
	base func(*http.Request) string // scheme and host, without a slash at the end
}

// thread returns the Location of a thread.
func (l links) thread(r *http.Request, id chat.ThreadID) string {
	return l.base(r) + web.ThreadPath(id)
}

// message returns the Location of a message.
func (l links) message(r *http.Request, thread chat.ThreadID, id chat.MessageID) string {
	return l.thread(r, thread) + "/messages/" + id.String()
}

// nextLink returns the URL of the next page: the path unescaped, the parameter that continues the list, startTime if the
// request had one, page size and version (recordings of all suites).
func (c *call) nextLink(path string, size int, name, value string) string {
	link := c.links.base(c.r) + path + "?" + name + "=" + url.QueryEscape(value)
	if since := c.query.Get("startTime"); since != "" {
		link += "&startTime=" + url.QueryEscape(since)
	}
	return link + "&maxPageSize=" + strconv.Itoa(size) + "&api-version=" + string(c.version)
}
