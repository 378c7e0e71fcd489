package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/url"
	"strconv"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// links builds the absolute addresses that answers hold. Clients call them as they are, so they must begin with the name
// by which the client reaches this server.
type links struct {
	base func(*http.Request) string // scheme and host without a slash at the end
}

// thread returns the Location of a thread.
func (l links) thread(r *http.Request, id chat.ThreadID) string {
	return l.base(r) + web.ThreadPath(id)
}

func (l links) message(r *http.Request, thread chat.ThreadID, id chat.MessageID) string {
	return l.thread(r, thread) + "/messages/" + id.String()
}

// next returns a nextLink: the path unescaped, the continuation, startTime where the request had one, page size and
// version (recordings of all suites).
func (c *call) next(path string, size int, name, value string) string {
	link := c.links.base(c.r) + path + "?" + name + "=" + url.QueryEscape(value)
	if since := c.query.Get("startTime"); since != "" {
		link += "&startTime=" + url.QueryEscape(since)
	}
	return link + "&maxPageSize=" + strconv.Itoa(size) + "&api-version=" + string(c.version)
}

// A cursor says where a page ended. It is signed together with the list and the user that it belongs to, so that it can
// not be made up or carried elsewhere. The first byte is its version. Those of the store have some 200 numbers at most.
const cursorVersion = 2

func (s *server) cursorAt(c *call, list string, at ...int64) string {
	raw := []byte{cursorVersion}
	for _, n := range at {
		raw = binary.BigEndian.AppendUint64(raw, uint64(n))
	}
	return base64.RawURLEncoding.EncodeToString(append(raw, s.sign(c, list, raw)...))
}

// cursor reads the continuation of a request: one number or more, nil when there is none.
func (s *server) cursor(c *call, list string) ([]int64, error) {
	text := c.query.Get("syncState")
	if text == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	n := (len(raw) - 1 - cursorMAC) / 8
	if err != nil || n < 1 || len(raw) != 1+8*n+cursorMAC || raw[0] != cursorVersion {
		return nil, invalid("The query parameter syncState is malformed.")
	}
	raw, mac := raw[:1+8*n], raw[1+8*n:]
	if !hmac.Equal(mac, s.sign(c, list, raw)) {
		return nil, invalid("The query parameter syncState was not made for this list.")
	}
	at := make([]int64, n)
	for i := range at {
		at[i] = int64(binary.BigEndian.Uint64(raw[1+8*i:]))
	}
	return at, nil
}

const cursorMAC = 16

func (s *server) sign(c *call, list string, raw []byte) []byte {
	mac := hmac.New(sha256.New, s.CursorKey)
	for _, part := range []string{list, string(c.user()), string(c.thread())} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	mac.Write(raw)
	return mac.Sum(nil)[:cursorMAC]
}
