package httpapi

import (
	"net/http"
	"testing"
	"time"
)

const (
	teamsUserID = "8:orgid:10a1d2f9-4f3e-4e0b-8d3a-2b9a1c0d4e5f"
	unknownUser = "8:acs:" + otherResource + "_00000020-1234-1234-1234-123456789012"
)

func TestAddParticipants(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	carol, dave := b.users(1)[0], b.users(1)[0]
	th := alice.newThread(bob.id)
	b.clock.advance(time.Minute)
	a := bob.post(th.path("/participants/:add"), encoded(map[string]any{"participants": []any{
		map[string]any{
			"communicationIdentifier": user(carol), "displayName": "Carol", "shareHistoryTime": "2022-05-06T07:08:09.987Z",
			"metadata": map[string]any{"role": "host"},
		},
		map[string]any{"communicationIdentifier": user(dave)},
	}}))
	a.is(http.StatusCreated).same(map[string]any{})

	added := []any{
		map[string]any{
			"communicationIdentifier": user(carol), "displayName": "Carol", "shareHistoryTime": "2022-05-06T07:08:09Z",
			"metadata": map[string]any{"role": "host"},
		},
		map[string]any{"communicationIdentifier": user(dave), "shareHistoryTime": "1970-01-01T00:00:00Z"},
	}
	alice.get(th.path("/participants")).is(http.StatusOK).
		holds("value.*.communicationIdentifier.rawId", alice.id, bob.id, carol, dave).
		holds("value.2", added[0]).holds("value.3", added[1])
	// One call leaves one message.
	alice.get(th.path("/messages")).holds("value.*.sequenceId", "3", "2", "1").
		holds("value.0.type", "participantAdded").
		holds("value.0.content", map[string]any{"participants": added, "initiatorCommunicationIdentifier": user(bob.id)})
}

func TestAddParticipantsWhoAreThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	carol := b.users(1)[0]
	th := alice.newThread(bob.id)
	again := map[string]any{"communicationIdentifier": user(bob.id), "displayName": "Robert", "shareHistoryTime": "2025-01-01T00:00:00Z"}
	add := func(list ...any) {
		alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": list})).is(http.StatusCreated).same(map[string]any{})
	}
	alice.post(th.path("/participants/:add"), `{"participants":[]}`).is(http.StatusCreated).same(map[string]any{})
	add(again)
	alice.get(th.path("/messages")).holds("value.*.sequenceId", "2", "1")
	add(again, participants(carol)[0], participants(carol)[0])
	alice.get(th.path("/messages")).holds("value.0.content.participants.*.communicationIdentifier.rawId", carol)
	alice.get(th.path("/participants")).
		holds("value.*.communicationIdentifier.rawId", alice.id, bob.id, carol).
		lacks("value.1.displayName").holds("value.1.shareHistoryTime", "1970-01-01T00:00:00Z")
}

// Recorded by the CLI suite: who cannot be added is reported, the others are added.
func TestParticipantsWhoCannotBeAdded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	gone := b.user()
	b.owner().delete("/identities/" + gone.id).empty(http.StatusNoContent)
	bad := []string{
		gone.id,
		"8:acs:" + resource + "_00000000-0000-0000-0000-000000000000",
		"8:acs:" + otherResource + "_00000020-1234-1234-1234-123456789012",
		teamsUserID, "28:orgid:10a1d2f9-4f3e-4e0b-8d3a-2b9a1c0d4e5f", "4:+15550100",
	}
	var list, invalid []any
	for _, id := range bad {
		list = append(list, map[string]any{"communicationIdentifier": map[string]any{"rawId": id}})
		invalid = append(invalid, map[string]any{"target": id, "code": "403", "message": "Permissions check failed"})
	}
	body := encoded(map[string]any{"topic": "lunch", "participants": append(list, participants(bob.id)...)})
	created := alice.post("/chat/threads", body).is(http.StatusCreated).holds("invalidParticipants", invalid)
	th := thread(created.text("chatThread.id"))
	alice.get(th.path("/participants")).holds("value.*.communicationIdentifier.rawId", alice.id, bob.id)

	carol := b.users(1)[0]
	alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": append(list, participants(carol)...)})).
		is(http.StatusCreated).same(map[string]any{"invalidParticipants": invalid})
	alice.get(th.path("/participants")).holds("value.*.communicationIdentifier.rawId", alice.id, bob.id, carol)
}

