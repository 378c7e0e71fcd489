package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const unknownUser = "8:acs:" + otherResource + "_00000020-1234-1234-1234-123456789012"

// flats are participants as strings in the form of a request.
func flats(ids ...string) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = map[string]any{"id": id}
	}
	return out
}

// TestMembers holds a conversation as the SDKs of 2020 did (recordings of the JavaScript and Java suites).
func TestMembers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user().at(chatPreview2), b.user().at(chatPreview2)
	carol := b.users(1)[0]
	created := alice.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "members": flats(bob.id, alice.id, unknownUser)})).
		is(http.StatusMultiStatus)
	th := thread(created.text("multipleStatus.3.id"))
	made := func(id, kind string) any { return map[string]any{"id": id, "statusCode": 201.0, "type": kind} }
	created.same(map[string]any{"multipleStatus": []any{
		made(bob.id, "ThreadMember"), made(alice.id, "ThreadMember"),
		map[string]any{"id": unknownUser, "statusCode": 403.0, "message": "Permissions check failed", "type": "ThreadMember"},
		made(string(th), "Thread"),
	}})
	if got, want := created.header.Get("Location"), b.URL+"/chat/threads/"+strings.Replace(string(th), ":", "%3A", 1); got != want {
		t.Errorf("Location is %q, want %q", got, want)
	}

	alice.post(th.path("/members"), encoded(map[string]any{"members": []any{map[string]any{"id": carol, "displayName": "Carol"}}})).
		is(http.StatusMultiStatus).same(map[string]any{"multipleStatus": []any{made(carol, "ThreadMember")}})
	member := func(id string) map[string]any {
		return map[string]any{"id": id, "shareHistoryTime": "1970-01-01T00:00:00Z"}
	}
	named := member(carol)
	named["displayName"] = "Carol"
	members := []any{member(alice.id), member(bob.id), named}
	bob.get(th.path("/members")).is(http.StatusOK).same(map[string]any{"value": members})
	bob.get(th.path("")).is(http.StatusOK).same(map[string]any{
		"id": string(th), "topic": "lunch", "createdOn": b.clock.stamp(), "createdBy": alice.id, "members": members,
	})
	bob.get("/chat/threads").is(http.StatusOK).same(map[string]any{"value": []any{map[string]any{
		"id": string(th), "topic": "lunch", "isDeleted": false, "lastMessageReceivedOn": b.clock.stamp(),
	}}})
	bob.delete(th.path("/members/" + carol)).empty(http.StatusNoContent)
	bob.get(th.path("/members")).holds("value.*.id", alice.id, bob.id)

	alice.patch(th.path(""), `{"topic":"dinner"}`).empty(http.StatusOK)
	alice.delete(th.path("")).empty(http.StatusNoContent)
	bob.get("/chat/threads").holds("value.*.isDeleted", true)
}

// The caller had to be among the members (azure-sdk-for-java issue 21723). Errors had no envelope.
func TestMembersWithoutTheCaller(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user().at(chatPreview2)
	for _, members := range [][]any{{}, flats(b.users(1)...)} {
		alice.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "members": members})).is(http.StatusBadRequest).
			same(map[string]any{"Code": "BadRequest", "Message": "Initiator is not a participant of the thread", "InnerErrors": []any{}})
	}
}

