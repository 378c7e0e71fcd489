package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
)

// nullRow says what a field of a request means when it is absent, null and given.
type nullRow struct {
	field     string // type of the request or of a part of it, and the name in JSON
	operation string
	version   string // empty: the newest of the API
	body      string // with %s where the field goes
	value     string
	see       string // path to what is looked at afterwards; empty: the status of the answer

	absent, null, given any // what is there then; a number is the status of the answer
}

var notThere = absent{}

// The state that a row begins with: see nullWorld.
var (
	kept     = map[string]any{"a": "1", "b": "2"}
	days90   = map[string]any{"kind": "threadCreationDate", "deleteThreadAfterDays": 90.0}
	textOnly = map[string]any{"textOnlyChat": true}
	attached = []any{map[string]any{"id": "1", "attachmentType": "file", "url": "https://example.com/a"}}
)

const (
	participantBody = `{"participants":[{"communicationIdentifier":{"rawId":"{carol}"}%s}]}`
	attachmentBody  = `{"content":"x","attachments":[{%s}]}`
	theEpoch        = "1970-01-01T00:00:00Z"
)

// nullRows has a row for each field of each body of a PATCH and POST request. A merge patch (RFC 7396) tells absent from null:
// what can be taken away is taken away by null, which is recorded of retentionPolicy (chatThreadClient.spec.ts of
// azure-sdk-for-js). In all other bodies null counts as absent, as JSON readers of .NET make no difference; recorded of
// expiresInMinutes (CLI suite).
var nullRows = []nullRow{
	// Merge patches.
	{"updateThreadRequest.topic", "UpdateThread", "", `{%s}`, `"dinner"`, "topic", "lunch", "lunch", "dinner"},
	{"updateThreadRequest.metadata", "UpdateThread", "", `{%s}`, `{"b":"","c":"3"}`, "metadata", kept, notThere, map[string]any{"a": "1", "c": "3"}},
	{"updateThreadRequest.metadata.a", "UpdateThread", "", `{"metadata":{%s}}`, `"2"`, "metadata.a", "1", notThere, "2"},
	{"updateThreadRequest.retentionPolicy", "UpdateThread", "", `{%s}`, `{"kind":"threadCreationDate","deleteThreadAfterDays":30}`, "retentionPolicy.deleteThreadAfterDays", 90.0, notThere, 30.0},
	{"updateThreadRequest.retentionPolicy", "UpdateThread", "", `{%s}`, `{"kind":"none"}`, "retentionPolicy.kind", "threadCreationDate", "none", "none"},
	{"updateThreadRequest.retentionPolicy", "UpdateThread", chatLastImages, `{%s}`, `{"kind":"none"}`, "retentionPolicy", days90, map[string]any{"kind": "none"}, map[string]any{"kind": "none"}},
	{"updateThreadRequest.messagingPolicy", "UpdateThread", chatLastImages, `{%s}`, `{"textOnlyChat":false}`, "messagingPolicy", textOnly, notThere, notThere},
	{"updateMessageRequest.content", "UpdateMessage", "", `{%s}`, `"hey"`, "content.message", "hello", "hello", "hey"},
	{"updateMessageRequest.metadata", "UpdateMessage", "", `{%s}`, `{"b":"","c":"3"}`, "metadata", kept, notThere, map[string]any{"a": "1", "c": "3"}},
	{"updateMessageRequest.metadata.a", "UpdateMessage", "", `{"metadata":{%s}}`, `"2"`, "metadata.a", "1", notThere, "2"},
	{"updateMessageRequest.attachments", "UpdateMessage", chatImages, `{%s}`, `[]`, "content.attachments", attached, []any{}, []any{}},
	{"updateWithPriorityRequest.content", "UpdateMessage", chatPreview2, `{%s}`, `"hey"`, "content", "hello", "hello", "hey"},
	{"updateWithPriorityRequest.priority", "UpdateMessage", chatPreview2, `{%s}`, `"Normal"`, "priority", "High", "High", "Normal"},
	{"revokeTokensBeforeRequest.tokensValidFrom", "RevokeTokens", identityOldest, `{%s}`, `"2020-10-10T00:00:00Z"`, "bob", 401, 401, 200},

	// A policy is replaced as a whole, in a patch too.
	{"retentionModel.kind", "UpdateThread", "", `{"retentionPolicy":{"deleteThreadAfterDays":30%s}}`, `"threadCreationDate"`, "retentionPolicy.deleteThreadAfterDays", 400, 400, 30.0},
	{"retentionModel.kind", "CreateThread", "", `{"topic":"x","retentionPolicy":{"deleteThreadAfterDays":30%s}}`, `"threadCreationDate"`, "retentionPolicy.deleteThreadAfterDays", 400, 400, 30.0},
	{"retentionModel.deleteThreadAfterDays", "UpdateThread", "", `{"retentionPolicy":{"kind":"threadCreationDate"%s}}`, `30`, "retentionPolicy.deleteThreadAfterDays", 400, 400, 30.0},
	{"retentionModel.deleteThreadAfterDays", "UpdateThread", "", `{"retentionPolicy":{"kind":"none"%s}}`, `30`, "retentionPolicy.deleteThreadAfterDays", notThere, notThere, notThere},
	{"policyModel.textOnlyChat", "UpdateThread", chatLastImages, `{"messagingPolicy":{%s}}`, `true`, "messagingPolicy", notThere, notThere, textOnly},
	{"policyModel.textOnlyChat", "CreateThread", chatLastImages, `{"topic":"x","messagingPolicy":{%s}}`, `true`, "messagingPolicy", notThere, notThere, textOnly},

	// Threads and their participants.
	{"createThreadRequest.topic", "CreateThread", "", `{"participants":[]%s}`, `"x"`, "topic", 400, 400, "x"},
	{"createThreadRequest.participants", "CreateThread", "", `{"topic":"x"%s}`, `[]`, "topic", "x", "x", "x"},
	{"createThreadRequest.metadata", "CreateThread", "", `{"topic":"x"%s}`, `{"a":"1"}`, "metadata", notThere, notThere, map[string]any{"a": "1"}},
	{"createThreadRequest.metadata.a", "CreateThread", "", `{"topic":"x","metadata":{%s}}`, `"1"`, "metadata.a", notThere, notThere, "1"},
	{"createThreadRequest.retentionPolicy", "CreateThread", "", `{"topic":"x"%s}`, `{"kind":"none"}`, "retentionPolicy.kind", notThere, notThere, "none"},
	{"createThreadRequest.messagingPolicy", "CreateThread", chatLastImages, `{"topic":"x"%s}`, `{"textOnlyChat":true}`, "messagingPolicy", notThere, notThere, textOnly},
	{"flatCreateThreadRequest.topic", "CreateThread", chatPreview3, `{"participants":[]%s}`, `"x"`, "topic", 400, 400, "x"},
	{"flatCreateThreadRequest.participants", "CreateThread", chatPreview3, `{"topic":"x"%s}`, `[]`, "topic", "x", "x", "x"},
	{"createWithMembersRequest.topic", "CreateThread", chatPreview2, `{"members":[{"id":"{alice}"}]%s}`, `"x"`, "topic", 400, 400, "x"},
	{"createWithMembersRequest.members", "CreateThread", chatPreview2, `{"topic":"x"%s}`, `[{"id":"{alice}"}]`, "topic", 400, 400, "x"},
	{"addParticipantsRequest.participants", "AddParticipants", "", `{%s}`, `[]`, "value.2", 400, 400, notThere},
	{"flatAddParticipantsRequest.participants", "AddParticipants", chatPreview3, `{%s}`, `[]`, "value.2", 400, 400, notThere},
	{"addMembersRequest.members", "AddParticipants", chatPreview2, `{%s}`, `[]`, "value.2", 400, 400, notThere},
	{"participantModel.communicationIdentifier", "AddParticipants", "", `{"participants":[{%s}]}`, `{"rawId":"{carol}"}`, "value.2.communicationIdentifier.rawId", 400, 400, "{carol}"},
	{"participantModel.displayName", "AddParticipants", "", participantBody, `"Carol"`, "value.2.displayName", notThere, notThere, "Carol"},
	{"participantModel.shareHistoryTime", "AddParticipants", "", participantBody, `"2020-10-30T10:50:50Z"`, "value.2.shareHistoryTime", theEpoch, theEpoch, "2020-10-30T10:50:50Z"},
	{"participantModel.metadata", "AddParticipants", "", participantBody, `{"a":"1"}`, "value.2.metadata", notThere, notThere, map[string]any{"a": "1"}},
	{"participantModel.roleIds", "AddParticipants", chatPreview7, participantBody, `["r"]`, "value.2.roleIds", notThere, notThere, []any{"r"}},
	{"flatParticipant.id", "AddParticipants", chatPreview3, `{"participants":[{%s}]}`, `"{carol}"`, "value.2.id", 400, 400, "{carol}"},
	{"flatParticipant.displayName", "AddParticipants", chatPreview3, `{"participants":[{"id":"{carol}"%s}]}`, `"Carol"`, "value.2.displayName", notThere, notThere, "Carol"},
	{"flatParticipant.shareHistoryTime", "AddParticipants", chatPreview3, `{"participants":[{"id":"{carol}"%s}]}`, `"2020-10-30T10:50:50Z"`, "value.2.shareHistoryTime", theEpoch, theEpoch, "2020-10-30T10:50:50Z"},
	{"updateParticipantRequest.communicationIdentifier", "UpdateParticipant", chatPreview7, `{"displayName":"x"%s}`, `{"rawId":"{bob}"}`, "value.1.displayName", 400, 400, "x"},
	{"updateParticipantRequest.displayName", "UpdateParticipant", chatPreview7, `{"communicationIdentifier":{"rawId":"{bob}"}%s}`, `""`, "value.1.displayName", "Bob", "Bob", notThere},
	{"updateParticipantRequest.roleIds", "UpdateParticipant", chatPreview7, `{"communicationIdentifier":{"rawId":"{bob}"}%s}`, `[]`, "value.1.roleIds", []any{"r"}, []any{"r"}, notThere},

	// Identifiers: one that is null is none, and the others count.
	{"identifierModel.rawId", "RemoveParticipant", "", `{%s}`, `"{bob}"`, "value.1", 400, 400, notThere},
	{"identifierModel.communicationUser", "RemoveParticipant", "", `{"rawId":"{bob}"%s}`, `{"id":"x"}`, "value.1", notThere, notThere, 400},
	{"identifierModel.phoneNumber", "RemoveParticipant", "", `{"rawId":"{bob}"%s}`, `{"value":"x"}`, "value.1", notThere, notThere, 400},
	{"identifierModel.microsoftTeamsUser", "RemoveParticipant", "", `{"rawId":"{bob}"%s}`, `{"userId":"/"}`, "value.1", notThere, notThere, 400},
	{"identifierModel.microsoftTeamsApp", "RemoveParticipant", "", `{"rawId":"{bob}"%s}`, `{"appId":"/"}`, "value.1", notThere, notThere, 400},
	{"userModel.id", "RemoveParticipant", "", `{"communicationUser":{%s}}`, `"{bob}"`, "value.1", 400, 400, notThere},
	{"phoneModel.value", "RemoveParticipant", "", `{"phoneNumber":{%s}}`, `"+15550100"`, "", 400, 400, 204},
	{"teamsUser.userId", "RemoveParticipant", "", `{"microsoftTeamsUser":{%s}}`, `"u"`, "", 400, 400, 204},
	{"teamsUser.isAnonymous", "RemoveParticipant", "", `{"microsoftTeamsUser":{"userId":"u"%s}}`, `true`, "", 204, 204, 204},
	{"teamsUser.cloud", "RemoveParticipant", "", `{"microsoftTeamsUser":{"userId":"u"%s}}`, `"dod"`, "", 204, 204, 204},
	{"teamsAppModel.appId", "RemoveParticipant", "", `{"microsoftTeamsApp":{%s}}`, `"u"`, "", 400, 400, 204},
	{"teamsAppModel.cloud", "RemoveParticipant", "", `{"microsoftTeamsApp":{"appId":"u"%s}}`, `"dod"`, "", 204, 204, 204},

	// Messages, receipts, typing.
	{"sendMessageRequest.content", "SendMessage", "", `{"type":"text"%s}`, `"x"`, "content.message", 400, 400, "x"},
	{"sendMessageRequest.senderDisplayName", "SendMessage", "", `{"content":"x"%s}`, `"Alice"`, "senderDisplayName", notThere, notThere, "Alice"},
	{"sendMessageRequest.type", "SendMessage", "", `{"content":"x"%s}`, `"html"`, "type", "text", "text", "html"},
	{"sendMessageRequest.metadata", "SendMessage", "", `{"content":"x"%s}`, `{"a":"1"}`, "metadata", notThere, notThere, map[string]any{"a": "1"}},
	{"sendMessageRequest.metadata.a", "SendMessage", "", `{"content":"x","metadata":{%s}}`, `"1"`, "metadata.a", notThere, notThere, "1"},
	{"sendMessageRequest.attachments", "SendMessage", chatImages, `{"content":"x"%s}`, encoded(attached), "content.attachments", []any{}, []any{}, attached},
	{"Attachment.id", "SendMessage", chatImages, strings.Replace(attachmentBody, "%s", `"attachmentType":"file"%s`, 1), `"1"`, "content.attachments.0.id", 400, 400, "1"},
	{"Attachment.attachmentType", "SendMessage", chatImages, strings.Replace(attachmentBody, "%s", `"id":"1"%s`, 1), `"file"`, "content.attachments.0.attachmentType", 400, 400, "file"},
	{"Attachment.name", "SendMessage", chatImages, strings.Replace(attachmentBody, "%s", `"id":"1","attachmentType":"file"%s`, 1), `"n"`, "content.attachments.0.name", notThere, notThere, "n"},
	{"Attachment.url", "SendMessage", chatImages, strings.Replace(attachmentBody, "%s", `"id":"1","attachmentType":"file"%s`, 1), `"u"`, "content.attachments.0.url", notThere, notThere, "u"},
	{"Attachment.previewUrl", "SendMessage", chatImages, strings.Replace(attachmentBody, "%s", `"id":"1","attachmentType":"file"%s`, 1), `"u"`, "content.attachments.0.previewUrl", notThere, notThere, "u"},
	{"sendWithPriorityRequest.content", "SendMessage", chatPreview2, `{"priority":"High"%s}`, `"x"`, "content", 400, 400, "x"},
	{"sendWithPriorityRequest.senderDisplayName", "SendMessage", chatPreview2, `{"content":"x"%s}`, `"Alice"`, "senderDisplayName", "", "", "Alice"},
	{"sendWithPriorityRequest.priority", "SendMessage", chatPreview2, `{"content":"x"%s}`, `"High"`, "priority", "Normal", "Normal", "High"},
	{"sendReceiptRequest.chatMessageId", "SendReadReceipt", "", `{%s}`, `"{message}"`, "value.0.chatMessageId", 400, 400, "{message}"},
	{"typingRequest.senderDisplayName", "SendTyping", "", `{%s}`, `"Alice"`, "", 200, 200, 200},

	// Identity.
	{"createIdentityRequest.createTokenWithScopes", "CreateIdentity", "", `{%s}`, `["x"]`, "accessToken", notThere, notThere, 400},
	{"createIdentityRequest.expiresInMinutes", "CreateIdentity", "", `{"createTokenWithScopes":["chat"]%s}`, `60`, "accessToken.expiresOn", "2025-03-21T10:20:30.4560000+00:00", "2025-03-21T10:20:30.4560000+00:00", "2025-03-20T11:20:30.4560000+00:00"},
	{"createIdentityRequest.customId", "CreateIdentity", identityCustom, `{%s}`, `"c"`, "identity.customId", notThere, notThere, "c"},
	{"createIdentityRequest.externalId", "CreateIdentity", identityCustom, `{%s}`, `"e"`, "identity.customId", notThere, notThere, "e"},
	{"issueTokenRequest.scopes", "IssueToken", "", `{%s}`, `["chat"]`, "", 400, 400, 200},
	{"issueTokenRequest.expiresInMinutes", "IssueToken", "", `{"scopes":["chat"]%s}`, `60`, "expiresOn", "2025-03-21T10:20:30.4560000+00:00", "2025-03-21T10:20:30.4560000+00:00", "2025-03-20T11:20:30.4560000+00:00"},
	{"issueToken2020Request.scopes", "IssueToken", identityOldest, `{%s}`, `["chat"]`, "", 400, 400, 200},
	{"exchangeTeamsRequest.token", "ExchangeTeamsToken", "", `{"appId":"a","userId":"u"%s}`, `"t"`, "", 401, 401, 401},
	{"exchangeTeamsRequest.appId", "ExchangeTeamsToken", "", `{"token":"` + teamsToken + `","userId":"u"%s}`, `"a"`, "", 400, 400, 401},
	{"exchangeTeamsRequest.userId", "ExchangeTeamsToken", "", `{"token":"` + teamsToken + `","appId":"a"%s}`, `"u"`, "", 400, 400, 401},
}