// Recorded by the Android and CLI suites: one malformed id fails the whole call.
func TestMalformedParticipants(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	carol := b.users(1)[0]
	for name, test := range map[string]struct {
		identifier any
		id         string
	}{
		"CLI suite":         {user("8:acs:fakeid"), "8:acs:fakeid"},
		"Android suite":     {user("8:acs:invalidUserId"), "8:acs:invalidUserId"},
		"unknown kind":      {map[string]any{"rawId": "48:calls"}, "48:calls"},
		"empty identifier":  {map[string]any{}, ""},
		"no identifier":     {nil, ""},
		"phone with letter": {map[string]any{"phoneNumber": map[string]any{"value": "+1x"}}, "4:+1x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alice := alice.in(t)
			list := append(participants(carol), map[string]any{"communicationIdentifier": test.identifier})
			message := "Identifier format is invalid (" + test.id + ")."
			alice.post("/chat/threads", encoded(map[string]any{"topic": "never", "participants": list})).refused(http.StatusBadRequest, "BadRequest", message)
			alice.post(th.path("/participants/:add"), encoded(map[string]any{"participants": list})).refused(http.StatusBadRequest, "BadRequest", message)
			if test.identifier != nil {
				alice.post(th.path("/participants/:remove"), encoded(test.identifier)).refused(http.StatusBadRequest, "BadRequest", message)
			}
			alice.get(th.path("/participants")).holds("value.*.communicationIdentifier.rawId", alice.id)
			alice.get("/chat/threads").holds("value.*.topic", "lunch")
		})
	}
}

// Who is meant stands in the nested object, in the raw id, or in both; the former counts (identifier models of
// azure-communication-common).
func TestFormsOfIdentifiers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.users(1)[0]
	for name, identifier := range map[string]any{
		"nested, as SDKs of 2021 send": map[string]any{"communicationUser": map[string]any{"id": id}},
		"raw, of unknown kind":         map[string]any{"rawId": id},
		"both":                         user(id),
		"both, different":              map[string]any{"rawId": "8:acs:fakeid", "communicationUser": map[string]any{"id": id}},
		"with its kind":                map[string]any{"kind": "communicationUser", "rawId": id, "communicationUser": map[string]any{"id": id}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alice := b.in(t).user()
			th := alice.newThread()
			body := encoded(map[string]any{"participants": []any{map[string]any{"communicationIdentifier": identifier}}})
			alice.post(th.path("/participants/:add"), body).is(http.StatusCreated).same(map[string]any{})
			alice.get(th.path("/participants")).holds("value.1.communicationIdentifier", user(id))
			alice.post(th.path("/participants/:remove"), encoded(identifier)).empty(http.StatusNoContent)
			alice.get(th.path("/participants")).holds("value.*.communicationIdentifier.rawId", alice.id)
		})
	}
}

// Identifiers of other services are understood, although nobody of them can be added.
func TestFormsOfForeignIdentifiers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	const guid = "10a1d2f9-4f3e-4e0b-8d3a-2b9a1c0d4e5f"
	for want, identifier := range map[string]any{
		"4:+15550100":            map[string]any{"phoneNumber": map[string]any{"value": "+15550100"}},
		"8:orgid:" + guid:        map[string]any{"microsoftTeamsUser": map[string]any{"userId": guid}},
		"8:dod:" + guid:          map[string]any{"microsoftTeamsUser": map[string]any{"userId": guid, "cloud": "dod"}},
		"8:gcch:" + guid:         map[string]any{"microsoftTeamsUser": map[string]any{"userId": guid, "cloud": "gcch"}},
		"8:teamsvisitor:" + guid: map[string]any{"microsoftTeamsUser": map[string]any{"userId": guid, "isAnonymous": true}},
		"28:orgid:" + guid:       map[string]any{"microsoftTeamsApp": map[string]any{"appId": guid}},
		"28:gcch:" + guid:        map[string]any{"microsoftTeamsApp": map[string]any{"appId": guid, "cloud": "gcch"}},
	} {
		body := encoded(map[string]any{"topic": "lunch", "participants": []any{map[string]any{"communicationIdentifier": identifier}}})
		alice.post("/chat/threads", body).is(http.StatusCreated).holds("invalidParticipants.*.target", want)
	}
}

