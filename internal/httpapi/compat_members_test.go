package httpapi

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answerMember is a member in the form of an answer.
func answerMember(id, name string) map[string]any {
	out := map[string]any{"id": id, "shareHistoryTime": "1970-01-01T00:00:00Z"}
	if name != "" {
		out["displayName"] = name
	}
	return out
}

// bareError is an error as it was before it had an envelope: with InnerErrors for bad requests (azure-sdk-for-java issue 21723),
// without for what is not found (recordings of the Java suite).
func bareError(code, message string) map[string]any {
	out := map[string]any{"Code": code}
	if code != "NotFound" {
		out["InnerErrors"] = []any{}
	}
	if message != "" {
		out["Message"] = message
	}
	return out
}

// memberMessage is a message as the SDKs of 2020 knew it, at the time that its number gives it.
func memberMessage(seq int, kind, content, sender string) map[string]any {
	m := messageAt(seq, kind, nil)
	delete(m, "sequenceId")
	m["priority"], m["content"], m["senderId"] = "Normal", content, sender
	return m
}

func memberUserMessage(seq int, content, sender, name string) map[string]any {
	m := memberMessage(seq, "Text", content, sender)
	m["senderDisplayName"] = name
	return m
}

func xmlElement(name, text string) string { return "<" + name + ">" + text + "</" + name + ">" }

// activityContent is the content of a message about members (recordings of the Java suite).
func activityContent(root, id, initiator, name string, members ...[2]string) string {
	content := xmlElement("eventtime", id) + xmlElement("initiator", initiator) +
		xmlElement("detailedinitiatorinfo", xmlElement("friendlyName", name)) + xmlElement("rosterVersion", id)
	for _, m := range members {
		content += xmlElement("target", m[0]) + xmlElement("detailedtargetinfo", xmlElement("id", m[0])+xmlElement("friendlyName", m[1]))
	}
	return xmlElement(root, content)
}

// TestMembersConversation holds a whole conversation as the SDKs of 2020 did and compares whole answers.
func TestMembersConversation(t *testing.T) {
	t.Parallel()
	for _, version := range []string{chatOldest, chatPreview2} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := &memberConversation{b: newBench(t).at(version)}
			c.alice, c.bob, c.carol = c.b.user(), c.b.user(), c.b.users(1)[0]
			c.threads()
			c.members()
			c.messages()
			c.errors()
			c.ends()
		})
	}
}

type memberConversation struct {
	b          *bench
	alice, bob caller
	carol      string
	thread     thread
	listed     []any // the messages, newest first
}

func (c *memberConversation) say(message map[string]any) {
	c.listed = append([]any{message}, c.listed...)
}

func (c *memberConversation) path(rest string) string { return c.thread.path(rest) }

func (c *memberConversation) threads() {
	body := encoded(map[string]any{"topic": "lunch", "members": []any{
		map[string]any{"id": c.alice.id, "displayName": "Alice <1>"}, map[string]any{"id": c.bob.id},
	}})
	created := c.alice.post("/chat/threads", body).is(http.StatusMultiStatus)
	c.thread = thread(created.text("multipleStatus.2.id"))
	created.same(map[string]any{"multipleStatus": []any{
		map[string]any{"id": c.alice.id, "statusCode": 201.0, "type": "ThreadMember"},
		map[string]any{"id": c.bob.id, "statusCode": 201.0, "type": "ThreadMember"},
		map[string]any{"id": string(c.thread), "statusCode": 201.0, "type": "Thread"},
	}})
	c.say(memberMessage(1, "ThreadActivity/AddMember",
		activityContent("addmember", "1742466030456", c.alice.id, "Alice &lt;1&gt;", [2]string{c.alice.id, "Alice &lt;1&gt;"}, [2]string{c.bob.id}),
		string(c.thread)))
	activity := func(id, initiator, topic string) string {
		return xmlElement("topicupdate", xmlElement("eventtime", id)+xmlElement("initiator", initiator)+xmlElement("value", topic))
	}
	c.say(memberMessage(2, "ThreadActivity/TopicUpdate", activity("1742466030457", c.alice.id, "lunch"), string(c.thread)))
	// Each content is XML of its own, whatever users wrote into it.
	c.bob.patch(c.path(""), `{"topic":"</value>\"dinner\" & more"}`, "Content-Type: application/json").empty(http.StatusOK)
	c.say(memberMessage(3, "ThreadActivity/TopicUpdate",
		activity("1742466030458", c.bob.id, "&lt;/value&gt;&#34;dinner&#34; &amp; more"), string(c.thread)))

	c.bob.get(c.path("")).is(http.StatusOK).same(map[string]any{
		"id": string(c.thread), "topic": `</value>"dinner" & more`, "createdOn": "2025-03-20T10:20:30Z", "createdBy": c.alice.id,
		"members": []any{answerMember(c.alice.id, "Alice <1>"), answerMember(c.bob.id, "")},
	})
	c.alice.get("/chat/threads").is(http.StatusOK).same(map[string]any{"value": []any{map[string]any{
		"id": string(c.thread), "topic": `</value>"dinner" & more`, "isDeleted": false, "lastMessageReceivedOn": "2025-03-20T10:20:30Z",
	}}})
}

