package httpapi

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
)

// caller sends requests to the server.
type caller struct {
	b         *bench
	id        string // of a user; empty for others
	token     string
	version   string // api-version of requests that name none themselves
	authorize func(r *http.Request, body []byte)
}

// user makes a user with a token; of scope chat when none is named.
func (b *bench) user(scopes ...auth.Scope) caller {
	b.Helper()
	return b.holder(string(must(b.ids.Create(b.Context()))(b)), scopes...)
}

// users makes n users that need no tokens.
func (b *bench) users(n int) []string {
	b.Helper()
	out := make([]string, n)
	for i := range out {
		out[i] = string(must(b.ids.Create(b.Context()))(b))
	}
	return out
}

// holder gives a user that exists a new token.
func (b *bench) holder(id string, scopes ...auth.Scope) caller {
	b.Helper()
	if len(scopes) == 0 {
		scopes = []auth.Scope{auth.ScopeChat}
	}
	token := must(b.ids.Issue(b.Context(), chat.Identity(id), scopes, 24*time.Hour, ""))(b)
	c := b.bearer(token.Value)
	c.id = id
	return c
}

// bearer is a caller of Chat with any token.
func (b *bench) bearer(token string) caller {
	b.secrets.keep(token)
	version := b.version
	if version == "" {
		version = newestChat
	}
	return caller{b: b, token: token, version: version, authorize: func(r *http.Request, _ []byte) {
		r.Header.Set("Authorization", "Bearer "+token)
	}}
}

// nobody calls without credentials.
func (b *bench) nobody() caller {
	return caller{b: b, version: newestChat, authorize: func(*http.Request, []byte) {}}
}

// owner has the access key of the resource.
func (b *bench) owner() caller { return b.ownerBy(primaryKey) }

// ownerBy has that key.
func (b *bench) ownerBy(key string) caller { return b.signer(key, b.clock.now) }

// ownerAt signs with a date.
func (b *bench) ownerAt(date time.Time) caller {
	return b.signer(primaryKey, func() chat.Time { return chat.TimeOf(date) })
}

func (b *bench) signer(key string, now func() chat.Time) caller {
	return caller{b: b, version: newestIdentity, authorize: func(r *http.Request, body []byte) {
		if err := auth.Sign(r, body, key, now().Std()); err != nil {
			b.Fatal(err)
		}
	}}
}

func (c caller) at(version string) caller {
	c.version = version
	return c
}

func (c caller) in(tb testing.TB) caller {
	c.b = c.b.in(tb)
	return c
}

func (c caller) get(target string, headers ...string) *answer {
	c.b.Helper()
	return c.do("GET", target, "", headers...)
}

func (c caller) post(target, body string, headers ...string) *answer {
	c.b.Helper()
	return c.do("POST", target, body, headers...)
}

func (c caller) patch(target, body string, headers ...string) *answer {
	c.b.Helper()
	return c.do("PATCH", target, body, append([]string{"Content-Type: application/merge-patch+json"}, headers...)...)
}

func (c caller) delete(target string, headers ...string) *answer {
	c.b.Helper()
	return c.do("DELETE", target, "", headers...)
}

// do sends a request and returns the checked answer. The caller's api-version is added to a target that names none, as
// is the scheme and host to one that begins with a slash; headers are "Name: value".
func (c caller) do(method, target, body string, headers ...string) *answer {
	c.b.Helper()
	r := c.request(method, target, body, headers...)
	return c.b.send(r)
}

// request makes a request without sending it.
func (c caller) request(method, target, body string, headers ...string) *http.Request {
	c.b.Helper()
	if c.version != "" && !strings.Contains(target, "api-version=") {
		mark := "?"
		if strings.Contains(target, "?") {
			mark = "&"
		}
		target += mark + "api-version=" + c.version
	}
	if strings.HasPrefix(target, "/") {
		target = c.b.URL + target
	}
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := must(http.NewRequestWithContext(c.b.Context(), method, target, content))(c.b)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	c.authorize(r, []byte(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Set(name, strings.TrimSpace(value))
		if strings.EqualFold(name, "Host") {
			r.Host = strings.TrimSpace(value)
		}
	}
	return r
}

// send sends a request and returns the checked answer.
func (b *bench) send(r *http.Request) *answer {
	b.Helper()
	b.secrets.sent(r.Header.Get("Authorization"))
	response := must(b.Client().Do(r))(b)
	return b.read(r, response)
}

// together sends requests at the same time and returns their checked answers.
func (b *bench) together(requests ...*http.Request) []*answer {
	b.Helper()
	responses, errs := make([]*http.Response, len(requests)), make([]error, len(requests))
	var group sync.WaitGroup
	for i, r := range requests {
		b.secrets.sent(r.Header.Get("Authorization"))
		group.Go(func() { responses[i], errs[i] = b.Client().Do(r) })
	}
	group.Wait()
	out := make([]*answer, len(requests))
	for i, r := range requests {
		out[i] = b.read(r, must(responses[i], errs[i])(b))
	}
	return out
}

// read takes an answer, and checks what all answers have in common.
func (b *bench) read(r *http.Request, response *http.Response) *answer {
	b.Helper()
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	body := must(io.ReadAll(response.Body))(b)
	a := &answer{b: b, request: r, status: response.StatusCode, header: response.Header, body: body}
	a.check()
	return a
}
