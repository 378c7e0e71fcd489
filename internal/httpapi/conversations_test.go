package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	repeatability = "repeatability-request-id"
	wrapped       = "CommunicationError"
)

// TestConversations holds the same conversation in each version. It compares whole answers: what a version does not know
// must not be there, although all that any version knows is in each request.
func TestConversations(t *testing.T) {
	t.Parallel()
	if spoken := allChat[slices.Index(allChat, chatPreview3):]; len(spoken) != len(versionSpecs) {
		t.Errorf("%d specs of %d versions", len(versionSpecs), len(spoken))
	}
	for _, d := range versionSpecs {
		t.Run(d.version, func(t *testing.T) {
			t.Parallel()
			c := &conversation{versionSpec: d, b: newBench(t).at(d.version)}
			c.alice, c.bob, c.carol = c.b.user(), c.b.user(), c.b.users(1)[0]
			c.threads(t)
			c.participants()
			c.messages()
			c.edits()
			c.receipts()
			c.errors()
			c.ends()
		})
	}
}

// conversation is one under way.
type conversation struct {
	versionSpec
	b          *bench
	alice, bob caller
	carol      string
	thread     thread
	properties map[string]any // of the thread, as answered
	bobs       map[string]any // bob, as answered
	listed     []any          // the messages, newest first
}

func (c *conversation) say(message map[string]any) { c.listed = append([]any{message}, c.listed...) }

func (c *conversation) path(rest string) string { return c.thread.path(rest) }

func (c *conversation) threads(t *testing.T) {
	asked := c.requestParticipant(c.bob.id, "Bob")
	asked["metadata"], asked["roleIds"] = map[string]any{"role": "host"}, []any{"guest"}
	body := map[string]any{
		"topic": "lunch", "participants": []any{c.requestParticipant(c.alice.id, "Alice"), asked, c.requestParticipant(unknownUser, "")},
		"metadata":        map[string]any{"team": "blue"},
		"retentionPolicy": map[string]any{"kind": "threadCreationDate", "deleteThreadAfterDays": 40},
		"messagingPolicy": map[string]any{"textOnlyChat": !c.policy}, // html is sent later
	}
	created := c.alice.post("/chat/threads", encoded(body), c.idempotencyHeader+": once").is(http.StatusCreated)
	c.thread = thread(created.text("chatThread.id"))
	c.properties = c.put(map[string]any{"id": string(c.thread), "topic": "lunch", "createdOn": "2025-03-20T10:20:30Z"}, "creator", c.alice.id)
	if c.threadMetadata {
		c.properties["metadata"] = map[string]any{"team": "blue"}
	}
	if c.retention {
		c.properties["retentionPolicy"] = map[string]any{"kind": "threadCreationDate", "deleteThreadAfterDays": 40.0}
	}
	made := c.withInvalid(map[string]any{"chatThread": c.properties}, unknownUser)
	created.same(made)
	location := c.b.URL + "/chat/threads/" + strings.ReplaceAll(string(c.thread), ":", "%3A")
	if got := created.header.Get("Location"); got != location {
		t.Errorf("Location is %q, want %q", got, location)
	}
	c.alice.post("/chat/threads", encoded(body), c.idempotencyHeader+": once").is(http.StatusCreated).same(made)
	c.bob.get(location).is(http.StatusOK).same(c.properties)
	c.bob.get("/chat/threads").is(http.StatusOK).same(map[string]any{"value": []any{
		map[string]any{"id": string(c.thread), "topic": "lunch", "lastMessageReceivedOn": "2025-03-20T10:20:30Z"},
	}})

	c.bobs = c.answerParticipant(c.bob.id, "Bob")
	if c.threadMetadata {
		c.bobs["metadata"] = map[string]any{"role": "host"}
	}
	if c.roles {
		c.bobs["roleIds"] = []any{"guest"}
	}
	present := []any{c.answerParticipant(c.alice.id, "Alice"), c.bobs}
	c.say(messageAt(1, "participantAdded", c.put(map[string]any{"participants": present}, "initiator", c.alice.id)))
	c.say(messageAt(2, "topicUpdated", c.put(map[string]any{"topic": "lunch"}, "initiator", c.alice.id)))

	c.bob.patch(c.path(""), `{"topic":"dinner","metadata":{"team":"","size":"4"},"retentionPolicy":{"kind":"none"}}`).empty(http.StatusNoContent)
	c.properties["topic"] = "dinner"
	if c.threadMetadata {
		c.properties["metadata"] = map[string]any{"size": "4"}
	}
	if c.retention {
		c.properties["retentionPolicy"] = map[string]any{"kind": "none"}
	}
	c.alice.get(c.path("")).is(http.StatusOK).same(c.properties)
	c.say(messageAt(3, "topicUpdated", c.put(map[string]any{"topic": "dinner"}, "initiator", c.bob.id)))

	// What the version does not know was not kept either.
	everything := c.alice.at(newestChat).get(c.path("")).is(http.StatusOK)
	if !c.threadMetadata {
		everything.lacks("metadata")
	}
	if !c.retention {
		everything.lacks("retentionPolicy")
	}
	if !c.policy {
		c.alice.at(chatLastImages).get(c.path("")).lacks("messagingPolicy")
	}
}