func (c *memberConversation) members() {
	c.bob.post(c.path("/members"), encoded(map[string]any{"members": []any{
		map[string]any{"id": unknownUser},
		map[string]any{"id": c.carol, "displayName": "Carol", "shareHistoryTime": "2020-10-30T10:50:50Z"},
		map[string]any{"id": c.alice.id},
	}})).is(http.StatusMultiStatus).same(map[string]any{"multipleStatus": []any{
		map[string]any{"id": unknownUser, "statusCode": 403.0, "message": "Permissions check failed", "type": "ThreadMember"},
		map[string]any{"id": c.carol, "statusCode": 201.0, "type": "ThreadMember"},
		map[string]any{"id": c.alice.id, "statusCode": 201.0, "type": "ThreadMember"},
	}})
	c.say(memberMessage(4, "ThreadActivity/AddMember", activityContent("addmember", "1742466030459", c.bob.id, "", [2]string{c.carol, "Carol"}), string(c.thread)))
	carol := answerMember(c.carol, "Carol")
	carol["shareHistoryTime"] = "2020-10-30T10:50:50Z"
	c.alice.get(c.path("/members")).is(http.StatusOK).same(map[string]any{"value": []any{
		answerMember(c.alice.id, "Alice <1>"), answerMember(c.bob.id, ""), carol,
	}})

	c.alice.delete(c.path("/members/" + strings.ReplaceAll(c.carol, ":", "%3A"))).empty(http.StatusNoContent)
	c.say(memberMessage(5, "ThreadActivity/DeleteMember", activityContent("deletemember", "1742466030460", c.alice.id, "", [2]string{c.carol, "Carol"}), string(c.thread)))
}

func (c *memberConversation) messages() {
	send := func(body string) string {
		a := c.alice.post(c.path("/messages"), body).is(http.StatusCreated)
		a.same(map[string]any{"id": a.text("id")})
		return a.text("id")
	}
	first := send(`{"content":"hello","priority":"Normal","senderDisplayName":"Alice"}`)
	high := send(`{"content":"hurry","priority":"High","type":"html","metadata":{"tags":"a"}}`) // types and metadata came later
	normal, hurry := memberUserMessage(6, "hello", c.alice.id, "Alice"), memberUserMessage(7, "hurry", c.alice.id, "")
	hurry["priority"] = "High"
	c.say(normal)
	c.say(hurry)
	c.bob.get(c.path("/messages")).is(http.StatusOK).same(map[string]any{"value": c.listed})
	for _, m := range c.listed {
		c.bob.get(c.path("/messages/" + m.(map[string]any)["id"].(string))).is(http.StatusOK).same(m)
	}
	c.alice.at(newestChat).get(c.path("/messages/"+high)).holds("type", "text").lacks("metadata", "priority")
	page := c.bob.get(c.path("/messages?maxPageSize=5")).is(http.StatusOK)
	page.same(map[string]any{"value": c.listed[:5], "nextLink": page.text("nextLink")})
	c.bob.get(page.text("nextLink")).is(http.StatusOK).same(map[string]any{"value": c.listed[5:]})

	c.b.clock.advance(time.Minute)
	c.alice.patch(c.path("/messages/"+first), `{"content":"hey","priority":"High"}`, "Content-Type: application/json").empty(http.StatusOK)
	normal["content"], normal["priority"], normal["version"], normal["editedOn"] = "hey", "High", "1742466090456", "2025-03-20T10:21:30Z"
	c.bob.get(c.path("/messages/" + first)).is(http.StatusOK).same(normal)
	c.alice.delete(c.path("/messages/" + high)).empty(http.StatusNoContent)
	hurry["content"], hurry["version"], hurry["deletedOn"] = "", "1742466090456", "2025-03-20T10:21:30Z"
	c.bob.get(c.path("/messages/" + high)).is(http.StatusOK).same(hurry)

	c.bob.post(c.path("/typing"), "").empty(http.StatusOK)
	c.bob.post(c.path("/readreceipts"), `{"chatMessageId":"`+first+`"}`).empty(http.StatusCreated)
	c.alice.get(c.path("/readreceipts")).is(http.StatusOK).same(map[string]any{"value": []any{
		map[string]any{"senderId": c.bob.id, "chatMessageId": first, "readOn": "2025-03-20T10:21:30Z"},
	}})
}

