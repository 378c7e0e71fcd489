package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

// TestLogLine checks what the one line of a request holds.
func TestLogLine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	const id = "x-ms-client-request-id: 7b1f33f4-81ad"
	tests := []struct {
		name   string
		answer *answer
		want   map[string]any // nil for what must not be there
	}{
		{"success", w.alice.get(w.at("/messages?maxPageSize=1"), id), map[string]any{
			"level": "INFO", "operation": "ListMessages", "method": "GET", "path": w.at("/messages"), "status": 200.0, "api_version": newestChat,
			"user": w.alice.id, "client_request_id": "7b1f33f4-81ad", "reason": nil,
		}},
		{"older version", w.alice.at("2021-03-07").get("/chat/threads"), map[string]any{
			"operation": "ListThreads", "api_version": "2021-03-07", "client_request_id": nil,
		}},
		{"Identity", b.owner().post("/identities", ""), map[string]any{
			"operation": "CreateIdentity", "status": 201.0, "api_version": newestIdentity, "user": nil, "reason": nil,
		}},
		{"no token", b.nobody().get("/chat/threads"), map[string]any{
			"level": "INFO", "operation": "ListThreads", "status": 401.0, "user": nil, "api_version": nil, "reason": "no bearer token",
		}},
		{"bad signature", b.nobody().at(newestIdentity).post("/identities", ""), map[string]any{
			"operation": "CreateIdentity", "status": 401.0, "reason": "no Authorization header",
		}},
		{"unknown version", w.alice.at("2019-01-01").get("/chat/threads"), map[string]any{
			"operation": "ListThreads", "status": 400.0, "user": w.alice.id, "api_version": nil, "reason": "does not support the API version '2019-01-01'",
		}},
		{"scope", b.user("voip").get("/chat/threads"), map[string]any{
			"operation": "ListThreads", "status": 403.0, "reason": "token scope does not allow ListThreads",
		}},
		{"stranger", b.user().get(w.at("")), map[string]any{"operation": "GetThread", "status": 403.0, "reason": "not a participant"}},
		{"malformed thread", w.alice.get("/chat/threads/x/messages"), map[string]any{"status": 404.0, "reason": "malformed thread id"}},
		{"unknown message", w.alice.get(w.at("/messages/1")), map[string]any{"status": 404.0, "reason": "no such message"}},
		{"broken JSON", w.alice.post(w.at("/messages"), "{"), map[string]any{"status": 400.0, "reason": "The body is no JSON"}},
		{"limit", w.alice.post("/chat/threads", `{"topic":"`+strings.Repeat("x", 28*1024+1)+`"}`), map[string]any{
			"status": 400.0, "reason": "The topic has 28673 bytes, at most 28672 are allowed.",
		}},
		{"too large", w.alice.post(w.at("/messages"), `{"content":"`+strings.Repeat("x", 28*1024+1)+`"}`), map[string]any{
			"status": 413.0, "reason": "The content has 28673 bytes, at most 28672 are allowed.",
		}},
		{"content type", w.alice.post(w.at("/messages"), "x", "Content-Type: text/plain"), map[string]any{"status": 415.0, "reason": "content type"}},
		{"continuation", w.alice.get("/chat/threads?syncState=x"), map[string]any{"status": 400.0, "reason": "syncState"}},
		{"foreign identity", b.owner().delete("/identities/8:acs:x"), map[string]any{"status": 401.0, "reason": "another resource"}},
		{"unknown path", w.alice.get("/unknown"), map[string]any{"operation": "none", "status": 404.0, "api_version": nil, "reason": "no such route"}},
		{"wrong method", w.alice.do("PUT", "/chat/threads", ""), map[string]any{"operation": "none", "status": 405.0, "reason": "method"}},
	}
	for _, test := range tests {
		line := b.log.of(t, test.answer)
		for key, want := range test.want {
			got := line[key]
			if text, ok := want.(string); ok && key == "reason" {
				if s, _ := got.(string); strings.Contains(s, text) {
					continue
				}
			}
			if got != want {
				t.Errorf("%s: %s is %v, want %v", test.name, key, got, want)
			}
		}
		if took, ok := line["took"].(float64); !ok || took <= 0 {
			t.Errorf("%s: took is %v, want a time", test.name, line["took"])
		}
	}
}

// There is one line of each request, and one line only, whatever the client puts into it.
func TestOneLineOfEachRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	before := strings.Count(b.log.String(), "\n")
	answers := []*answer{
		alice.get("/chat/threads"),
		alice.get("/chat/threads/a%0ab%0d%0a%7B%7D"),
		b.nobody().get("/%0a"),
		alice.get("/chat/threads/x/messages/a%0ab"),
		alice.post("/chat/threads", "{\n\n"),
		alice.get("/chat/threads", "x-ms-client-request-id: {\"a\":\t1}"),
		alice.at("2019%0a01").get("/chat/threads/x", "MS-CV: \t"),
	}
	for _, a := range answers {
		b.log.of(t, a)
	}
	if n := strings.Count(b.log.String(), "\n") - before; n != len(answers) {
		t.Errorf("%d lines of %d requests", n, len(answers))
	}
}

// Nobody can fill the log with one request.
func TestLogLineIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	much := strings.Repeat("9", 100_000)
	for _, a := range []*answer{
		w.alice.get(w.at("/messages/" + much)),
		w.alice.get("/" + much),
		w.alice.get("/chat/threads?startTime=" + much),
		w.alice.at(much).get("/chat/threads"),
		w.alice.receipt(w.thread, much),
		w.alice.post("/chat/threads", encoded(map[string]any{"topic": "x", "participants": participants(much)})),
		w.alice.get("/chat/threads", "x-ms-client-request-id: "+much, "MS-CV: "+much),
	} {
		for line := range strings.Lines(b.log.String()) {
			if strings.Contains(line, a.header.Get("MS-CV")) && len(line) > 2000 {
				t.Errorf("%s makes a line of %d bytes", a.name()[:40], len(line))
			}
		}
	}
}

// The query is not logged: it may hold secrets.
func TestQueryIsNotLogged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.user().get("/chat/threads?code=one-time-password").is(http.StatusOK)
	b.log.of(t, a)
	if strings.Contains(b.log.String(), "one-time-password") {
		t.Error("the log holds the query")
	}
}