func (c *conversation) participants() {
	add := c.path("/participants/:add")
	asked := c.requestParticipant(c.carol, "Carol")
	asked["shareHistoryTime"] = "2020-09-08T01:02:14.387Z"
	c.alice.post(add, encoded(map[string]any{"participants": []any{asked}})).is(http.StatusCreated).same(map[string]any{})
	c.alice.post(add, encoded(map[string]any{"participants": []any{c.requestParticipant(unknownUser, ""), c.requestParticipant(c.bob.id, "")}})).
		is(http.StatusCreated).same(c.withInvalid(map[string]any{}, unknownUser))
	carols := c.answerParticipant(c.carol, "Carol")
	carols["shareHistoryTime"] = "2020-09-08T01:02:14Z"
	c.say(messageAt(4, "participantAdded", c.put(map[string]any{"participants": []any{carols}}, "initiator", c.alice.id)))

	all := []any{c.answerParticipant(c.alice.id, "Alice"), c.bobs, carols}
	c.bob.get(c.path("/participants")).is(http.StatusOK).same(map[string]any{"value": all})
	first := c.bob.get(c.path("/participants?maxPageSize=2")).is(http.StatusOK)
	first.same(map[string]any{"value": all[:2], "nextLink": first.text("nextLink")})
	c.bob.get(first.text("nextLink")).is(http.StatusOK).same(map[string]any{"value": all[2:]})

	c.remove(c.alice, c.thread, c.carol).empty(http.StatusNoContent)
	c.bob.get(c.path("/participants")).is(http.StatusOK).same(map[string]any{"value": all[:2]})
	c.say(messageAt(5, "participantRemoved", c.put(map[string]any{"participants": []any{carols}}, "initiator", c.alice.id)))
}

// plan is an attachment that is elsewhere.
var plan = map[string]any{"id": "1", "attachmentType": "file", "name": "plan.pdf", "url": "https://files.example.com/plan.pdf"}

func (c *conversation) messages() {
	send := func(body map[string]any) {
		a := c.alice.post(c.path("/messages"), encoded(body)).is(http.StatusCreated)
		a.same(map[string]any{"id": a.text("id")})
	}
	send(map[string]any{"content": "hello", "type": "text", "senderDisplayName": "Alice", "metadata": map[string]any{"tags": "a"}})
	plain := c.userMessage(6, "text", "hello", c.alice.id, "Alice")
	if c.messageMetadata {
		plain["metadata"] = map[string]any{"tags": "a"}
	}
	send(map[string]any{"content": "<b>look</b>", "type": "html", "attachments": []any{plan}})
	rich := c.userMessage(7, "html", "<b>look</b>", c.alice.id, "")
	if c.sendsAttachments {
		rich["content"] = c.content("html", "<b>look</b>", plan)
	}
	c.say(plain)
	c.say(rich)

	c.bob.get(c.path("/messages")).is(http.StatusOK).same(map[string]any{"value": c.listed})
	for _, m := range c.listed {
		c.bob.get(c.path("/messages/" + m.(map[string]any)["id"].(string))).is(http.StatusOK).same(m)
	}
	first := c.bob.get(c.path("/messages?maxPageSize=4")).is(http.StatusOK)
	first.same(map[string]any{"value": c.listed[:4], "nextLink": first.text("nextLink")})
	c.bob.get(first.text("nextLink")).is(http.StatusOK).same(map[string]any{"value": c.listed[4:]})
	if !strings.HasSuffix(first.text("nextLink"), "&api-version="+c.version) {
		c.b.Errorf("nextLink is %q, want it in %s", first.text("nextLink"), c.version)
	}
}

