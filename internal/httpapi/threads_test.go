package httpapi

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

func TestCreateThread(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	a := alice.post("/chat/threads", encoded(map[string]any{
		"topic": "lunch", "participants": participants(bob.id), "metadata": map[string]any{"team": "blue"},
		"retentionPolicy": map[string]any{"kind": "threadCreationDate", "deleteThreadAfterDays": 40},
	})).is(http.StatusCreated)

	id := a.text("chatThread.id")
	a.same(map[string]any{"chatThread": map[string]any{
		"id": id, "topic": "lunch", "createdOn": b.clock.stamp(), "createdByCommunicationIdentifier": user(alice.id),
		"metadata":        map[string]any{"team": "blue"},
		"retentionPolicy": map[string]any{"kind": "threadCreationDate", "deleteThreadAfterDays": 40.0},
	}})
	location := b.URL + "/chat/threads/" + strings.ReplaceAll(id, ":", "%3A")
	if got := a.header.Get("Location"); got != location {
		t.Errorf("Location is %q, want %q", got, location)
	}
	alice.get(location).is(http.StatusOK).holds("id", id)
	bob.get(location).is(http.StatusOK).holds("topic", "lunch")
}

// A new thread has two system messages, which nobody sent (102 recorded lists); the first user message is the third.
func TestNewThreadBeginsWithSystemMessages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	th := alice.newThread(bob.id)
	alice.say(th, "hello")

	messages := bob.get(th.path("/messages")).is(http.StatusOK)
	messages.holds("value.*.sequenceId", "3", "2", "1")
	messages.holds("value.*.type", "text", "topicUpdated", "participantAdded")
	messages.holds("value.1.content", map[string]any{"topic": "lunch", "initiatorCommunicationIdentifier": user(alice.id)})
	messages.holds("value.2.content", map[string]any{
		"participants": []any{
			map[string]any{"communicationIdentifier": user(alice.id), "shareHistoryTime": "1970-01-01T00:00:00Z"},
			map[string]any{"communicationIdentifier": user(bob.id), "shareHistoryTime": "1970-01-01T00:00:00Z"},
		},
		"initiatorCommunicationIdentifier": user(alice.id),
	})
	for _, i := range []string{"1", "2"} {
		messages.lacks("value."+i+".senderDisplayName", "value."+i+".senderCommunicationIdentifier", "value."+i+".metadata")
	}
	ids := messages.texts("value.*.id")
	if ids[0] <= ids[1] || ids[1] <= ids[2] {
		t.Errorf("ids newest first are %v, want each its own and falling", ids)
	}
}

// Recorded by the CLI suite: with no participants the first message lists the caller alone.
func TestCreateThreadForOneself(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, list := range map[string]string{"absent": "", "null": `,"participants":null`, "empty": `,"participants":[]`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alice := b.in(t).user()
			th := thread(alice.post("/chat/threads", `{"topic":"notes"`+list+`}`).is(http.StatusCreated).text("chatThread.id"))
			alice.get(th.path("/messages")).holds("value.1.content.participants.*.communicationIdentifier.rawId", alice.id)
			alice.get(th.path("/participants")).holds("value.*.communicationIdentifier.rawId", alice.id)
		})
	}
}

func TestCreatorNamedAmongTheParticipants(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	th := thread(alice.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "participants": []any{
		map[string]any{"communicationIdentifier": user(bob.id), "displayName": "Bob"},
		map[string]any{"communicationIdentifier": user(alice.id), "displayName": "Alice"},
	}})).is(http.StatusCreated).text("chatThread.id"))
	bob.get(th.path("/participants")).holds("value.*.displayName", "Alice", "Bob")
}

