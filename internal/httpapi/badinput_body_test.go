package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// misunderstood fails the test unless the answer is that of its API to a body that it cannot read. Chat says nothing
// (recorded for other bad requests); the text of Identity is chosen.
func (a *answer) misunderstood() {
	a.b.Helper()
	if strings.HasPrefix(a.request.URL.Path, "/chat/") {
		a.refused(http.StatusBadRequest, "BadRequest", anyReason)
		return
	}
	a.is(http.StatusBadRequest).holds("error.code", "ValidationError")
}

// bodied are the samples of operations that take JSON, in the versions that openapi.yaml describes.
func bodied() []sample {
	var out []sample
	for _, s := range samples {
		described := s.version() == newestChat || s.version() == newestIdentity
		if described && requestTypes[s.operation] != nil {
			out = append(out, s)
		}
	}
	return out
}

// withBody returns the sample with another body.
func (s sample) withBody(body string) sample {
	s.body = text(body)
	return s
}

func TestBodiesThatAreNoJSONObjects(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	bodies := []string{
		"{", "}", "[", "[]", "[{}]", `"text"`, "1", "true", "null", "undefined", "'a'", "{'a':1}", `{"a":1,}`, `{"a":}`, `{"a" 1}`, `{a:1}`,
		"{}{}", "{} x", "// {}", " ", "\n", "\x00", "{\x00}", "{\"a\":\"\x01\"}", `{"a":"\x"}`, `{"a":01}`, `{"a":NaN}`, "<xml/>", "a=b",
		"\xff\xfe{\x00}\x00", strings.Repeat("{", 1000),
	}
	for _, s := range bodied() {
		t.Run(s.operation, func(t *testing.T) {
			t.Parallel()
			w := *w
			w.b = b.in(t)
			for _, body := range bodies {
				s := s.withBody(body)
				s.by(&w, s.caller(&w).in(t)).misunderstood()
			}
			w.b.alive()
		})
	}
}

// A byte order mark may stand before a body: the readers of ASP.NET pass over it. The signature of Identity covers it.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, s := range samples {
		read := requestTypes[s.operation] != nil || s.operation == "UpdateParticipant" || s.method == "PATCH"
		if !read || s.method == "DELETE" || s.version() == identityOldest && s.operation == "CreateIdentity" {
			continue
		}
		t.Run(s.operation+" "+s.version(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(b.in(t))
			body := "{}"
			if s.body != nil {
				body = s.body(w)
			}
			s.withBody("\ufeff"+body).by(w, s.caller(w)).is(s.status)
			s.withBody("\ufeff\ufeff"+body).by(w, s.caller(w)).is(http.StatusBadRequest)
			s.withBody("\ufeff").by(w, s.caller(w)).is(http.StatusBadRequest)
		})
	}
}

func TestMissingBodies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for _, s := range bodied() {
		a := s.withBody("").by(w, s.caller(w))
		switch s.operation {
		case "SendTyping", "CreateIdentity": // need none
			a.is(s.status)
		default:
			a.misunderstood()
		}
	}
	b.alive()
}

func TestMissingFields(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for operation, want := range map[string]struct {
		status  int
		message string
	}{
		"CreateThread":       {400, "The thread has no topic."},
		"SendMessage":        {400, "The message has no content."},
		"AddParticipants":    {400, "The participants are missing."},
		"RemoveParticipant":  {400, "Identifier format is invalid ()."},
		"SendReadReceipt":    {400, "Value for MessageId () is not valid."},
		"IssueToken":         {400, "Scopes: The Scopes field is required."},
		"ExchangeTeamsToken": {400, "AppId: The AppId field is required."},
		"UpdateThread":       {204, ""},
		"UpdateMessage":      {204, ""},
		"SendTyping":         {200, ""},
		"CreateIdentity":     {201, ""},
	} {
		for _, s := range bodied() {
			if s.operation != operation {
				continue
			}
			a := s.withBody("{}").by(w, s.caller(w)).is(want.status)
			if want.status != http.StatusBadRequest {
				continue
			}
			if got := a.text("CommunicationError.Message") + a.text("error.message"); got != want.message {
				t.Errorf("%s: %q, want %q", operation, got, want.message)
			}
		}
	}
	b.alive()
}

