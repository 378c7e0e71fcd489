package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// brokenStore is a store of which something is wrong from some time on.
type brokenStore struct {
	chat.Store
	fault atomic.Pointer[func() error]
}

func (s *brokenStore) layer(below chat.Store) chat.Store {
	s.Store = below
	return s
}

func (s *brokenStore) fail(fault func() error) { s.fault.Store(&fault) }

// Access fails.
func (s *brokenStore) Access(ctx context.Context, id chat.ThreadID, user chat.Identity) (chat.Access, error) {
	if fault := s.fault.Load(); fault != nil {
		return chat.Access{}, (*fault)()
	}
	return s.Store.Access(ctx, id, user)
}

const internalText = "The server could not fulfill the request due to some unexpected failure."

// Texts: recordings of the CLI suite for 500, examples of the specification for 503. What happened is in the log, and the
// client learns nothing of it.
func TestFailingStore(t *testing.T) {
	t.Parallel()
	secret := errors.New("disk /var/lib/chatd is full")
	tests := []struct {
		name    string
		fault   func() error
		status  int
		code    string
		message string
		logged  string
	}{
		{"unknown error", func() error { return secret }, 500, "InternalServerError", internalText, "disk /var/lib/chatd is full"},
		{
			"failing store", func() error { return &chat.Error{Kind: chat.Internal, Reason: "store", Cause: secret} },
			500, "InternalServerError", internalText, "disk /var/lib/chatd is full",
		},
		{"panic", func() error { panic(secret) }, 500, "InternalServerError", internalText, "panic: disk /var/lib/chatd is full"},
		{
			"unavailable", func() error { return &chat.Error{Kind: chat.Unavailable, Reason: "closed", Cause: secret} },
			503, "ServiceUnavailable", "The server is currently unable to handle the request.", "disk /var/lib/chatd is full",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var s brokenStore
			b := newBench(t, withStore(s.layer))
			w := newWorld(b)
			s.fail(test.fault)
			a := w.alice.get(w.at(""))
			a.refused(test.status, test.code, test.message)
			if got := a.header.Get("Retry-After"); (got == "3") != (test.status == http.StatusServiceUnavailable) || got != "3" && got != "" {
				t.Errorf("Retry-After is %q", got)
			}
			line := b.log.of(t, a)
			if line["level"] != "ERROR" || !strings.Contains(line["reason"].(string), test.logged) {
				t.Errorf("the log has %v, want the cause as an error", line)
			}
			b.alive()
		})
	}
}

// A panic leaves its stack in the log, under the id that the client has.
func TestPanicIsLogged(t *testing.T) {
	t.Parallel()
	var s brokenStore
	b := newBench(t, withStore(s.layer))
	w := newWorld(b)
	s.fail(func() error { panic("boom") })
	a := w.alice.get(w.at("")).is(http.StatusInternalServerError)
	line := b.log.find(t, "request panicked")
	if line["request_id"] != a.header.Get("MS-CV") || line["panic"] != "boom" || !strings.Contains(line["stack"].(string), "brokenStore).Access") {
		t.Errorf("the log has %v, want the panic with its stack", line)
	}
}

// http.ErrAbortHandler asks net/http to break the connection off; nothing is answered and nothing logged as a defect.
func TestAbortedHandler(t *testing.T) {
	t.Parallel()
	var s brokenStore
	b := newBench(t, withStore(s.layer))
	w := newWorld(b)
	s.fail(func() error { panic(http.ErrAbortHandler) })
	if response, err := b.Client().Do(w.alice.request("GET", w.at(""), "")); err == nil {
		response.Body.Close()
		t.Errorf("answered %d, want the connection broken off", response.StatusCode)
	}
	if strings.Contains(b.log.String(), "request panicked") {
		t.Error("the log has a panic")
	}
	b.alive()
}

// brokenUsers is a store of users that fails.
type brokenUsers struct{ auth.UserStore }

// AddUser fails.
func (brokenUsers) AddUser(context.Context, auth.User) error {
	return &chat.Error{Kind: chat.Internal, Reason: "store", Cause: errors.New("disk is full")}
}

// User fails.
func (brokenUsers) User(context.Context, chat.Identity) (auth.User, error) {
	return auth.User{}, &chat.Error{Kind: chat.Unavailable, Reason: "the store is closed"}
}

func TestFailingUserStore(t *testing.T) {
	t.Parallel()
	var token string
	b := newBench(t, func(s *setup) { s.Identities = auth.NewIdentities(resource, s.keys, brokenUsers{}, s.clock.now) })
	id := b.users(1)[0] // by the store that does not fail
	token = b.holder(id).token

	b.owner().post("/identities", "").denied(http.StatusInternalServerError, "InternalServerError", internalText, "")
	a := b.owner().post("/identities/"+id+"/:issueAccessToken", `{"scopes":["chat"]}`)
	a.denied(http.StatusServiceUnavailable, "ServiceUnavailable", "The server is currently unable to handle the request.", "")
	if got := a.header.Get("Retry-After"); got != "3" {
		t.Errorf("Retry-After is %q", got)
	}
	// That the store cannot be asked about a user does not make the token a bad one.
	b.bearer(token).get("/chat/threads").refused(http.StatusServiceUnavailable, "ServiceUnavailable", "The server is currently unable to handle the request.")
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	w.alice.get("/chat/threads").is(http.StatusOK)
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	w.alice.post("/chat/threads", `{"topic":"late"}`).refused(http.StatusServiceUnavailable, "ServiceUnavailable", "The server is currently unable to handle the request.")
}