func TestRemoveParticipant(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	th := alice.newThread(bob.id)
	b.clock.advance(time.Minute)
	bob.post(th.path("/participants/:remove"), encoded(user(alice.id))).empty(http.StatusNoContent)
	bob.get(th.path("/participants")).holds("value.*.communicationIdentifier.rawId", bob.id)
	bob.get(th.path("/messages")).holds("value.0.type", "participantRemoved").holds("value.0.content", map[string]any{
		"participants":                     []any{map[string]any{"communicationIdentifier": user(alice.id), "shareHistoryTime": "1970-01-01T00:00:00Z"}},
		"initiatorCommunicationIdentifier": user(bob.id),
	})
	// Who is not there is removed already.
	for _, id := range []string{alice.id, b.users(1)[0], teamsUserID} {
		bob.post(th.path("/participants/:remove"), encoded(map[string]any{"rawId": id})).empty(http.StatusNoContent)
	}
	bob.get(th.path("/messages")).holds("value.*.sequenceId", "3", "2", "1")
}

// Recorded by the CLI suite: the last one may leave, and is a stranger then.
func TestRemoveOneself(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	alice.post(th.path("/participants/:remove"), encoded(user(alice.id)), "Content-Type: application/merge-patch+json").empty(http.StatusNoContent)
	alice.post(th.path("/participants/:remove"), encoded(user(alice.id))).notMember(alice, th)
}

// Who was removed lists the thread and reads what came before (Azure/Communication issue 345), and no more.
func TestRemovedUser(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	w.alice.post(w.at("/participants/:remove"), encoded(user(w.bob.id))).empty(http.StatusNoContent)
	removal := w.alice.get(w.at("/messages")).text("value.0.id")
	after := w.alice.say(w.thread, "he is gone")

	w.bob.get("/chat/threads").is(http.StatusOK).holds("value.*.id", string(w.thread))
	w.bob.get(w.at("")).is(http.StatusOK).holds("topic", "lunch")
	w.bob.get(w.at("/messages")).is(http.StatusOK).holds("value.*.sequenceId", "4", "3", "2", "1").holds("value.0.id", removal)
	w.bob.get(w.said()).is(http.StatusOK)
	w.bob.get(w.at("/messages/"+after)).refused(http.StatusNotFound, "NotFound", "")
	for _, s := range samples {
		if s.version() != newestChat {
			continue
		}
		switch s.operation {
		case "UpdateThread", "DeleteThread", "SendMessage", "UpdateMessage", "DeleteMessage", "ListParticipants", "AddParticipants",
			"RemoveParticipant", "SendReadReceipt", "ListReadReceipts", "SendTyping":
			s.by(w, w.bob).notMember(w.bob, w.thread)
		}
	}
}

// Who comes back begins anew: at the end of the list, with a new share of the history.
func TestRemovedUserComesBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	carol := b.users(1)[0]
	w.alice.post(w.at("/participants/:remove"), encoded(user(w.bob.id))).empty(http.StatusNoContent)
	w.alice.post(w.at("/participants/:add"), encoded(map[string]any{"participants": participants(carol)})).is(http.StatusCreated)
	missed := w.alice.say(w.thread, "while he was away")
	b.clock.advance(time.Minute)
	w.alice.post(w.at("/participants/:add"), encoded(map[string]any{"participants": []any{
		map[string]any{"communicationIdentifier": user(w.bob.id), "shareHistoryTime": b.clock.now().Std().Format(time.RFC3339Nano)},
	}})).is(http.StatusCreated)
	heard := w.alice.say(w.thread, "welcome back")

	w.bob.get(w.at("/participants")).holds("value.*.communicationIdentifier.rawId", w.alice.id, carol, w.bob.id)
	w.bob.get(w.at("/messages")).holds("value.*.sequenceId", "8", "7").holds("value.0.id", heard)
	w.bob.get(w.at("/messages/"+missed)).refused(http.StatusNotFound, "NotFound", "")
	w.bob.get(w.said()).refused(http.StatusNotFound, "NotFound", "")
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