func TestUnknownFieldsAreAccepted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, s := range bodied() {
		w := newWorld(b)
		body := "{}"
		if s.body != nil {
			body = s.body(w)
		}
		more := `{"":0,"$type":"x","unknown":{"deep":[1,2,{"er":null}]},"kind":true,"number":1e999,`
		if body == "{}" {
			more = strings.TrimSuffix(more, ",")
		}
		s.withBody(more+body[1:]).by(w, s.caller(w)).is(s.status)
	}
	b.alive()
}

// What a field may not be, by what it is.
var wrongTypes = map[string][]string{
	"text":   {`1`, `true`, `{}`, `[]`, `["x"]`},
	"number": {`"60"`, `1.5`, `1e400`, `true`, `[]`, `{}`, `99999999999999999999`},
	"list":   {`1`, `"x"`, `true`, `{}`},
	"object": {`1`, `"x"`, `true`, `[]`},
	"map":    {`1`, `"x"`, `true`, `[]`, `{"a":1}`, `{"a":{}}`, `{"a":[]}`, `{"a":true}`},
	"flag":   {`1`, `"true"`, `[]`, `{}`},
	"time": {
		`1`, `true`, `{}`, `[]`, `""`, `"yesterday"`, `"2022-13-45T00:00:00Z"`, `"2022-02-30T00:00:00Z"`, `"12:00"`, `"1647345600"`,
		`"2022-01-01T25:00:00Z"`, `"10000-01-01T00:00:00Z"`, `"2022-01-01T00:00:00Z Z"`, `"\u0032022"`,
	},
}