func TestThreadIDs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	tests := []struct{ name, header, form string }{
		{"without a token, 32 hexadecimal digits (Java and Android suites)", "x-none: 1", `^19:[0-9a-f]{32}@thread\.v2$`},
		{"with one, a hash (CLI suite of 2025)", "repeatability-request-id: contoso-1", `^19:acsV1_[A-Za-z0-9_-]{43}1@thread\.v2$`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			id := alice.in(t).post("/chat/threads", `{"topic":"lunch"}`, test.header).is(http.StatusCreated).text("chatThread.id")
			if !regexp.MustCompile(test.form).MatchString(id) {
				t.Errorf("id is %q, want %s", id, test.form)
			}
		})
	}
}

// Recorded by the suites of Java, Python and Android (canRepeatCreateThread).
func TestRepeatedCreate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	const body, token = `{"topic":"lunch"}`, "repeatability-request-id: 7b1f33f4"
	first := alice.post("/chat/threads", body, token).is(http.StatusCreated)

	b.clock.advance(time.Minute)
	tests := []struct {
		name, body, token string
		who               caller
		same              bool
	}{
		{"the same", body, token, alice, true},
		{"header in capitals", body, "Repeatability-Request-ID: 7b1f33f4", alice, true},
		{"header of the fifth preview", body, "idempotency-token: 7b1f33f4", alice, true},
		{"other body", `{"topic":"dinner"}`, token, alice, true},
		{"other token", body, "repeatability-request-id: 7b1f33f5", alice, false},
		{"no token", body, "x-none: 1", alice, false},
		{"other user", body, token, bob, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := test.who.in(t).post("/chat/threads", test.body, test.token).is(http.StatusCreated)
			if same := a.text("chatThread.id") == first.text("chatThread.id"); same != test.same {
				t.Fatalf("same thread: %t, want %t", same, test.same)
			}
			if test.same {
				a.same(first.value())
				if got, want := a.header.Get("Location"), first.header.Get("Location"); got != want {
					t.Errorf("Location is %q, want %q", got, want)
				}
			}
		})
	}
}

// A repetition also answers who could not be added the first time.
func TestRepeatedCreateAnswersInvalidParticipantsAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	body := encoded(map[string]any{"topic": "lunch", "participants": participants("8:orgid:10a1d2f9-4f3e-4e0b-8d3a-2b9a1c0d4e5f")})
	first := alice.post("/chat/threads", body, "repeatability-request-id: once").is(http.StatusCreated)
	first.holds("invalidParticipants.*.code", "403")
	alice.post("/chat/threads", body, "repeatability-request-id: once").is(http.StatusCreated).same(first.value())
}

func TestConcurrentCreatesWithOneToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	var requests []*http.Request
	for i := range 16 {
		body := encoded(map[string]any{"topic": fmt.Sprint("attempt ", i), "participants": participants(bob.id)})
		requests = append(requests, alice.request("POST", "/chat/threads", body, "repeatability-request-id: once"))
	}
	answers := b.together(requests...)
	for _, a := range answers {
		a.is(http.StatusCreated).same(answers[0].value())
	}
	th := thread(answers[0].text("chatThread.id"))
	alice.get("/chat/threads").holds("value.*.id", string(th))
	alice.get(th.path("/messages")).holds("value.*.sequenceId", "2", "1")
	alice.get(th.path("/participants")).holds("value.*.communicationIdentifier.rawId", alice.id, bob.id)
}

func TestGetThread(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, stranger := b.user(), b.user()
	th := alice.newThread()
	alice.get(th.path("")).is(http.StatusOK).same(map[string]any{
		"id": string(th), "topic": "lunch", "createdOn": b.clock.stamp(), "createdByCommunicationIdentifier": user(alice.id),
	})
	stranger.get(th.path("")).notMember(stranger, th)
	for _, id := range []string{"19:00000000000000000000000000000000@thread.v2", "invalid_chat_thread_id"} {
		alice.get("/chat/threads/"+id).refused(http.StatusNotFound, "NotFound", "The specified thread id was not found.")
	}
}