func TestAbsentNullAndValue(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	base := newWorld(b)
	for _, row := range nullRows {
		t.Run(row.operation+" "+row.version+" "+row.field+" "+row.see, func(t *testing.T) {
			t.Parallel()
			name := row.field[strings.LastIndexByte(row.field, '.')+1:]
			for _, c := range []struct {
				what, field string
				want        any
			}{
				{"absent", "", row.absent},
				{"null", `,"` + name + `":null`, row.null},
				{"given", `,"` + name + `":` + row.value, row.given},
			} {
				w := nullWorld(*base, b.in(t), row)
				names := strings.NewReplacer("{alice}", w.alice.id, "{bob}", w.bob.id, "{message}", w.message, "{carol}", b.users(1)[0])
				body := names.Replace(strings.ReplaceAll(fmt.Sprintf(row.body, c.field), "{,", "{"))
				want := c.want
				if text, ok := want.(string); ok {
					want = names.Replace(text)
				}
				if diff := cmp.Diff(want, row.seen(w, body)); diff != "" {
					t.Errorf("%s %s: %s (-want +got):\n%s", c.what, body, row.see, diff)
				}
			}
		})
	}
}

// nullWorld is a world in which there is something to be taken away by each field.
func nullWorld(w world, b *bench, row nullRow) *world {
	w.b, w.alice = b, w.alice.in(b)
	out := w.renewed()
	if row.operation == "RevokeTokens" {
		out.bob = b.holder(out.bob.id)
	}
	days := chat.Retention{Kind: chat.RetentionCreationDate, Days: 90}
	only := strings.Contains(row.field, "olicy") && row.version == chatLastImages
	name, high := "Bob", true
	alice, id := chat.Identity(w.alice.id), chat.ThreadID(out.thread)
	for _, err := range []error{
		b.chat.UpdateThread(b.Context(), alice, id, chat.ThreadUpdate{Metadata: map[string]string{"a": "1", "b": "2"}, Retention: &days, TextOnly: &only}),
		b.chat.UpdateParticipant(b.Context(), alice, id, chat.ParticipantUpdate{Identity: chat.Identity(out.bob.id), DisplayName: &name, Roles: []string{"r"}}),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	if !only {
		update := chat.MessageUpdate{Metadata: map[string]string{"a": "1", "b": "2"}, High: &high}
		update.Attachments = []chat.Attachment{{ID: "1", Type: chat.AttachedFile, URL: "https://example.com/a"}}
		message := must(chat.ParseMessageID(out.message))(b)
		if err := b.chat.UpdateMessage(b.Context(), alice, id, message, update); err != nil {
			b.Fatal(err)
		}
	}
	return out
}

// seen makes the request and returns what is to be looked at afterwards.
func (row nullRow) seen(w *world, body string) any {
	w.b.Helper()
	i := slices.IndexFunc(samples, func(s sample) bool {
		return s.operation == row.operation && (row.version == "" && s.good(s.version()) && s.last == "" || row.version != "" && s.good(row.version))
	})
	s := samples[i].withBody(body)
	who := s.caller(w)
	if row.version != "" {
		who = who.at(row.version)
	}
	a := s.by(w, who)
	if a.status >= 400 || row.see == "" {
		return a.status
	}
	switch row.operation {
	case "CreateThread":
		id := a.text("chatThread.id")
		if id == "" {
			id = a.text("multipleStatus.1.id") // behind that of alice
		}
		a = who.get("/chat/threads/" + id)
	case "UpdateThread":
		a = who.get(w.at(""))
	case "SendMessage":
		a = who.get(w.at("/messages/" + a.text("id")))
	case "UpdateMessage":
		a = who.get(w.said())
	case "AddParticipants", "UpdateParticipant", "RemoveParticipant":
		list := "/participants"
		if row.version == chatPreview2 {
			list = "/members"
		}
		a = who.get(w.at(list))
	case "SendReadReceipt":
		a = who.get(w.at("/readReceipts"))
	case "RevokeTokens":
		return w.bob.get("/chat/threads").status
	}
	return pick(a.is(a.status).value(), row.see)
}

// TestEachFieldHasANullRow reads the types of all bodies: what null means in a field is decided before the field is there.
func TestEachFieldHasANullRow(t *testing.T) {
	t.Parallel()
	have, want := map[string]bool{}, map[string]bool{}
	for _, row := range nullRows {
		have[row.field] = true
	}
	for _, body := range []any{
		createThreadRequest{},
		createWithMembersRequest{},
		flatCreateThreadRequest{},
		updateThreadRequest{},
		sendMessageRequest{},
		sendWithPriorityRequest{},
		updateMessageRequest{},
		updateWithPriorityRequest{},
		addParticipantsRequest{},
		flatAddParticipantsRequest{},
		addMembersRequest{},
		identifierModel{},
		updateParticipantRequest{},
		sendReceiptRequest{},
		typingRequest{},
		createIdentityRequest{},
		issueTokenRequest{},
		issueToken2020Request{},
		revokeTokensBeforeRequest{},
		exchangeTeamsRequest{},
	} {
		fieldsBelow(reflect.TypeOf(body), want)
	}
	for _, field := range slices.Sorted(maps.Keys(want)) {
		if !have[field] {
			t.Errorf("no row says what null means in %s", field)
		}
	}
	if len(want) < 70 {
		t.Errorf("%d fields were found: where are the others?", len(want))
	}
}

// fieldsBelow collects the fields that a body has, as "type.name".
func fieldsBelow(at reflect.Type, into map[string]bool) {
	switch at.Kind() {
	case reflect.Pointer, reflect.Slice:
		fieldsBelow(at.Elem(), into)
	case reflect.Struct:
		for field := range at.Fields() {
			tag, ok := field.Tag.Lookup("json")
			if name, _, _ := strings.Cut(tag, ","); ok {
				into[at.Name()+"."+name] = true
			}
			fieldsBelow(field.Type, into)
		}
	}
}

// TestRetentionRemoved is the case of chatThreadClient.spec.ts (azure-sdk-for-js) that found the above.
func TestRetentionRemoved(t *testing.T) {
	t.Parallel()
	alice := newBench(t).user()
	th := thread(alice.post("/chat/threads", `{"topic":"lunch","retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":90}}`).
		is(http.StatusCreated).text("chatThread.id"))
	alice.patch(th.path(""), `{"retentionPolicy":null}`).empty(http.StatusNoContent)
	alice.get(th.path("")).holds("retentionPolicy", map[string]any{"kind": "none"})
}
