package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/web"
)

// answer is what came back, already checked for what all answers have in common.
type answer struct {
	b       *bench
	request *http.Request
	status  int
	header  http.Header
	body    []byte
}

func (a *answer) name() string {
	return a.request.Method + " " + web.Shortened(a.request.URL.RequestURI(), 200)
}

// is fails the test unless the answer has the status.
func (a *answer) is(status int) *answer {
	a.b.Helper()
	if a.status != status {
		a.b.Fatalf("%s = %d %.500s, want %d", a.name(), a.status, a.body, status)
	}
	return a
}

// empty fails the test unless the answer has the status and no body.
func (a *answer) empty(status int) {
	a.b.Helper()
	if a.is(status); len(a.body) != 0 {
		a.b.Errorf("%s answers %.200q, want no body", a.name(), a.body)
	}
}

// anyReason is any text that says what is wrong, where the service's own is not known.
const anyReason = "*"

// refused fails the test unless Chat refused with the status, code and text; an empty text is none at all.
func (a *answer) refused(status int, code, message string) {
	a.b.Helper()
	inner := map[string]any{"Code": code, "Details": []any{}}
	if message == anyReason {
		message = a.is(status).reason()
	}
	if message != "" {
		inner["Message"] = message
	}
	a.is(status).same(map[string]any{"CommunicationError": inner})
}

// reason returns the text of a refusal, and fails the test where there is none.
func (a *answer) reason() string {
	a.b.Helper()
	for _, path := range []string{"CommunicationError.Message", "Error.Message", "Message", "error.message"} {
		if text := a.text(path); text != "" {
			return text
		}
	}
	a.b.Errorf("%s = %d %.500s, want a reason", a.name(), a.status, a.body)
	return ""
}

// denied fails the test unless Identity refused with the status, code, text and target; an empty target is none at all.
func (a *answer) denied(status int, code, message, target string) {
	a.b.Helper()
	if message == anyReason {
		message = a.is(status).reason()
	}
	inner := map[string]any{"code": code, "message": message}
	if target != "" {
		inner["target"] = target
	}
	a.is(status).same(map[string]any{"error": inner})
}

// notMember fails the test unless the caller was refused as a stranger to the thread (recordings of the CLI suite since
// June 2024).
func (a *answer) notMember(who caller, t thread) {
	a.b.Helper()
	a.refused(http.StatusForbidden, "Forbidden", "User "+who.id+" is not a member of the thread "+string(t))
}

func (a *answer) same(want any) {
	a.b.Helper()
	if diff := cmp.Diff(want, a.value()); diff != "" {
		a.b.Errorf("%s: body (-want +got):\n%s", a.name(), diff)
	}
}

// value returns the body as decoded JSON.
func (a *answer) value() any {
	a.b.Helper()
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.b.Fatalf("%s answers %.200q: %v", a.name(), a.body, err)
	}
	return v
}

// absent is what pick finds where nothing is.
type absent struct{}

// pick follows a path such as "value.0.content.message" or "value.*.id"; the latter gives a list.
func pick(v any, path string) any {
	name, rest, more := strings.Cut(path, ".")
	switch at := v.(type) {
	case map[string]any:
		inner, ok := at[name]
		if !ok {
			return absent{}
		}
		v = inner
	case []any:
		if name == "*" {
			out := make([]any, len(at))
			for i, inner := range at {
				if out[i] = inner; more {
					out[i] = pick(inner, rest)
				}
			}
			return out
		}
		i, err := strconv.Atoi(name)
		if err != nil || i >= len(at) {
			return absent{}
		}
		v = at[i]
	default:
		return absent{}
	}
	if more {
		return pick(v, rest)
	}
	return v
}

// holds fails the test unless the path of the body gives what is wanted: one value, or with a star in the path all of
// them.
func (a *answer) holds(path string, want ...any) *answer {
	a.b.Helper()
	var wanted any = []any{}
	switch {
	case !strings.Contains(path, "*"):
		wanted = want[0]
	case len(want) > 0:
		wanted = want
	}
	if diff := cmp.Diff(wanted, pick(a.value(), path)); diff != "" {
		a.b.Errorf("%s: %s (-want +got):\n%s", a.name(), path, diff)
	}
	return a
}

// lacks fails the test when one of the paths leads somewhere.
func (a *answer) lacks(paths ...string) *answer {
	a.b.Helper()
	for _, path := range paths {
		if got := pick(a.value(), path); got != (absent{}) {
			a.b.Errorf("%s: %s is %v, want it left out", a.name(), path, got)
		}
	}
	return a
}

// text returns a string of the body, "" where there is none.
func (a *answer) text(path string) string {
	a.b.Helper()
	s, _ := pick(a.value(), path).(string)
	return s
}

// texts returns the strings that a path with a star gives.
func (a *answer) texts(path string) []string {
	a.b.Helper()
	list, _ := pick(a.value(), path).([]any)
	out := make([]string, len(list))
	for i, v := range list {
		out[i], _ = v.(string)
	}
	return out
}

// thread is the id of a thread.
type thread string

// path returns the address of something in the thread.
func (t thread) path(rest string) string { return "/chat/threads/" + string(t) + rest }

// newThread makes a thread of the caller and others.
func (c caller) newThread(others ...string) thread {
	c.b.Helper()
	return thread(c.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "participants": participants(others...)})).
		is(http.StatusCreated).text("chatThread.id"))
}

// say sends a text message and returns its id.
func (c caller) say(t thread, text string) string {
	c.b.Helper()
	return c.post(t.path("/messages"), encoded(map[string]any{"content": text})).is(http.StatusCreated).text("id")
}

// participants are the users in the form of a request.
func participants(ids ...string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = map[string]any{"communicationIdentifier": user(id)}
	}
	return out
}

// flats are the users in the form of a request before 2021-01-27-preview4.
func flats(ids ...string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = map[string]any{"id": id}
	}
	return out
}

// user is a user in the form of requests and answers.
func user(id string) map[string]any {
	return map[string]any{"rawId": id, "communicationUser": map[string]any{"id": id}}
}

// encoded returns a value as JSON.
func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of a value written into a test
	}
	return string(b)
}

// raws are the raw ids of callers.
func raws(callers ...caller) []string {
	out := make([]string, len(callers))
	for i, c := range callers {
		out[i] = c.id
	}
	return out
}

func anys[T any](in ...T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}