func TestUpdateThread(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tests := []struct {
		name, patch string
		want        map[string]any // fields after the update; nil for one that must be absent
		messages    int            // system messages after it
	}{
		{"nothing", `{}`, map[string]any{"topic": "lunch"}, 2},
		{"nulls", `{"topic":null,"metadata":null,"retentionPolicy":null}`, map[string]any{
			"topic": "lunch", "metadata": nil, "retentionPolicy": map[string]any{"kind": "none"},
		}, 2},
		{"topic", `{"topic":"dinner"}`, map[string]any{"topic": "dinner"}, 3},
		{"the present topic", `{"topic":"lunch"}`, map[string]any{"topic": "lunch"}, 2},
		{"another key", `{"metadata":{"size":"4"}}`, map[string]any{"metadata": map[string]any{"team": "blue", "size": "4"}}, 2},
		{"the same key", `{"metadata":{"team":"red"}}`, map[string]any{"metadata": map[string]any{"team": "red"}}, 2},
		{"removed key", `{"metadata":{"team":"","size":"4"}}`, map[string]any{"metadata": map[string]any{"size": "4"}}, 2},
		{"key of null", `{"metadata":{"team":null,"size":"4"}}`, map[string]any{"metadata": map[string]any{"size": "4"}}, 2},
		{"last key", `{"metadata":{"team":""}}`, map[string]any{"metadata": nil}, 2},
		{"unknown key removed", `{"metadata":{"size":""}}`, map[string]any{"metadata": map[string]any{"team": "blue"}}, 2},
		{"retention", `{"retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":60}}`, map[string]any{
			"retentionPolicy": map[string]any{"kind": "threadCreationDate", "deleteThreadAfterDays": 60.0}, "topic": "lunch",
		}, 2},
		{"no retention", `{"retentionPolicy":{"kind":"none"}}`, map[string]any{"retentionPolicy": map[string]any{"kind": "none"}}, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			alice := b.in(t).user()
			th := thread(alice.post("/chat/threads", `{"topic":"lunch","metadata":{"team":"blue"}}`).text("chatThread.id"))
			alice.patch(th.path(""), test.patch).empty(http.StatusNoContent)
			after := alice.get(th.path("")).is(http.StatusOK)
			for field, want := range test.want {
				if want == nil {
					after.lacks(field)
					continue
				}
				after.holds(field, want)
			}
			list := alice.get(th.path("/messages"))
			if got := len(list.texts("value.*.id")); got != test.messages {
				t.Errorf("%d messages after the update, want %d", got, test.messages)
			}
			if test.messages > 2 {
				list.holds("value.0.type", "topicUpdated").holds("value.0.content.topic", "dinner")
			}
		})
	}
}

// There is no owner: whoever takes part may change and delete (concepts page of ACS Chat).
func TestAnyParticipantMayUpdateAndDelete(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob, stranger := b.user(), b.user(), b.user()
	th := alice.newThread(bob.id)
	stranger.patch(th.path(""), `{"topic":"mine"}`).notMember(stranger, th)
	stranger.delete(th.path("")).notMember(stranger, th)
	bob.patch(th.path(""), `{"topic":"ours"}`).empty(http.StatusNoContent)
	alice.get(th.path("/messages")).holds("value.0.content.initiatorCommunicationIdentifier.rawId", bob.id)
	bob.delete(th.path("")).empty(http.StatusNoContent)
	alice.get(th.path("")).refused(http.StatusNotFound, "NotFound", "The specified thread id was not found.")
}

