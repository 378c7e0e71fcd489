package httpapi

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

func (c caller) receipt(t thread, message string) *answer {
	c.b.Helper()
	return c.post(t.path("/readReceipts"), encoded(map[string]any{"chatMessageId": message}))
}

func TestReadReceipts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	th := alice.newThread(bob.id)
	first, second := alice.say(th, "one"), alice.say(th, "two")
	alice.get(th.path("/readReceipts")).is(http.StatusOK).same(map[string]any{"value": []any{}})

	b.clock.advance(time.Second)
	alice.receipt(th, first).empty(http.StatusOK) // of one's own message
	aliceAt := b.clock.stamp()
	b.clock.advance(time.Second)
	bob.receipt(th, first).empty(http.StatusOK)
	bobAt := b.clock.stamp()
	receipt := func(who caller, message, at string) any {
		return map[string]any{"senderCommunicationIdentifier": user(who.id), "chatMessageId": message, "readOn": at}
	}
	for _, reader := range []caller{alice, bob} { // the sender sees his own
		reader.get(th.path("/readReceipts")).is(http.StatusOK).
			same(map[string]any{"value": []any{receipt(bob, first, bobAt), receipt(alice, first, aliceAt)}})
	}

	// There is one of each reader, his latest; it never goes back.
	b.clock.advance(time.Second)
	alice.receipt(th, second).empty(http.StatusOK)
	aliceAt = b.clock.stamp()
	b.clock.advance(time.Second)
	alice.receipt(th, first).empty(http.StatusOK)
	alice.receipt(th, second).empty(http.StatusOK)
	bob.get(th.path("/readReceipts")).
		same(map[string]any{"value": []any{receipt(alice, second, aliceAt), receipt(bob, first, bobAt)}})
}

// Clients show a message as seen when a receipt was read on or after the message's createdOn (UI library 1.34.0), so no clock
// that steps back may put it before.
func TestReceiptsWhileTheClockIsBehind(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	th := alice.newThread(bob.id)
	b.clock.advance(time.Minute)
	said, message := b.clock.stamp(), alice.say(th, "hello")
	b.clock.advance(-30 * time.Second)
	bob.receipt(th, message).empty(http.StatusOK)
	alice.get(th.path("/readReceipts")).holds("value.*.readOn", said)
	alice.patch(th.path("/messages/"+message), `{"content":"hey"}`).empty(http.StatusNoContent)
	alice.get(th.path("/messages/"+message)).holds("editedOn", said)
	alice.delete(th.path("/messages/" + message)).empty(http.StatusNoContent)
	alice.get(th.path("/messages/"+message)).holds("deletedOn", said)
	alice.delete(th.path("")).empty(http.StatusNoContent)
	alice.get("/chat/threads").holds("value.*.deletedOn", said).holds("value.*.lastMessageReceivedOn", said)
}

// The CLI suite reads the message that tells of the topic.
func TestReceiptOfSystemMessage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	system := alice.get(th.path("/messages")).holds("value.0.type", "topicUpdated").text("value.0.id")
	alice.receipt(th, system).empty(http.StatusOK)
	alice.get(th.path("/readReceipts")).holds("value.*.chatMessageId", system)
}

func TestReceiptOfDeletedMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	w.alice.delete(w.said()).empty(http.StatusNoContent)
	w.bob.receipt(w.thread, w.message).empty(http.StatusOK)
}

// Recorded by the Android suite for a message that is unknown.
func TestReceiptRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	w.alice.receipt(w.thread, "1").refused(http.StatusNotFound, "NotFound", "")
	for _, id := range []string{"", "invalid_chat_message_id", "-1", "+1", "1e3", "99999999999999999999"} {
		w.alice.receipt(w.thread, id).refused(http.StatusBadRequest, "BadRequest", "Value for MessageId ("+id+") is not valid.")
	}
	w.alice.post(w.at("/readReceipts"), `{}`).refused(http.StatusBadRequest, "BadRequest", "Value for MessageId () is not valid.")
	w.alice.get(w.at("/readReceipts")).holds("value.*.chatMessageId")
}

// In threads of more than 20 participants receipts are accepted and not kept (azure-sdk-for-net issue 31413).
func TestReceiptsInLargeThreads(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, test := range []struct {
		participants int
		kept         bool
	}{{20, true}, {21, false}} {
		t.Run(strconv.Itoa(test.participants), func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			alice := b.user()
			th := alice.newThread(b.users(test.participants - 1)...)
			message := alice.say(th, "hello")
			alice.receipt(th, message).empty(http.StatusOK)
			alice.post(th.path("/typing"), "").empty(http.StatusOK)
			want := []any{}
			if test.kept {
				want = append(want, message)
			}
			alice.get(th.path("/readReceipts")).is(http.StatusOK).holds("value.*.chatMessageId", want...)
		})
	}
}

// Receipts of before come back when the thread is small again: they were hidden, not removed.
func TestReceiptsOfThreadThatShrinks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	others := b.users(20)
	th := alice.newThread(others[:19]...)
	message := alice.say(th, "hello")
	alice.receipt(th, message).empty(http.StatusOK)
	alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": participants(others[19])})).is(http.StatusCreated)
	alice.get(th.path("/readReceipts")).holds("value.*.chatMessageId")
	alice.post(th.path("/participants/:remove"), encoded(user(others[19]))).empty(http.StatusNoContent)
	alice.get(th.path("/readReceipts")).holds("value.*.chatMessageId", message)
}

func TestTyping(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	for _, body := range []string{"", `{}`, `{"senderDisplayName":"Alice"}`, `{"senderDisplayName":null}`, `{"more":1}`} {
		w.alice.post(w.at("/typing"), body).empty(http.StatusOK)
	}
	w.alice.get(w.at("/messages")).holds("value.*.sequenceId", "3", "2", "1") // nothing of it is kept
}

// The UI library (1.34.0) reads receipts until one is older than the oldest message that it shows: a reader of long ago hides
// nobody who has read since. This is so in all versions.
func TestReceiptsNewestFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob, carol := b.user(), b.user(), b.user()
	th := alice.newThread(bob.id, carol.id)
	old := alice.say(th, "one")
	carol.receipt(th, old).empty(http.StatusOK)
	b.clock.advance(time.Hour)
	shown := b.clock.stamp()
	message := alice.say(th, "two")
	b.clock.advance(time.Second)
	bob.receipt(th, message).empty(http.StatusOK)
	for _, version := range versions[chatAPI] {
		list := alice.at(string(version)).get(th.path("/readReceipts")).is(http.StatusOK)
		if got := list.texts("value.*.chatMessageId"); len(got) != 2 || got[0] != message || list.text("value.0.readOn") < shown {
			t.Errorf("%s: receipts of %v, want that of %s first", version, got, message)
		}
	}
}
