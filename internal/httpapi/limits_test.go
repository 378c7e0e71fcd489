package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Limits: service-limits and concepts pages of ACS. What is answered beyond them is known for participants only
// (Azure/Communication issue 379); the rest is chosen, see docs/fidelity.md.

func TestParticipantsPerCall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	many := b.users(201)
	body := func(ids []string) string {
		return encoded(map[string]any{"topic": "lunch", "participants": participants(ids...)})
	}
	alice.post("/chat/threads", body(many)).refused(http.StatusBadRequest, "BadRequest", "") // seen in the issue
	alice.get("/chat/threads").holds("value.*.id")
	created := alice.post("/chat/threads", body(many[:200])).is(http.StatusCreated).lacks("invalidParticipants")
	th := thread(created.text("chatThread.id"))
	if got := len(alice.get(th.path("/participants?skip=100")).texts("value.*.displayName")); got != 100 {
		t.Errorf("%d participants after the first hundred, want 100", got)
	}

	th = alice.newThread()
	add := th.path("/participants/:add")
	alice.post(add, body(many)).refused(http.StatusBadRequest, "BadRequest", anyReason)
	alice.get(th.path("/participants")).holds("value.*.communicationIdentifier.rawId", alice.id)
	alice.post(add, body(many[:200])).is(http.StatusCreated).same(map[string]any{})
	alice.get(th.path("/participants?skip=200")).holds("value.*.communicationIdentifier.rawId", many[199])
}

func TestParticipantsPerThread(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	many := b.users(250)
	th := alice.newThread(many[:199]...)
	add := func(ids ...string) *answer {
		return alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": participants(ids...)}))
	}
	add(many[199:248]...).is(http.StatusCreated) // 249 with alice
	add(many[248:]...).refused(http.StatusBadRequest, "BadRequest", anyReason)
	alice.get(th.path("/participants?skip=248")).holds("value.*.communicationIdentifier.rawId", many[247])
	add(many[248]).is(http.StatusCreated)
	add(many[249]).refused(http.StatusBadRequest, "BadRequest", anyReason)
	add(many[:200]...).is(http.StatusCreated) // who is there already adds nothing
	alice.post(th.path("/participants/:remove"), encoded(user(many[0]))).empty(http.StatusNoContent)
	add(many[249]).is(http.StatusCreated)
	alice.get(th.path("/participants?skip=248")).holds("value.*.communicationIdentifier.rawId", many[248], many[249])
}

func TestMessageSize(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	const most = 28 * 1024
	for name, test := range map[string]struct {
		content string
		fits    bool
	}{
		"exactly":            {strings.Repeat("x", most), true},
		"one more":           {strings.Repeat("x", most+1), false},
		"in bytes, exactly":  {strings.Repeat("é", most/2), true},
		"in bytes, one more": {strings.Repeat("é", most/2) + "x", false},
		"escapes count once": {strings.Repeat("\n", most), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alice := alice.in(t)
			body := encoded(map[string]any{"content": test.content})
			sent := alice.post(th.path("/messages"), body)
			id := alice.say(th, "short")
			edited := alice.patch(th.path("/messages/"+id), body)
			if !test.fits {
				sent.refused(http.StatusRequestEntityTooLarge, "MessageSizeTooBig", anyReason)
				edited.refused(http.StatusRequestEntityTooLarge, "MessageSizeTooBig", anyReason)
				alice.get(th.path("/messages/"+id)).holds("content.message", "short")
				return
			}
			edited.empty(http.StatusNoContent)
			for _, id := range []string{sent.is(http.StatusCreated).text("id"), id} {
				alice.get(th.path("/messages/"+id)).holds("content.message", test.content)
			}
		})
	}
}

// Names and values count together, in bytes.
func TestMetadataSize(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bob := b.users(1)[0]
	for name, test := range map[string]struct {
		metadata map[string]any
		fits     bool
	}{
		"1024 in one value":       {map[string]any{"key": strings.Repeat("v", 1021)}, true},
		"1025 in one value":       {map[string]any{"key": strings.Repeat("v", 1022)}, false},
		"1024 in one name":        {map[string]any{strings.Repeat("k", 1023): "v"}, true},
		"1025 in one name":        {map[string]any{strings.Repeat("k", 1024): "v"}, false},
		"1024 in several":         {map[string]any{"a": strings.Repeat("v", 511), "b": strings.Repeat("v", 511)}, true},
		"1025 in several":         {map[string]any{"a": strings.Repeat("v", 511), "b": strings.Repeat("v", 512)}, false},
		"1025 bytes, fewer runes": {map[string]any{"a": strings.Repeat("é", 512)}, false},
		"none":                    {map[string]any{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alice := b.in(t).user()
			th := alice.newThread()
			message := alice.say(th, "hello")
			participant := map[string]any{"communicationIdentifier": user(bob), "metadata": test.metadata}
			for _, a := range []*answer{
				alice.post(th.path("/messages"), encoded(map[string]any{"content": "hello", "metadata": test.metadata})),
				alice.patch(th.path("/messages/"+message), encoded(map[string]any{"metadata": test.metadata})),
				alice.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "metadata": test.metadata})),
				alice.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "participants": []any{participant}})),
				alice.patch(th.path(""), encoded(map[string]any{"metadata": test.metadata})),
				alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": []any{participant}})),
			} {
				if !test.fits {
					a.refused(http.StatusBadRequest, "BadRequest", anyReason)
				} else if a.status >= 300 {
					t.Errorf("%s = %d %s, want success", a.name(), a.status, a.body)
				}
			}
		})
	}
}