func TestDeletedThread(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w, left := newWorld(b), b.user()
	w.alice.post(w.at("/participants/:add"), encoded(map[string]any{"participants": participants(left.id)})).is(http.StatusCreated)
	w.alice.post(w.at("/participants/:remove"), encoded(user(left.id))).empty(http.StatusNoContent)
	before := b.clock.stamp()
	b.clock.advance(time.Minute)
	w.alice.delete(w.at("")).empty(http.StatusNoContent)

	for _, s := range samples {
		if !s.ofChat() || s.path == "/chat/threads" || s.version() != newestChat {
			continue
		}
		message := ""
		switch s.operation {
		case "GetThread":
			message = "The specified thread id was not found."
		case "DeleteThread":
			continue // may be repeated
		}
		s.by(w, w.alice).refused(http.StatusNotFound, "NotFound", message)
	}
	// Deleting it again is answered as the first time to those who could do so (recordings of the Python suite,
	// 2020-11-01-preview3 and 2021-09-07); others do not learn that it was there.
	deleted := b.clock.stamp()
	b.clock.advance(time.Minute)
	for _, who := range []caller{w.alice, w.bob} {
		who.delete(w.at("")).empty(http.StatusNoContent)
	}
	for _, who := range []caller{left, b.user()} {
		who.delete(w.at("")).refused(http.StatusNotFound, "NotFound", "")
	}
	w.alice.delete("/chat/threads/19:00000000000000000000000000000000@thread.v2").refused(http.StatusNotFound, "NotFound", "")

	// It lingers in the lists (84 + 52 + 20 items in recordings of the JavaScript suite).
	w.bob.get("/chat/threads").same(map[string]any{"value": []any{map[string]any{
		"id": string(w.thread), "topic": "lunch", "deletedOn": deleted, "lastMessageReceivedOn": before,
	}}})

	b.clock.advance(31 * day)
	w.alice = b.holder(w.alice.id)
	if err := b.chat.Sweep(t.Context(), 30*day); err != nil {
		t.Fatal(err)
	}
	b.holder(w.bob.id).get("/chat/threads").holds("value.*.id")
	w.alice.delete(w.at("")).refused(http.StatusNotFound, "NotFound", "")
}

func TestRetentionDeletesTheThread(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	create := func(policy string) thread {
		return thread(alice.post("/chat/threads", `{"topic":"lunch","retentionPolicy":`+policy+`}`).is(http.StatusCreated).text("chatThread.id"))
	}
	thirty := create(`{"kind":"threadCreationDate","deleteThreadAfterDays":30}`)
	none := create(`{"kind":"none"}`)
	changed := create(`{"kind":"threadCreationDate","deleteThreadAfterDays":30}`)
	alice.patch(changed.path(""), `{"retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":90}}`).empty(http.StatusNoContent)
	sweep := func(after time.Duration) map[thread]int {
		b.clock.set(moment)
		b.clock.advance(after)
		if err := b.chat.Sweep(t.Context(), 30*day); err != nil {
			t.Fatal(err)
		}
		out, later := map[thread]int{}, b.holder(alice.id)
		for _, th := range []thread{thirty, none, changed} {
			out[th] = later.get(th.path("")).status
		}
		return out
	}
	for _, test := range []struct {
		after                 time.Duration
		thirty, none, changed int
	}{
		{30*day - time.Millisecond, 200, 200, 200},
		{30 * day, 404, 200, 200},
		{90 * day, 404, 200, 404},
	} {
		want := map[thread]int{thirty: test.thirty, none: test.none, changed: test.changed}
		if diff := cmp.Diff(want, sweep(test.after)); diff != "" {
			t.Errorf("GET of thread after %s (-want +got):\n%s", test.after, diff)
		}
	}
}

func TestListThreadsLatestFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	var threads []thread
	var stamps []string
	for range 3 {
		b.clock.advance(time.Minute)
		threads = append(threads, alice.newThread(bob.id))
		stamps = append(stamps, b.clock.stamp())
	}
	alice.newThread() // is not bob's
	bob.get("/chat/threads").is(http.StatusOK).
		holds("value.*.id", string(threads[2]), string(threads[1]), string(threads[0])).
		holds("value.*.lastMessageReceivedOn", stamps[2], stamps[1], stamps[0])

	b.clock.advance(time.Minute)
	alice.say(threads[0], "hello")
	bob.get("/chat/threads").holds("value.*.id", string(threads[0]), string(threads[2]), string(threads[1]))
	bob.get("/chat/threads?startTime="+stamps[2]).holds("value.*.id", string(threads[0]), string(threads[2]))
	bob.get("/chat/threads?startTime=" + b.clock.now().Std().Add(time.Second).Format(time.RFC3339)).holds("value.*.id")
}