func (c *memberConversation) errors() {
	stranger := c.b.user()
	const format = "Identifier format is invalid (8:acs:fakeid)."
	bad := encoded(map[string]any{"topic": "never", "members": flats(c.alice.id, "8:acs:fakeid")})
	for _, test := range []struct {
		answer        *answer
		status        int
		code, message string
	}{
		{c.alice.get("/chat/threads/19:unknown@thread.v2"), 404, "NotFound", "The specified thread id was not found."},
		{c.alice.get("/chat/threads/invalid_chat_thread_id/members"), 404, "NotFound", ""},
		{stranger.get(c.path("/messages")), 403, "Forbidden", "User " + stranger.id + " is not a member of the thread " + string(c.thread)},
		{c.alice.get(c.path("/messages/invalid")), 400, "BadRequest", "Value for MessageId (invalid) is not valid."},
		{c.alice.post(c.path("/readreceipts"), `{"chatMessageId":"1600000000000"}`), 404, "NotFound", ""},
		{c.alice.post("/chat/threads", bad), 400, "BadRequest", format},
		{c.alice.post(c.path("/members"), bad), 400, "BadRequest", format},
		{c.alice.delete(c.path("/members/8:acs:fakeid")), 400, "BadRequest", format},
		{c.alice.post(c.path("/members"), `{"participants":[]}`), 400, "BadRequest", "The members are missing."},
		{c.alice.post("/chat/threads", `{"topic":"never","participants":[]}`), 400, "BadRequest", "Initiator is not a participant of the thread"},
		{c.b.user("voip").get("/chat/threads"), 403, "Forbidden", ""},
	} {
		test.answer.is(test.status).same(bareError(test.code, test.message))
	}
	c.b.nobody().at(c.b.version).get(c.path("/members")).empty(http.StatusUnauthorized)
}

func (c *memberConversation) ends() {
	c.bob.delete(c.path("/members/" + c.bob.id)).empty(http.StatusNoContent)
	c.bob.get(c.path("/members")).is(http.StatusForbidden).
		same(bareError("Forbidden", "User "+c.bob.id+" is not a member of the thread "+string(c.thread)))
	c.alice.delete(c.path("")).empty(http.StatusNoContent)
	c.alice.get("/chat/threads").holds("value.*.isDeleted", true).lacks("value.0.deletedOn")
}

// The content of a system message is one well-formed element, whatever a user wrote into topic and names.
func TestActivityIsWellFormed(t *testing.T) {
	t.Parallel()
	alice := newBench(t).at(chatPreview2).user()
	for _, name := range []string{"]]>", "<friendlyName>", "&amp;", "\u0001", "\uFFFF", "'\"", "世界", " "} {
		made := alice.post("/chat/threads", encoded(map[string]any{
			"topic": name, "members": []any{map[string]any{"id": alice.id, "displayName": name}},
		})).is(http.StatusMultiStatus)
		for _, content := range alice.get("/chat/threads/" + made.text("multipleStatus.1.id") + "/messages").is(http.StatusOK).texts("value.*.content") {
			var element struct {
				Value   string `xml:"value"`
				Targets []struct {
					Name string `xml:"friendlyName"`
				} `xml:"detailedtargetinfo"`
			}
			if err := xml.Unmarshal([]byte(content), &element); err != nil {
				t.Errorf("%q: %v: %s", name, err, content)
				continue
			}
			got := element.Value
			if element.Targets != nil {
				got = element.Targets[0].Name
			}
			if want := strings.NewReplacer("\u0001", "\uFFFD", "\uFFFF", "\uFFFD").Replace(name); got != want { // XML has no such characters
				t.Errorf("%q is told as %q in %s", name, got, content)
			}
		}
	}
}