// What counts is the metadata after it was merged.
func TestMetadataSizeAfterMerging(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	half := strings.Repeat("v", 511)
	th := thread(alice.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "metadata": map[string]any{"a": half, "b": half}})).
		is(http.StatusCreated).text("chatThread.id"))
	id := alice.post(th.path("/messages"), encoded(map[string]any{"content": "hello", "metadata": map[string]any{"a": half, "b": half}})).text("id")
	for _, path := range []string{th.path(""), th.path("/messages/" + id)} {
		alice.patch(path, `{"metadata":{"c":""}}`).empty(http.StatusNoContent)
		alice.patch(path, `{"metadata":{"c":"1"}}`).refused(http.StatusBadRequest, "BadRequest", anyReason)
		alice.get(path).holds("metadata", map[string]any{"a": half, "b": half})
		alice.patch(path, `{"metadata":{"a":"","c":"1"}}`).empty(http.StatusNoContent)
		alice.get(path).holds("metadata", map[string]any{"b": half, "c": "1"})
	}
}

func TestSizesOfNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	bob := b.users(1)[0]
	for _, test := range []struct {
		name string
		most int
		send func(value string) *answer
	}{
		{"topic", 28 * 1024, func(v string) *answer { return alice.post("/chat/threads", encoded(map[string]any{"topic": v})) }},
		{"new topic", 28 * 1024, func(v string) *answer { return alice.patch(th.path(""), encoded(map[string]any{"topic": v})) }},
		{"sender", 1024, func(v string) *answer {
			return alice.post(th.path("/messages"), encoded(map[string]any{"content": "hello", "senderDisplayName": v}))
		}},
		{"typing", 1024, func(v string) *answer {
			return alice.post(th.path("/typing"), encoded(map[string]any{"senderDisplayName": v}))
		}},
		{"participant", 1024, func(v string) *answer {
			list := []any{map[string]any{"communicationIdentifier": user(bob), "displayName": v}}
			return alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": list}))
		}},
		{"idempotency token", 1024, func(v string) *answer {
			return alice.post("/chat/threads", `{"topic":"lunch"}`, "repeatability-request-id: "+v)
		}},
	} {
		test.send(strings.Repeat("x", test.most+1)).refused(http.StatusBadRequest, "BadRequest", anyReason)
		if a := test.send(strings.Repeat("x", test.most)); a.status >= 300 {
			t.Errorf("%s of %d bytes: %d, want success", test.name, test.most, a.status)
		}
	}
}

// A policy lasts from 30 to 90 days (concepts and service-limits pages).
func TestRetentionDays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	days := func(n int) string { return fmt.Sprintf(`{"kind":"threadCreationDate","deleteThreadAfterDays":%d}`, n) }
	for _, test := range []struct {
		name, policy string
		want         any // what is answered; nil for a refusal
	}{
		{"29", days(29), nil},
		{"30", days(30), map[string]any{"kind": "threadCreationDate", "deleteThreadAfterDays": 30.0}},
		{"90", days(90), map[string]any{"kind": "threadCreationDate", "deleteThreadAfterDays": 90.0}},
		{"91", days(91), nil},
		{"0", days(0), nil},
		{"-30", days(-30), nil},
		{"no days", `{"kind":"threadCreationDate"}`, nil},
		{"none", `{"kind":"none"}`, map[string]any{"kind": "none"}},
		{"none with days", `{"kind":"none","deleteThreadAfterDays":29}`, map[string]any{"kind": "none"}},
		{"unknown kind", `{"kind":"lastMessageDate","deleteThreadAfterDays":30}`, nil},
		{"other case", `{"kind":"None"}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			alice := b.in(t).user()
			th := alice.newThread()
			created := alice.post("/chat/threads", `{"topic":"lunch","retentionPolicy":`+test.policy+`}`)
			updated := alice.patch(th.path(""), `{"retentionPolicy":`+test.policy+`}`)
			if test.want == nil {
				created.refused(http.StatusBadRequest, "BadRequest", anyReason)
				updated.refused(http.StatusBadRequest, "BadRequest", anyReason)
				alice.get(th.path("")).lacks("retentionPolicy")
				return
			}
			created.is(http.StatusCreated).holds("chatThread.retentionPolicy", test.want)
			updated.empty(http.StatusNoContent)
			alice.get(th.path("")).holds("retentionPolicy", test.want)
		})
	}
}
