package httpapi

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// versionSpec is how one version of Chat is spoken from 2020-11-01-preview3 on: what its requests hold and what its answers
// tell. The table is written from the specifications of the versions and from recordings (CLI suite for attachments, Java
// and Android suites for errors), apart from the one that the server has. The versions before are in compat_members_test.go.
type versionSpec struct {
	version           string
	idempotencyHeader string // the header of the idempotency token
	errorKey          string // of errors
	flat              bool   // identifiers are strings
	nested            bool   // who could not be added stands below "errors"
	messageMetadata   bool   // messages have metadata
	attachmentTypes   string // the types of message that show attachments
	sendsAttachments  bool   // attachments can be sent
	threadMetadata    bool   // threads and participants have metadata
	retention         bool   // threads have a retention policy
	policy            bool   // threads have a messaging policy
	roles             bool   // participants have roles
}

var versionSpecs = []versionSpec{
	{version: "2020-11-01-preview3", idempotencyHeader: "repeatability-Request-ID", errorKey: "Error", flat: true, nested: true},
	{version: "2021-01-27-preview4", idempotencyHeader: "repeatability-Request-Id", errorKey: "Error", nested: true},
	{version: "2021-03-01-preview5", idempotencyHeader: "idempotency-token", errorKey: wrapped},
	{version: "2021-03-07", idempotencyHeader: repeatability, errorKey: wrapped},
	{version: "2021-04-05-preview6", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true},
	{version: "2021-09-07", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true},
	{version: "2021-10-01-preview7", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true, roles: true},
	{version: "2022-04-21-preview8", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true},
	{version: "2022-11-15-preview8", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true},
	{version: "2023-04-01-preview", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true, attachmentTypes: "html"},
	{version: "2023-07-01-preview", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true, attachmentTypes: "html", threadMetadata: true},
	{version: "2023-11-07", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true, attachmentTypes: "html"},
	{version: "2023-11-15-preview", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true, attachmentTypes: "html text", threadMetadata: true},
	{version: "2024-03-01-preview", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true, attachmentTypes: "html text", threadMetadata: true},
	{version: "2024-03-07", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true, attachmentTypes: "html text"},
	{
		version: "2024-03-15-preview", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true, attachmentTypes: "html text", sendsAttachments: true, threadMetadata: true,
		retention: true,
	},
	{
		version: "2024-06-05-preview", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true, attachmentTypes: "html text", sendsAttachments: true, threadMetadata: true,
		retention: true, policy: true,
	},
	{version: "2025-03-15", idempotencyHeader: repeatability, errorKey: wrapped, messageMetadata: true, attachmentTypes: "html text", threadMetadata: true, retention: true},
}

// identifierKeys are the keys of an identifier, as a string first.
var identifierKeys = map[string][2]string{
	"participant": {"id", "communicationIdentifier"},
	"creator":     {"createdBy", "createdByCommunicationIdentifier"},
	"sender":      {"senderId", "senderCommunicationIdentifier"},
	"initiator":   {"initiator", "initiatorCommunicationIdentifier"},
}

// put adds an identifier, in the form of an answer.
func (d versionSpec) put(into map[string]any, role, id string) map[string]any {
	if d.flat {
		into[identifierKeys[role][0]] = id
	} else {
		into[identifierKeys[role][1]] = user(id)
	}
	return into
}

// requestParticipant is a participant in the form of a request. SDKs of before 2023 send the nested object alone.
func (d versionSpec) requestParticipant(id, name string) map[string]any {
	out := map[string]any{"displayName": name}
	switch {
	case d.flat:
		out["id"] = id
	case d.version < "2023":
		out["communicationIdentifier"] = map[string]any{"communicationUser": map[string]any{"id": id}}
	default:
		out["communicationIdentifier"] = user(id)
	}
	return out
}

// answerParticipant is a participant in the form of an answer.
func (d versionSpec) answerParticipant(id, name string) map[string]any {
	out := d.put(map[string]any{"shareHistoryTime": "1970-01-01T00:00:00Z"}, "participant", id)
	if name != "" {
		out["displayName"] = name
	}
	return out
}

func (d versionSpec) errorBody(code, message string) map[string]any {
	inner := map[string]any{"Code": code, "Details": []any{}}
	if message != "" {
		inner["Message"] = message
	}
	return map[string]any{d.errorKey: inner}
}

// withInvalid adds those who could not be added.
func (d versionSpec) withInvalid(into map[string]any, ids ...string) map[string]any {
	var list []any
	for _, id := range ids {
		list = append(list, map[string]any{"target": id, "code": "403", "message": "Permissions check failed"})
	}
	if d.nested {
		into["errors"] = map[string]any{"invalidParticipants": list}
	} else {
		into["invalidParticipants"] = list
	}
	return into
}

// messageAt is a message at the time and place that its number in the thread gives it, while the clock of the bench does not move.
func messageAt(seq int, kind string, content map[string]any) map[string]any {
	id := strconv.FormatInt(int64(moment)+int64(seq)-1, 10)
	return map[string]any{
		"id": id, "version": id, "type": kind, "sequenceId": strconv.Itoa(seq), "content": content, "createdOn": "2025-03-20T10:20:30Z",
	}
}

// userMessage is a message of a user.
func (d versionSpec) userMessage(seq int, kind, message, sender, name string) map[string]any {
	out := d.put(messageAt(seq, kind, d.content(kind, message)), "sender", sender)
	if name != "" || d.flat { // it was never left out then (recordings of the JavaScript and Python suites)
		out["senderDisplayName"] = name
	}
	return out
}

func (d versionSpec) content(kind, message string, attachments ...any) map[string]any {
	out := map[string]any{"message": message}
	if slices.Contains(strings.Fields(d.attachmentTypes), kind) {
		out["attachments"] = append([]any{}, attachments...)
	}
	return out
}

// remove is the request that removes a participant.
func (d versionSpec) remove(who caller, t thread, id string) *answer {
	who.b.Helper()
	if d.flat {
		return who.delete(t.path("/participants/" + strings.ReplaceAll(id, ":", "%3A")))
	}
	return who.post(t.path("/participants/:remove"), encoded(d.requestParticipant(id, "")["communicationIdentifier"]))
}

// TestVersionsAreDocumented holds the table in docs/versions.md equal to what is served: each version has its row.
func TestVersionsAreDocumented(t *testing.T) {
	t.Parallel()
	page := must(os.ReadFile("../../docs/versions.md"))(t)
	rows := regexp.MustCompile("(?m)^\\| `([0-9a-z-]+)` \\| (Chat|Identity) \\| [^|]+ \\| [^|]+ \\| [^|]* ?\\|$").FindAllStringSubmatch(string(page), -1)
	got := map[string][]string{}
	for _, row := range rows {
		got[row[2]] = append(got[row[2]], row[1])
	}
	if diff := cmp.Diff(map[string][]string{"Chat": allChat, "Identity": allIdentity}, got); diff != "" {
		t.Errorf("docs/versions.md (-served +documented, oldest first):\n%s", diff)
	}
}
