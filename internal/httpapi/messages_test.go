package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSendMessage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tests := []struct {
		name, body string
		want       map[string]any // what differs from the fields that all have
	}{
		{"text by default", `{"content":"hello"}`, map[string]any{"type": "text"}},
		{"text", `{"content":"hello","type":"text","senderDisplayName":"Alice"}`, map[string]any{"type": "text", "senderDisplayName": "Alice"}},
		{"html", `{"content":"hello","type":"html"}`, map[string]any{"type": "html"}},
		{"metadata", `{"content":"hello","metadata":{"tags":"a","empty":""}}`, map[string]any{
			"type": "text", "metadata": map[string]any{"tags": "a"},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			alice, bob := b.user(), b.user()
			th := alice.newThread(bob.id)
			a := alice.post(th.path("/messages"), test.body).is(http.StatusCreated)
			id := a.text("id")
			a.same(map[string]any{"id": id})
			location := b.URL + "/chat/threads/" + strings.ReplaceAll(string(th), ":", "%3A") + "/messages/" + id
			if got := a.header.Get("Location"); got != location {
				t.Errorf("Location is %q, want %q", got, location)
			}
			want := map[string]any{
				"id": id, "version": id, "sequenceId": "3", "createdOn": b.clock.stamp(), "senderCommunicationIdentifier": user(alice.id),
				"content": map[string]any{"message": "hello", "attachments": []any{}},
			}
			for field, value := range test.want {
				want[field] = value
			}
			bob.get(location).is(http.StatusOK).same(want)
		})
	}
}

func TestContentIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	for _, kind := range []string{"text", "html"} {
		for _, content := range []string{
			`<div>Test html message</div>`, `<script>alert("1")</script> & "quotes" 'too' \ back`, "line\nbreak\ttab\r\n", " ", "Grüße, 世界 👋🏽",
			"\u2028 \u2029 \u0001 \u007f \uFEFF", `\u0000 written out`, strings.Repeat("long ", 1000),
		} {
			id := alice.post(th.path("/messages"), encoded(map[string]any{"content": content, "type": kind})).is(http.StatusCreated).text("id")
			alice.get(th.path("/messages/"+id)).holds("content.message", content).holds("type", kind)
		}
	}
}

func TestSendMessageRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	for name, body := range map[string]string{
		"no content":     `{"senderDisplayName":"Alice"}`,
		"null content":   `{"content":null}`,
		"empty content":  `{"content":""}`,
		"unknown type":   `{"content":"hello","type":"video"}`,
		"type of system": `{"content":"hello","type":"topicUpdated"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alice.in(t).post(th.path("/messages"), body).refused(http.StatusBadRequest, "BadRequest", anyReason)
		})
	}
}

// Ids are the milliseconds of arrival; those of one millisecond are told apart all the same.
func TestMessageIDs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	b.clock.advance(time.Second)
	var requests []*http.Request
	for range 20 {
		requests = append(requests, alice.request("POST", th.path("/messages"), `{"content":"hello"}`))
	}
	var ids []string
	for _, a := range b.together(requests...) {
		ids = append(ids, a.is(http.StatusCreated).text("id"))
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 20 {
		t.Errorf("%d different ids of 20 messages: %v", n, ids)
	}
	if first := "1742466031456"; ids[0] != first {
		t.Errorf("first id is %s, want the millisecond of its arrival, %s", ids[0], first)
	}
	sequence := alice.get(th.path("/messages")).texts("value.*.sequenceId")
	if len(sequence) != 22 || sequence[0] != "22" || sequence[21] != "1" {
		t.Errorf("sequence ids are %v, want 22 down to 1", sequence)
	}
}

func TestUpdateMessage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	sent := b.clock.stamp()
	ids := map[string]string{}
	th := alice.newThread()
	tests := []struct {
		name, patch, content string
		metadata             map[string]any
		edited               bool
	}{
		{"nothing", `{}`, "hello", map[string]any{"key": "1", "tags": "a"}, false}, // recorded by the CLI suite
		{"null content", `{"content":null}`, "hello", map[string]any{"key": "1", "tags": "a"}, false},
		{"null metadata", `{"metadata":null}`, "hello", nil, true},
		{"content", `{"content":"hey"}`, "hey", map[string]any{"key": "1", "tags": "a"}, true},
		{"metadata", `{"metadata":{"key":"2","more":"3"}}`, "hello", map[string]any{"key": "2", "tags": "a", "more": "3"}, true},
		{"removed key", `{"metadata":{"tags":""}}`, "hello", map[string]any{"key": "1"}, true}, // recorded by the Android suite
		{"key of null", `{"metadata":{"tags":null}}`, "hello", map[string]any{"key": "1"}, true},
		{"all keys", `{"metadata":{"tags":"","key":""}}`, "hello", nil, true},
		{"both", `{"content":"hey","metadata":{"tags":"b"}}`, "hey", map[string]any{"key": "1", "tags": "b"}, true},
	}
	for _, test := range tests {
		ids[test.name] = alice.post(th.path("/messages"), `{"content":"hello","senderDisplayName":"Alice","metadata":{"key":"1","tags":"a"}}`).text("id")
	}
	b.clock.advance(90 * time.Second)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			alice := alice.in(t)
			id := ids[test.name]
			before := alice.get(th.path("/messages/" + id)).is(http.StatusOK)
			alice.patch(th.path("/messages/"+id), test.patch).empty(http.StatusNoContent)
			want := before.value().(map[string]any)
			want["content"] = map[string]any{"message": test.content, "attachments": []any{}}
			if want["metadata"] = test.metadata; test.metadata == nil {
				delete(want, "metadata")
			}
			if want["createdOn"] != sent {
				t.Errorf("createdOn is %v, want %s", want["createdOn"], sent)
			}
			if test.edited {
				want["editedOn"] = b.clock.stamp()
				want["version"] = "1742466120456" // the millisecond of the edit
			}
			alice.get(th.path("/messages/" + id)).is(http.StatusOK).same(want)
		})
	}
}

// Two edits in one millisecond have two versions.
func TestEachEditHasItsOwnVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	seen := []string{w.message}
	for range 3 {
		w.alice.patch(w.said(), `{"content":"hey"}`).empty(http.StatusNoContent)
		v := w.alice.get(w.said()).text("version")
		if v <= seen[len(seen)-1] {
			t.Errorf("version %s follows %v", v, seen)
		}
		seen = append(seen, v)
	}
}

func TestUpdateMessageRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	w.alice.patch(w.said(), `{"content":""}`).refused(http.StatusBadRequest, "BadRequest", anyReason)
	w.alice.get(w.said()).holds("content.message", "hello").lacks("editedOn")
}

// A deleted message stays as a tombstone (recordings of the CLI suite).
func TestDeleteMessage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	th := alice.newThread(bob.id)
	id := alice.post(th.path("/messages"), `{"content":"hello","senderDisplayName":"Alice","metadata":{"key":"1"}}`).text("id")
	last := alice.say(th, "last")
	created := b.clock.stamp()
	b.clock.advance(time.Minute)

	alice.delete(th.path("/messages/" + id)).empty(http.StatusNoContent)
	tombstone := map[string]any{
		"id": id, "type": "text", "sequenceId": "3", "version": "1742466090456", "content": map[string]any{"message": "", "attachments": []any{}},
		"senderDisplayName": "Alice", "createdOn": created, "senderCommunicationIdentifier": user(alice.id), "deletedOn": b.clock.stamp(),
	}
	bob.get(th.path("/messages/" + id)).is(http.StatusOK).same(tombstone)
	bob.get(th.path("/messages")).holds("value.1", tombstone).holds("value.0.id", last)

	b.clock.advance(time.Minute)
	alice.delete(th.path("/messages/" + id)).empty(http.StatusNoContent)
	bob.get(th.path("/messages/" + id)).same(tombstone)
	alice.patch(th.path("/messages/"+id), `{"content":"back"}`).refused(http.StatusNotFound, "NotFound", "")
}

// Messages of others can be read and no more (concepts page of ACS Chat); those of the service are nobody's.
func TestMessagesOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	system := w.alice.get(w.at("/messages")).text("value.1.id")
	for _, test := range []struct {
		name, id string
		who      caller
	}{
		{"of another user", w.message, w.bob},
		{"of the service", system, w.alice},
	} {
		path := w.at("/messages/" + test.id)
		before := test.who.get(path).is(http.StatusOK).value()
		test.who.patch(path, `{"content":"changed"}`).refused(http.StatusForbidden, "Forbidden", anyReason)
		test.who.delete(path).refused(http.StatusForbidden, "Forbidden", anyReason)
		test.who.get(path).same(before)
	}
}

func TestThreadsAreForParticipants(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	stranger := w.b.user()
	for _, s := range samples {
		if strings.HasPrefix(s.path, "/chat/threads/") && s.version() == newestChat {
			s.by(w, stranger).notMember(stranger, w.thread)
		}
	}
	w.alice.get(w.at("/messages")).holds("value.*.sequenceId", "3", "2", "1")
}

func TestUnknownMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	for _, test := range []struct{ name, id string }{
		{"before all", "1"},
		{"after all", "9223372036854775807"},
		{"zero", "0"},
		{"with a zero in front", "01"},
	} {
		path := w.at("/messages/" + test.id)
		w.alice.get(path).refused(http.StatusNotFound, "NotFound", "")
		w.alice.patch(path, `{"content":"hey"}`).refused(http.StatusNotFound, "NotFound", "")
		w.alice.delete(path).refused(http.StatusNotFound, "NotFound", "")
		w.alice.post(w.at("/readReceipts"), encoded(map[string]any{"chatMessageId": test.id})).refused(http.StatusNotFound, "NotFound", "")
	}
}

func TestMessagesFromStartTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	var times []time.Time
	for range 3 {
		b.clock.advance(time.Minute)
		times = append(times, b.clock.now().Std())
		alice.say(th, "hello")
	}
	for _, test := range []struct {
		name, start string
		want        []string
	}{
		{"none", "", []string{"5", "4", "3", "2", "1"}},
		{"1970", "1970-01-01T00:00:00Z", []string{"5", "4", "3", "2", "1"}},
		{"exactly at one", times[1].Format(time.RFC3339Nano), []string{"5", "4"}},
		{"a millisecond later", times[1].Add(time.Millisecond).Format(time.RFC3339Nano), []string{"5"}},
		{"in another zone", times[1].In(time.FixedZone("", 5400)).Format(time.RFC3339Nano), []string{"5", "4"}},
		{"the future", times[2].Add(day).Format(time.RFC3339Nano), nil},
	} {
		target := th.path("/messages") + "?startTime=" + strings.ReplaceAll(test.start, "+", "%2B")
		alice.get(target).is(http.StatusOK).holds("value.*.sequenceId", anys(test.want...)...)
	}
}