func TestOldMessages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user().at(chatPreview2), b.user()
	th := thread(alice.post("/chat/threads", encoded(map[string]any{
		"topic": "lunch & more", "members": []any{map[string]any{"id": alice.id, "displayName": "Alice"}, map[string]any{"id": bob.id}},
	})).is(http.StatusMultiStatus).text("multipleStatus.2.id"))
	b.clock.advance(time.Minute)
	high := alice.post(th.path("/messages"), `{"content":"hello","priority":"High","senderDisplayName":"Alice"}`).is(http.StatusCreated).text("id")
	low := alice.post(th.path("/messages"), `{"content":"again"}`).is(http.StatusCreated).text("id")
	html := bob.post(th.path("/messages"), `{"content":"<b>bold</b>","type":"html"}`).is(http.StatusCreated).text("id")
	message := func(id, kind, priority, content, name string, sender string) map[string]any {
		return map[string]any{
			"id": id, "type": kind, "priority": priority, "version": id, "content": content, "senderDisplayName": name,
			"createdOn": b.clock.stamp(), "senderId": sender,
		}
	}
	want := []any{
		message(html, "RichText/Html", "Normal", "<b>bold</b>", "", bob.id),
		message(low, "Text", "Normal", "again", "", alice.id),
		message(high, "Text", "High", "hello", "Alice", alice.id),
	}
	list := alice.get(th.path("/messages")).is(http.StatusOK)
	for i, m := range want {
		list.holds("value."+string(rune('0'+i)), m)
		alice.get(th.path("/messages/" + m.(map[string]any)["id"].(string))).is(http.StatusOK).same(m)
	}
	// The sender of a system message was the thread, its content XML.
	list.holds("value.3", map[string]any{
		"id": "1742466030457", "type": "ThreadActivity/TopicUpdate", "priority": "Normal", "version": "1742466030457",
		"createdOn": "2025-03-20T10:20:30Z", "senderId": string(th),
		"content": "<topicupdate><eventtime>1742466030457</eventtime><initiator>" + alice.id + "</initiator><value>lunch &amp; more</value></topicupdate>",
	})
	list.holds("value.4.type", "ThreadActivity/AddMember").holds("value.4.content", "<addmember><eventtime>1742466030456</eventtime><initiator>"+
		alice.id+"</initiator><detailedinitiatorinfo><friendlyName>Alice</friendlyName></detailedinitiatorinfo>"+
		"<rosterVersion>1742466030456</rosterVersion><target>"+alice.id+"</target><detailedtargetinfo><id>"+alice.id+
		"</id><friendlyName>Alice</friendlyName></detailedtargetinfo><target>"+bob.id+"</target><detailedtargetinfo><id>"+bob.id+
		"</id><friendlyName></friendlyName></detailedtargetinfo></addmember>")

	alice.patch(th.path("/messages/"+high), `{"content":"hey"}`).empty(http.StatusOK)
	alice.get(th.path("/messages/"+high)).holds("content", "hey").holds("editedOn", b.clock.stamp())
	alice.patch(th.path("/messages/"+high), `{"priority":"Normal"}`).empty(http.StatusOK)
	alice.get(th.path("/messages/"+high)).holds("content", "hey").holds("priority", "Normal")
	alice.delete(th.path("/messages/" + high)).empty(http.StatusNoContent)
	alice.get(th.path("/messages/"+high)).holds("content", "").holds("deletedOn", b.clock.stamp())
}

// Receipts were posted to another path, whose answer was 201.
func TestOldReceipts(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	bob := w.bob.at(chatPreview2)
	bob.post(w.at("/readreceipts"), receiptBody(w)).empty(http.StatusCreated)
	bob.get(w.at("/readreceipts")).is(http.StatusOK).same(map[string]any{"value": []any{
		map[string]any{"senderId": bob.id, "chatMessageId": w.message, "readOn": w.b.clock.stamp()},
	}})
	w.bob.get(w.at("/readreceipts")).is(http.StatusOK).holds("value.*.senderCommunicationIdentifier.rawId", w.bob.id)
}