func (c *conversation) edits() {
	c.b.clock.advance(time.Minute)
	rich, plain := c.listed[0].(map[string]any), c.listed[1].(map[string]any)
	target := c.path("/messages/" + plain["id"].(string))
	c.alice.patch(target, `{"content":"hey","metadata":{"tags":"","key":"1"},"attachments":[{"id":"2","attachmentType":"file"}]}`).
		empty(http.StatusNoContent)
	plain["content"], plain["version"], plain["editedOn"] = c.content("text", "hey"), "1742466090456", "2025-03-20T10:21:30Z"
	if c.sendsAttachments {
		plain["content"] = c.content("text", "hey", map[string]any{"id": "2", "attachmentType": "file"})
	}
	if c.messageMetadata {
		plain["metadata"] = map[string]any{"key": "1"}
	}
	c.bob.get(target).is(http.StatusOK).same(plain)
	c.alice.patch(target, `{}`).empty(http.StatusNoContent)
	c.bob.get(target).is(http.StatusOK).same(plain)

	target = c.path("/messages/" + rich["id"].(string))
	c.alice.delete(target).empty(http.StatusNoContent)
	rich["content"], rich["version"], rich["deletedOn"] = c.content("html", ""), "1742466090456", "2025-03-20T10:21:30Z"
	c.bob.get(target).is(http.StatusOK).same(rich)
	c.bob.get(c.path("/messages")).is(http.StatusOK).same(map[string]any{"value": c.listed})
}

func (c *conversation) receipts() {
	plain := c.listed[1].(map[string]any)["id"].(string)
	c.bob.post(c.path("/readReceipts"), encoded(map[string]any{"chatMessageId": plain})).empty(http.StatusOK)
	receipt := c.put(map[string]any{"chatMessageId": plain, "readOn": "2025-03-20T10:21:30Z"}, "sender", c.bob.id)
	c.alice.get(c.path("/readReceipts?maxPageSize=10&skip=0")).is(http.StatusOK).same(map[string]any{"value": []any{receipt}})
	for _, body := range []string{"", `{}`, `{"senderDisplayName":"Bob"}`} {
		c.bob.post(c.path("/typing"), body).empty(http.StatusOK)
	}
}

func (c *conversation) errors() {
	stranger := c.b.user()
	malformed := encoded(map[string]any{"topic": "never", "participants": []any{c.requestParticipant("8:acs:fakeid", "")}})
	const unread = "8:acs:fakeid"
	noThread := c.thread[:10] + "0@thread.v2"
	for _, test := range []struct {
		answer        *answer
		status        int
		code, message string
	}{
		{c.alice.get(noThread.path("")), 404, "NotFound", "The specified thread id was not found."},
		{c.alice.get(noThread.path("/participants")), 404, "NotFound", ""},
		{c.alice.delete("/chat/threads/invalid_chat_thread_id"), 404, "NotFound", ""},
		{stranger.get(c.path("/messages")), 403, "Forbidden", "User " + stranger.id + " is not a member of the thread " + string(c.thread)},
		{c.alice.get(c.path("/messages/invalid")), 400, "BadRequest", "Value for MessageId (invalid) is not valid."},
		{c.alice.patch(c.path("/messages/invalid"), `{"content":"hey"}`), 400, "BadRequest", "Value for MessageId (invalid) is not valid."},
		{c.alice.post(c.path("/readReceipts"), `{"chatMessageId":"1600000000000"}`), 404, "NotFound", ""},
		{c.alice.post("/chat/threads", malformed), 400, "BadRequest", "Identifier format is invalid (" + unread + ")."},
		{c.alice.post(c.path("/participants/:add"), malformed), 400, "BadRequest", "Identifier format is invalid (" + unread + ")."},
		{c.remove(c.alice, c.thread, unread), 400, "BadRequest", "Identifier format is invalid (" + unread + ")."},
		{c.alice.post(c.path("/messages"), `{"senderDisplayName":"Alice"}`), 400, "BadRequest", "The message has no content."},
		{c.alice.post(c.path("/messages"), `{"content":`), 400, "BadRequest", "The body is no JSON: unexpected end of JSON input."},
		{c.b.user("voip").get("/chat/threads"), 403, "Forbidden", ""},
	} {
		test.answer.is(test.status).same(c.errorBody(test.code, test.message))
	}
	c.b.nobody().at(c.version).get(c.path("")).empty(http.StatusUnauthorized)
}

func (c *conversation) ends() {
	c.remove(c.bob, c.thread, c.bob.id).empty(http.StatusNoContent)
	c.remove(c.bob, c.thread, c.bob.id).is(http.StatusForbidden).
		same(c.errorBody("Forbidden", "User "+c.bob.id+" is not a member of the thread "+string(c.thread)))
	c.alice.delete(c.path("")).empty(http.StatusNoContent)
	c.alice.get("/chat/threads").is(http.StatusOK).same(map[string]any{"value": []any{map[string]any{
		"id": string(c.thread), "topic": "dinner", "lastMessageReceivedOn": "2025-03-20T10:21:30Z", "deletedOn": "2025-03-20T10:21:30Z",
	}}})
}