// fields are those that requests may have: where in the body, around what, of which kind.
var fields = []struct{ operation, name, around, kind string }{
	{"CreateThread", "topic", `{"topic":%s}`, "text"},
	{"CreateThread", "participants", `{"topic":"x","participants":%s}`, "list"},
	{"CreateThread", "participant", `{"topic":"x","participants":[%s]}`, "object"},
	{"CreateThread", "identifier", `{"topic":"x","participants":[{"communicationIdentifier":%s}]}`, "object"},
	{"CreateThread", "displayName", `{"topic":"x","participants":[{"communicationIdentifier":{"rawId":"4:+1"},"displayName":%s}]}`, "text"},
	{"CreateThread", "shareHistoryTime", `{"topic":"x","participants":[{"communicationIdentifier":{"rawId":"4:+1"},"shareHistoryTime":%s}]}`, "time"},
	{"CreateThread", "participant metadata", `{"topic":"x","participants":[{"communicationIdentifier":{"rawId":"4:+1"},"metadata":%s}]}`, "map"},
	{"CreateThread", "metadata", `{"topic":"x","metadata":%s}`, "map"},
	{"CreateThread", "retentionPolicy", `{"topic":"x","retentionPolicy":%s}`, "object"},
	{"CreateThread", "kind", `{"topic":"x","retentionPolicy":{"kind":%s,"deleteThreadAfterDays":30}}`, "text"},
	{"CreateThread", "days", `{"topic":"x","retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":%s}}`, "number"},
	{"UpdateThread", "topic", `{"topic":%s}`, "text"},
	{"UpdateThread", "metadata", `{"metadata":%s}`, "map"},
	{"UpdateThread", "retentionPolicy", `{"retentionPolicy":%s}`, "object"},
	{"SendMessage", "content", `{"content":%s}`, "text"},
	{"SendMessage", "senderDisplayName", `{"content":"x","senderDisplayName":%s}`, "text"},
	{"SendMessage", "type", `{"content":"x","type":%s}`, "text"},
	{"SendMessage", "metadata", `{"content":"x","metadata":%s}`, "map"},
	{"UpdateMessage", "content", `{"content":%s}`, "text"},
	{"UpdateMessage", "metadata", `{"metadata":%s}`, "map"},
	{"AddParticipants", "participants", `{"participants":%s}`, "list"},
	{"AddParticipants", "shareHistoryTime", `{"participants":[{"communicationIdentifier":{"rawId":"4:+1"},"shareHistoryTime":%s}]}`, "time"},
	{"RemoveParticipant", "rawId", `{"rawId":%s}`, "text"},
	{"RemoveParticipant", "communicationUser", `{"communicationUser":%s}`, "object"},
	{"RemoveParticipant", "id", `{"communicationUser":{"id":%s}}`, "text"},
	{"RemoveParticipant", "phoneNumber", `{"phoneNumber":{"value":%s}}`, "text"},
	{"RemoveParticipant", "isAnonymous", `{"microsoftTeamsUser":{"userId":"x","isAnonymous":%s}}`, "flag"},
	{"RemoveParticipant", "cloud", `{"microsoftTeamsApp":{"appId":"x","cloud":%s}}`, "text"},
	{"SendReadReceipt", "chatMessageId", `{"chatMessageId":%s}`, "text"},
	{"SendTyping", "senderDisplayName", `{"senderDisplayName":%s}`, "text"},
	{"CreateIdentity", "scopes", `{"createTokenWithScopes":%s}`, "list"},
	{"CreateIdentity", "scope", `{"createTokenWithScopes":[%s]}`, "text"},
	{"CreateIdentity", "expiresInMinutes", `{"createTokenWithScopes":["chat"],"expiresInMinutes":%s}`, "number"},
	{"IssueToken", "scopes", `{"scopes":%s}`, "list"},
	{"IssueToken", "scope", `{"scopes":[%s]}`, "text"},
	{"IssueToken", "expiresInMinutes", `{"scopes":["chat"],"expiresInMinutes":%s}`, "number"},
	{"ExchangeTeamsToken", "token", `{"token":%s,"appId":"x","userId":"x"}`, "text"},
	{"ExchangeTeamsToken", "appId", `{"token":"x","appId":%s,"userId":"x"}`, "text"},
	{"ExchangeTeamsToken", "userId", `{"token":"x","appId":"x","userId":%s}`, "text"},
}

func TestWrongTypes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	samples := map[string]sample{}
	for _, s := range bodied() {
		samples[s.operation] = s
	}
	for _, f := range fields {
		t.Run(f.operation+" "+f.name, func(t *testing.T) {
			t.Parallel()
			w := *w
			w.b = b.in(t)
			s := samples[f.operation]
			for _, value := range wrongTypes[f.kind] {
				body := fmt.Sprintf(f.around, value)
				a := s.withBody(body).by(&w, s.caller(&w).in(t))
				if a.status != http.StatusBadRequest {
					t.Errorf("%s = %d %s, want 400", body, a.status, a.body)
					continue
				}
				a.misunderstood()
			}
			w.alice.in(t).get(w.at("")).holds("topic", "lunch")
			w.alice.in(t).get(w.said()).holds("content.message", "hello").lacks("editedOn")
		})
	}
}