// TestFlatIdentifiers holds a conversation as 2020-11-01-preview3 had it: participants, named by strings.
func TestFlatIdentifiers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user().at(chatPreview3), b.user()
	carol := b.users(1)[0]
	created := alice.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "participants": flats(bob.id, unknownUser)})).is(http.StatusCreated)
	th := thread(created.text("chatThread.id"))
	created.same(map[string]any{
		"chatThread": map[string]any{"id": string(th), "topic": "lunch", "createdOn": b.clock.stamp(), "createdBy": alice.id},
		"errors": map[string]any{"invalidParticipants": []any{
			map[string]any{"target": unknownUser, "code": "403", "message": "Permissions check failed"},
		}},
	})
	add := th.path("/participants/:add")
	alice.post(add, encoded(map[string]any{"participants": []any{
		map[string]any{"id": carol, "displayName": "Carol", "shareHistoryTime": "2020-09-08T01:02:14.387Z"},
	}})).is(http.StatusCreated).same(map[string]any{})
	alice.post(add, encoded(map[string]any{"participants": flats(unknownUser)})).is(http.StatusCreated).holds("errors.invalidParticipants.*.target", unknownUser)
	alice.get(th.path("/participants")).is(http.StatusOK).same(map[string]any{"value": []any{
		map[string]any{"id": alice.id, "shareHistoryTime": "1970-01-01T00:00:00Z"},
		map[string]any{"id": bob.id, "shareHistoryTime": "1970-01-01T00:00:00Z"},
		map[string]any{"id": carol, "displayName": "Carol", "shareHistoryTime": "2020-09-08T01:02:14Z"},
	}})
	alice.get(th.path("")).holds("createdBy", alice.id).lacks("createdByCommunicationIdentifier", "members")

	id := alice.post(th.path("/messages"), `{"content":"hello","type":"text"}`).is(http.StatusCreated).text("id")
	sent := map[string]any{
		"id": id, "type": "text", "sequenceId": "4", "version": id, "content": map[string]any{"message": "hello"},
		"senderDisplayName": "", "createdOn": b.clock.stamp(), "senderId": alice.id,
	}
	alice.get(th.path("/messages/" + id)).is(http.StatusOK).same(sent)
	alice.get(th.path("/messages")).is(http.StatusOK).holds("value.0", sent).
		holds("value.2.content", map[string]any{"topic": "lunch", "initiator": alice.id}).
		holds("value.3.content", map[string]any{"initiator": alice.id, "participants": []any{
			map[string]any{"id": alice.id, "shareHistoryTime": "1970-01-01T00:00:00Z"},
			map[string]any{"id": bob.id, "shareHistoryTime": "1970-01-01T00:00:00Z"},
		}}).lacks("value.3.senderDisplayName", "value.3.senderId")

	bob.receipt(th, id).empty(http.StatusOK)
	alice.get(th.path("/readReceipts")).holds("value.0.senderId", bob.id)
	alice.patch(th.path("/messages/"+id), `{"content":"hey"}`).empty(http.StatusNoContent)
	alice.patch(th.path(""), `{"topic":"dinner"}`).empty(http.StatusNoContent)
	alice.delete(th.path("/participants/" + strings.ReplaceAll(carol, ":", "%3A"))).empty(http.StatusNoContent)
	alice.get(th.path("/participants")).holds("value.*.id", alice.id, bob.id)
}

// Identifier objects came with 2021-01-27-preview4, invalidParticipants beside the thread with the next preview.
func TestInvalidParticipantsOfVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	body := encoded(map[string]any{"topic": "lunch", "participants": participants(unknownUser)})
	for version, path := range map[string]string{
		chatPreview4:          "errors.invalidParticipants.*.target",
		"2021-03-01-preview5": "invalidParticipants.*.target",
		"2021-03-07":          "invalidParticipants.*.target",
	} {
		alice := b.user().at(version)
		a := alice.post("/chat/threads", body).is(http.StatusCreated).holds(path, unknownUser).holds("chatThread.createdByCommunicationIdentifier", user(alice.id))
		alice.post("/chat/threads/"+a.text("chatThread.id")+"/participants/:add", body).is(http.StatusCreated).holds(path, unknownUser)
	}
}

// The envelope of errors changed twice (recordings of the Java and Android suites).
func TestErrorsOfVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	const message = "The specified thread id was not found."
	inner := map[string]any{"Code": "NotFound", "Message": message, "Details": []any{}}
	for version, want := range map[string]any{
		chatOldest:            map[string]any{"Code": "NotFound", "Message": message, "InnerErrors": []any{}},
		chatPreview2:          map[string]any{"Code": "NotFound", "Message": message, "InnerErrors": []any{}},
		chatPreview3:          map[string]any{"Error": inner},
		chatPreview4:          map[string]any{"Error": inner},
		"2021-03-01-preview5": map[string]any{"CommunicationError": inner},
		"2021-03-07":          map[string]any{"CommunicationError": inner},
		chatLastImages:        map[string]any{"CommunicationError": inner},
		newestChat:            map[string]any{"CommunicationError": inner},
	} {
		alice.at(version).get("/chat/threads/19:unknown@thread.v2").is(http.StatusNotFound).same(want)
	}
}

