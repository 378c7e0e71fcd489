package httpapi

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestShareHistoryTime shows each participant the messages from a time on: the quickstarts say that 1970 is all of them
// and now none, the specification that absent is all.
func TestShareHistoryTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	var messages []string
	var times []time.Time
	for _, content := range []string{"one", "two", "three"} {
		b.clock.advance(time.Minute)
		times = append(times, b.clock.now().Std())
		messages = append(messages, alice.say(th, content))
	}
	b.clock.advance(time.Minute)
	stamp := func(t time.Time) any { return t.Format(time.RFC3339Nano) }
	tests := []struct {
		name  string
		share any // shareHistoryTime; nil for none
		sees  []string
		echo  string
	}{
		{"absent", nil, []string{"1", "2", "3", "4", "5"}, "1970-01-01T00:00:00Z"},
		{"1970", "1970-01-01T00:00:00Z", []string{"1", "2", "3", "4", "5"}, "1970-01-01T00:00:00Z"},
		{"before 1970", "1899-12-31T00:00:00Z", []string{"1", "2", "3", "4", "5"}, "1899-12-31T00:00:00Z"},
		{"exactly at one", stamp(times[1]), []string{"4", "5"}, "2025-03-20T10:22:30Z"},
		{"a millisecond later", stamp(times[1].Add(time.Millisecond)), []string{"5"}, "2025-03-20T10:22:30Z"},
		{"now", stamp(b.clock.now().Std()), nil, "2025-03-20T10:24:30Z"},
		{"the future", "2100-01-01T00:00:00Z", nil, "2025-03-20T10:24:30Z"},
		{"in another zone", stamp(times[2].In(time.FixedZone("", -3600))), []string{"5"}, "2025-03-20T10:23:30Z"},
		{"no zone", "2025-03-20T10:23:00", []string{"5"}, "2025-03-20T10:23:00Z"},
	}
	for _, test := range tests { // one after the other: each adds a message
		t.Run(test.name, func(t *testing.T) {
			b := b.in(t)
			alice, bob := alice.in(t), b.user()
			participant := participants(bob.id)[0].(map[string]any)
			if test.share != nil {
				participant["shareHistoryTime"] = test.share
			}
			// What is added after all is of no interest here, so the list is cut to what was there before.
			alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": []any{participant}})).is(http.StatusCreated)
			roster := alice.get(th.path("/participants"))
			if i := slices.Index(roster.texts("value.*.communicationIdentifier.rawId"), bob.id); i < 0 || roster.texts("value.*.shareHistoryTime")[i] != test.echo {
				t.Errorf("shareHistoryTime is answered as %v, want %s at %d", roster.texts("value.*.shareHistoryTime"), test.echo, i)
			}
			var sees []string
			for _, seq := range bob.get(th.path("/messages")).is(http.StatusOK).texts("value.*.sequenceId") {
				if seq <= "5" && len(seq) == 1 {
					sees = append(sees, seq)
				}
			}
			slices.Reverse(sees)
			if !slices.Equal(sees, test.sees) {
				t.Errorf("lists messages %v, want %v", sees, test.sees)
			}
			for i, id := range messages {
				seen := slices.Contains(test.sees, string(rune('3'+i)))
				a := bob.get(th.path("/messages/" + id))
				if seen {
					a.is(http.StatusOK)
					bob.receipt(th, id).empty(http.StatusOK)
					continue
				}
				a.refused(http.StatusNotFound, "NotFound", "")
				bob.receipt(th, id).refused(http.StatusNotFound, "NotFound", "")
			}
		})
	}
}

// A client whose clock is ahead shares the history from a moment in the future. What is said from the joining on is for the
// new participant all the same, from the first message about it, however many share its millisecond.
func TestShareHistoryTimeInTheFuture(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob, carol := b.user(), b.user(), b.user()
	future := func(who caller) map[string]any {
		return map[string]any{"communicationIdentifier": user(who.id), "shareHistoryTime": "2100-01-01T00:00:00Z"}
	}
	created := alice.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "participants": []any{future(bob)}}))
	th := thread(created.is(http.StatusCreated).text("chatThread.id"))
	alice.say(th, "hello")
	alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": []any{future(carol)}})).is(http.StatusCreated)
	after := alice.say(th, "hello, both")
	bob.get(th.path("/messages")).holds("value.*.sequenceId", "5", "4", "3", "2", "1")
	carol.get(th.path("/messages")).holds("value.*.sequenceId", "5", "4")
	carol.receipt(th, after).empty(http.StatusOK)
}

// The times of Identity and of SDKs for .NET have an offset, whose plus some JSON writers escape.
func TestFormsOfTimesInBodies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for raw, want := range map[string]string{
		`"2022-01-01T00:00:00.000Z"`:               "2022-01-01T00:00:00Z",
		`"2022-01-01T00:00:00.9999999Z"`:           "2022-01-01T00:00:00Z",
		`"2022-01-01T02:00:00+02:00"`:              "2022-01-01T00:00:00Z",
		`"2022-01-01T02:00:00.0000000\u002B02:00"`: "2022-01-01T00:00:00Z",
		`"2022-01-01"`:                             "2022-01-01T00:00:00Z",
		`"2022-01-01t02:00+0200"`:                  "2022-01-01T00:00:00Z", // all forms are in TestParseTime of package chat
		`null`:                                     "1970-01-01T00:00:00Z",
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			alice := b.user()
			body := `{"topic":"lunch","participants":[{"communicationIdentifier":{"rawId":"` + b.users(1)[0] + `"},"shareHistoryTime":` + raw + `}]}`
			th := thread(alice.post("/chat/threads", body).is(http.StatusCreated).text("chatThread.id"))
			alice.get(th.path("/participants")).holds("value.1.shareHistoryTime", want)
		})
	}
}

// A user cannot change what the user cannot see.
func TestHiddenMessageOfOneself(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	b.clock.advance(time.Minute)
	w.alice.post(w.at("/participants/:remove"), encoded(user(w.alice.id))).empty(http.StatusNoContent)
	b.clock.advance(time.Minute)
	w.bob.post(w.at("/participants/:add"), encoded(map[string]any{"participants": []any{
		map[string]any{"communicationIdentifier": user(w.alice.id), "shareHistoryTime": b.clock.stamp()},
	}})).is(http.StatusCreated)
	w.alice.get(w.said()).refused(http.StatusNotFound, "NotFound", "")
	w.alice.patch(w.said(), `{"content":"hey"}`).refused(http.StatusNotFound, "NotFound", "")
	w.alice.delete(w.said()).refused(http.StatusNotFound, "NotFound", "")
	w.bob.get(w.said()).holds("content.message", "hello").lacks("deletedOn")
}