// A NUL is refused wherever it stands, since not all stores can keep it; the six letters that escape one are not.
func TestNUL(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for _, body := range []string{
		`{"content":"\u0000"}`, `{"content":"a\u0000b"}`, `{"content":"\\\u0000"}`, `{"content":"x","senderDisplayName":"\u0000"}`,
		`{"content":"x","metadata":{"a":"\u0000"}}`, `{"content":"x","metadata":{"\u0000":"a"}}`, `{"content":"x","unknown":"\u0000"}`,
		"{\"content\":\"a\x00b\"}",
	} {
		w.alice.post(w.at("/messages"), body).refused(http.StatusBadRequest, "BadRequest", anyReason)
	}
	w.alice.post("/chat/threads", `{"topic":"\u0000"}`).refused(http.StatusBadRequest, "BadRequest", anyReason)
	w.alice.patch(w.at(""), `{"topic":"\u0000"}`).refused(http.StatusBadRequest, "BadRequest", anyReason)
	b.owner().post("/identities/"+w.bob.id+"/:issueAccessToken", `{"scopes":["\u0000"]}`).is(http.StatusBadRequest)

	for body, want := range map[string]string{
		`{"content":"\\u0000"}`:            `\u0000`,
		`{"content":"\\\\u0000"}`:          `\\u0000`,
		`{"content":"\\u0000 and \u0001"}`: "\\u0000 and \x01",
	} {
		id := w.alice.post(w.at("/messages"), body).is(http.StatusCreated).text("id")
		w.alice.get(w.at("/messages/"+id)).holds("content.message", want)
	}
	b.alive()
}

func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for _, text := range []string{"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf5\x80\x80\x80"} {
		w.alice.post(w.at("/messages"), `{"content":"`+text+`"}`).refused(http.StatusBadRequest, "BadRequest", anyReason)
		w.alice.post(w.at("/messages"), `{"content":"x","`+text+`":1}`).refused(http.StatusBadRequest, "BadRequest", anyReason)
		b.owner().post("/identities", `{"x":"`+text+`"}`).denied(http.StatusBadRequest, "ValidationError", anyReason, "")
	}
	// Half of a surrogate pair is no character, though its escape is JSON.
	id := w.alice.post(w.at("/messages"), `{"content":"a\ud800b"}`).is(http.StatusCreated).text("id")
	w.alice.get(w.at("/messages/"+id)).holds("content.message", "a\ufffdb")
	b.alive()
}

func TestDeepNesting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	nested := func(depth int) string {
		return `{"content":"x","unknown":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}"
	}
	w.alice.post(w.at("/messages"), nested(1000)).is(http.StatusCreated)
	for _, body := range []string{nested(500_000), `{"content":` + strings.Repeat(`{"a":`, 200_000), `{"unknown":` + strings.Repeat("[", 1_000_000)} {
		w.alice.post(w.at("/messages"), body).refused(http.StatusBadRequest, "BadRequest", anyReason)
		b.owner().post("/identities", body).denied(http.StatusBadRequest, "ValidationError", anyReason, "")
	}
	b.alive()
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	accepted := []string{
		"", "application/json", "application/json; charset=utf-8", `application/json;charset="UTF-8"`, "Application/JSON",
		"application/merge-patch+json", "application/merge-patch+json; charset=utf-8",
	}
	refused := []string{
		"text/plain", "text/html", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
		"application/octet-stream", "application/jsonp", "json", ";;", "application/json; charset=utf-16", "application/json; charset=iso-8859-1",
		"application/json; charset", "*/*",
	}
	for _, s := range bodied() {
		t.Run(s.operation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(b.in(t))
			if s.body == nil {
				s = s.withBody("{}")
			}
			for _, kind := range refused {
				s.by(w, s.caller(w), "Content-Type: "+kind).empty(http.StatusUnsupportedMediaType)
			}
			for _, kind := range accepted {
				w := w.renewed()
				r := s.request(w, s.caller(w), "Content-Type: "+kind)
				if kind == "" {
					r.Header.Del("Content-Type")
				}
				w.b.send(r).is(s.status)
			}
		})
	}
}

// Where no body is needed its type does not matter.
func TestContentTypeOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	w.alice.post(w.at("/typing"), "", "Content-Type: text/plain").empty(http.StatusOK)
	w.alice.get(w.at(""), "Content-Type: text/plain").is(http.StatusOK)
	w.b.owner().post("/identities/"+w.bob.id+"/:revokeAccessTokens", "", "Content-Type: application/octet-stream").empty(http.StatusNoContent)
}