// Roles, and the change of a participant, were in 2021-10-01-preview7 only.
func TestRoles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user().at(chatPreview7)
	bob, carol := b.users(1)[0], b.users(1)[0]
	th := thread(alice.post("/chat/threads", encoded(map[string]any{"topic": "lunch", "participants": []any{
		map[string]any{"communicationIdentifier": user(bob), "displayName": "Bob", "roleIds": []any{"guest"}},
	}})).is(http.StatusCreated).text("chatThread.id"))
	alice.get(th.path("/participants")).holds("value.1.roleIds", []any{"guest"})
	alice.at(newestChat).get(th.path("/participants")).lacks("value.1.roleIds")

	update := th.path("/participants/:update")
	alice.post(update, encoded(map[string]any{"communicationIdentifier": user(bob), "roleIds": []any{"host", "guest"}})).empty(http.StatusNoContent)
	alice.get(th.path("/participants")).holds("value.1.roleIds", []any{"host", "guest"}).holds("value.1.displayName", "Bob")
	alice.post(update, encoded(map[string]any{"communicationIdentifier": user(bob), "displayName": "Robert"})).empty(http.StatusNoContent)
	alice.get(th.path("/participants")).holds("value.1.roleIds", []any{"host", "guest"}).holds("value.1.displayName", "Robert")

	alice.post(update, encoded(map[string]any{"communicationIdentifier": user(carol)})).refused(http.StatusNotFound, "NotFound", "")
	alice.post(update, encoded(map[string]any{"communicationIdentifier": user("8:acs:fakeid")})).
		refused(http.StatusBadRequest, "BadRequest", "Identifier format is invalid (8:acs:fakeid).")
	stranger := b.user().at(chatPreview7)
	stranger.post(update, encoded(map[string]any{"communicationIdentifier": user(bob)})).notMember(stranger, th)
}

// Identity of 2020 (recordings of the JavaScript and Python suites of communication-administration).
func TestOldIdentity(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner().at(identityOldest)
	created := owner.post("/identities", "").is(http.StatusOK)
	id := created.text("id")
	created.same(map[string]any{"id": id})
	checkMinted(t, id, b)

	issue := func() caller {
		a := owner.post("/identities/"+id+"/token", `{"scopes":["chat","pstn"]}`).is(http.StatusOK)
		a.same(map[string]any{"id": id, "token": a.text("token"), "expiresOn": a.text("expiresOn")})
		return b.bearer(a.text("token"))
	}
	first := issue()
	first.get("/chat/threads").is(http.StatusOK)
	owner.patch("/identities/"+id, `{"tokensValidFrom":"2020-10-10T00:00:00.000Z"}`).empty(http.StatusNoContent)
	first.get("/chat/threads").is(http.StatusOK) // it is of later
	owner.patch("/identities/"+id, `{}`).empty(http.StatusNoContent)
	first.get("/chat/threads").empty(http.StatusUnauthorized)

	b.clock.advance(time.Hour)
	second := issue()
	second.get("/chat/threads").is(http.StatusOK)
	owner.patch("/identities/"+id, `{"tokensValidFrom":"`+b.clock.now().Std().Add(-time.Minute).Format(time.RFC3339)+`"}`).empty(http.StatusNoContent)
	second.get("/chat/threads").is(http.StatusOK)
	owner.patch("/identities/"+id, `{"tokensValidFrom":"2100-01-01T00:00:00Z"}`).empty(http.StatusNoContent)
	second.get("/chat/threads").empty(http.StatusUnauthorized)
	issue().get("/chat/threads").is(http.StatusOK)

	owner.post("/identities/"+id+"/token", `{}`).denied(http.StatusBadRequest, "ValidationError", "Scopes: The Scopes field is required.", "Scopes")
	owner.delete("/identities/" + id).empty(http.StatusNoContent)
	owner.post("/identities/"+id+"/token", `{"scopes":["chat"]}`).notOwned()
	owner.patch("/identities/"+id, `{}`).notOwned()
}