func TestConfigLacksSomething(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	good := func() Config {
		return Config{
			Chat: b.chat, Identities: b.ids, CursorKey: []byte(cursorKey), Now: b.clock.now,
			AccessKeys: must(auth.NewAccessKeys([]string{primaryKey}, nil))(t), Base: web.Base("", nil, nil), CORS: pagesOf(),
		}
	}
	if _, err := New(good()); err != nil {
		t.Errorf("New without what is optional: %v", err)
	}
	for name, spoil := range map[string]func(*Config){
		"Chat":       func(c *Config) { c.Chat = nil },
		"Identities": func(c *Config) { c.Identities = nil },
		"AccessKeys": func(c *Config) { c.AccessKeys = nil },
		"Base":       func(c *Config) { c.Base = nil },
		"CORS":       func(c *Config) { c.CORS = nil },
		"CursorKey":  func(c *Config) { c.CursorKey = nil },
		"Now":        func(c *Config) { c.Now = nil },
	} {
		c := good()
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("New without %s succeeds", name)
		}
	}
	c := good()
	c.Log, c.Metrics = slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	if _, err := New(c); err != nil {
		t.Errorf("New: %v", err)
	}
	if _, err := New(c); err == nil {
		t.Error("New with metrics that are registered already succeeds")
	}
}

// TestReasons has the text that clients get where the service's text is not known, and where they get none since the service
// says nothing there: see docs/fidelity.md.
func TestReasons(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	many := encoded(map[string]any{"topic": "lunch", "participants": participants(slices.Repeat([]string{w.bob.id}, 249)...)})
	images := w.alice.at(chatImages)
	for _, test := range []struct {
		answer  *answer
		status  int
		message string
	}{
		{w.alice.post("/chat/threads", many), 400, ""}, // Azure/Communication issue 379
		{w.alice.post(w.at("/participants/:add"), many), 400, "The call has 249 participants, at most 200 are allowed."},
		{w.alice.post("/chat/threads", `{}`), 400, "The thread has no topic."},
		{w.alice.post("/chat/threads", `{"topic":"x","retentionPolicy":{}}`), 400, "The retentionPolicy has no kind."},
		{w.alice.post("/chat/threads", `{"topic":"x","retentionPolicy":{"kind":"never"}}`), 400, `The kind of retention policy "never" is not known.`},
		{w.alice.patch(w.at(""), `{"topic":""}`), 400, "The topic is empty."},
		{w.alice.patch(w.at(""), `{"retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":91}}`), 400, "deleteThreadAfterDays is 91, want 30 to 90."},
		{w.alice.post(w.at("/messages"), `{"content":"x","type":"`+strings.Repeat("y", 100)+`"}`), 400, `Messages of type "` + strings.Repeat("y", 40) + `" cannot be sent.`},
		{w.alice.post(w.at("/messages"), `{"content":1.5}`), 400, `The field "content" cannot hold a JSON number.`},
		{w.alice.patch(w.at(""), `{"metadata":{"a":1}}`), 400, `The field "metadata" cannot hold a JSON number.`},
		{w.alice.patch(w.at(""), `{"retentionPolicy":{"kind":[]}}`), 400, `The field "retentionPolicy.kind" cannot hold a JSON array.`},
		{w.alice.post(w.at("/messages"), `{"content":"x",}`), 400, "The body is no JSON: invalid character '}' looking for beginning of object key string."},
		{w.alice.post(w.at("/messages"), `[]`), 400, "The body is no JSON object."},
		{w.alice.post(w.at("/messages"), ``), 400, "The body is missing."},
		{w.alice.post(w.at("/participants/:add"), `{"participants":[{"shareHistoryTime":"yesterday"}]}`), 400, `"yesterday" is no time.`},
		{w.alice.get(w.at("/messages?startTime=x")), 400, "The query parameter startTime is no time."},
		{w.alice.get(w.at("/messages?maxPageSize=0")), 400, "The query parameter maxPageSize is no number from 1 on."},
		{w.bob.patch(w.said(), `{"content":"x"}`), 403, "The message was sent by somebody else."},
		{w.bob.at(chatImages).delete(w.at("/images/" + images.upload(w.thread))), 403, "The image was uploaded by somebody else."},
		{b.user("voip").post("/chat/threads", `{"topic":"x"}`), 403, ""}, // azure-sdk-for-js issue 24499
		{w.alice.get(w.at("/messages/1")), 404, ""},                      // nobody learns what is hidden from them
		{w.alice.get("/chat/threads/x/participants"), 404, ""},           // recordings of the CLI suite
		{b.owner().post("/identities", `{"createTokenWithScopes":"chat"}`), 400, `The field "createTokenWithScopes" cannot hold a JSON string.`},
	} {
		got := ""
		if test.answer.is(test.status); test.message != "" {
			got = test.answer.reason()
		} else {
			test.answer.lacks("CommunicationError.Message")
		}
		if got != test.message {
			t.Errorf("%s = %d %q, want %q", test.answer.name(), test.status, got, test.message)
		}
	}
}
