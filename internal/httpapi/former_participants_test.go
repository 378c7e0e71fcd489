package httpapi

import (
	"net/http"
	"testing"
	"time"
)

// TestFormerParticipantReadsTheThreadAsItWas changes everything in a thread after a removal. Who was removed reads the thread as it was then, in each
// version, and in the list of threads; who takes part reads what it has become. The Matrix specification defines it so for
// rooms that were left; what the real service shows is not known.
func TestFormerParticipantReadsTheThreadAsItWas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob, carol := b.user(), b.user(), b.user()
	th := thread(alice.post("/chat/threads", encoded(map[string]any{
		"topic": "lunch", "metadata": map[string]any{"team": "blue"}, "participants": participants(bob.id, carol.id),
	})).is(http.StatusCreated).text("chatThread.id"))
	other := bob.newThread() // is listed before or after
	edited, deleted, early := alice.say(th, "hello"), alice.say(th, "secret"), alice.say(th, "first")
	picture := alice.at(chatImages).upload(th)
	b.clock.advance(time.Minute)
	alice.patch(th.path("/messages/"+early), `{"content":"second"}`).empty(http.StatusNoContent)
	alice.post(th.path("/participants/:remove"), encoded(user(bob.id))).empty(http.StatusNoContent)

	type page struct{ version, path string }
	var pages []page
	for _, version := range []string{chatPreview2, chatPreview3, chatLastImages, newestChat} {
		for _, path := range []string{
			"/chat/threads", th.path("/messages"), th.path("/messages?maxPageSize=2"), th.path("/messages/" + edited), th.path("/messages/" + deleted), th.path("/messages/" + early),
		} {
			pages = append(pages, page{version, path})
		}
		if version != chatPreview2 { // whose thread has its members in it, which are nothing to who left
			pages = append(pages, page{version, th.path("")})
		}
	}
	look := func(who caller) map[page]string {
		out := map[page]string{}
		for _, p := range pages {
			out[p] = string(who.at(p.version).get(p.path).is(http.StatusOK).body)
		}
		return out
	}
	left := look(bob)
	if member := look(carol); member[page{newestChat, th.path("/messages")}] != left[page{newestChat, th.path("/messages")}] {
		t.Error("at the removal the history of both is not the same")
	}

	b.clock.advance(time.Minute)
	bob.get("/chat/threads").holds("value.*.id", string(th), string(other))
	alice.at(chatLastImages).patch(th.path(""), `{"topic":"dinner","metadata":{"team":"red","size":"4"},"messagingPolicy":{"textOnlyChat":true},
		"retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":60}}`).empty(http.StatusNoContent)
	alice.at(chatLastImages).patch(th.path(""), `{"messagingPolicy":{"textOnlyChat":false}}`).empty(http.StatusNoContent)
	later := alice.at(chatImages).upload(th)
	for _, content := range []string{"hey", "hey you"} {
		alice.patch(th.path("/messages/"+edited), encoded(map[string]any{"content": content, "metadata": map[string]any{"k": content}})).empty(http.StatusNoContent)
	}
	alice.patch(th.path("/messages/"+early), `{"content":"third"}`).empty(http.StatusNoContent)
	alice.delete(th.path("/messages/" + deleted)).empty(http.StatusNoContent)
	after := alice.say(th, "not for bob")
	alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": participants(b.users(1)...)})).is(http.StatusCreated)
	carol.receipt(th, after).empty(http.StatusOK)
	carol.get(th.path("/messages")).is(http.StatusOK) // a page that may be remembered

	for p, want := range left {
		if got := string(bob.at(p.version).get(p.path).is(http.StatusOK).body); got != want {
			t.Errorf("%s of %s was\n%s\nand is now\n%s", p.path, p.version, want, got)
		}
	}
	for p, now := range look(carol) {
		if now == left[p] {
			t.Errorf("%s of %s has not changed for a participant: %s", p.path, p.version, now)
		}
	}
	bob.get(th.path("/messages/"+after)).refused(http.StatusNotFound, "NotFound", "")
	bob.get(th.path("/participants")).notMember(bob, th)
	bob.get(th.path("/readReceipts")).notMember(bob, th)
	for image, want := range map[string]int{picture: http.StatusOK, later: http.StatusNotFound} {
		bob.at(chatImages).get(th.path("/images/" + image + "/views/original")).is(want)
		carol.at(chatImages).get(th.path("/images/" + image + "/views/original")).is(http.StatusOK)
	}

	// Back in the thread, bob sees what it has become, and after another removal what it was at that.
	alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": participants(bob.id)})).is(http.StatusCreated)
	bob.get(th.path("")).holds("topic", "dinner")
	bob.get(th.path("/messages/"+edited)).holds("content.message", "hey you")
	bob.get(th.path("/messages/"+deleted)).holds("content.message", "")
	bob.at(chatImages).get(th.path("/images/" + later + "/views/original")).is(http.StatusOK)
	alice.post(th.path("/participants/:remove"), encoded(user(bob.id))).empty(http.StatusNoContent)
	alice.patch(th.path(""), `{"topic":"breakfast"}`).empty(http.StatusNoContent)
	alice.patch(th.path("/messages/"+edited), `{"content":"hey there"}`).empty(http.StatusNoContent)
	bob.get(th.path("")).holds("topic", "dinner")
	bob.get(th.path("/messages/"+edited)).holds("content.message", "hey you")
	bob.get(th.path("/messages/"+deleted)).holds("content.message", "")

	// A deletion of the thread is one for all: there is nothing left to read, and the list says so.
	alice.delete(th.path("")).empty(http.StatusNoContent)
	bob.get(th.path("")).is(http.StatusNotFound)
	bob.get("/chat/threads").holds("value.0.topic", "dinner").holds("value.0.deletedOn", b.clock.stamp())
}
