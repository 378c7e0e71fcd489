package httpapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// decoded returns what a client of a version that has everything gets of an answer.
func decoded(v any) map[string]any {
	switch whole := v.(type) {
	case messageReply:
		v = toMessage(whole.message)
	case messagePage:
		v = list[messageModel]{convert(whole.messages, toMessage), whole.next}
	}
	return parsedJSON(web.EncodeJSON(v))
}

// decodedAt returns what a client of a version gets of an answer.
func decodedAt(v Version, answer any) map[string]any {
	_, body := render(answer, v)
	return parsedJSON(body)
}

func parsedJSON(text []byte) map[string]any {
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err) // what is encoded is JSON
	}
	return out
}

// The same once more, written from the specifications instead of the code: what a version has of a full answer.

func (d versionSpec) flatten(in map[string]any, role string) {
	keys := identifierKeys[role]
	if id, ok := in[keys[1]].(map[string]any); ok && d.flat {
		delete(in, keys[1])
		in[keys[0]] = id["rawId"]
	}
}

func keepIf(in map[string]any, key string, has bool) {
	if !has {
		delete(in, key)
	}
}

func (d versionSpec) downgradeThread(in map[string]any) {
	keepIf(in, "metadata", d.threadMetadata)
	keepIf(in, "retentionPolicy", d.retention)
	keepIf(in, "messagingPolicy", d.policy)
	d.flatten(in, "creator")
}

func (d versionSpec) downgradeParticipant(in map[string]any) {
	keepIf(in, "metadata", d.threadMetadata)
	keepIf(in, "roleIds", d.roles)
	d.flatten(in, "participant")
}

func (d versionSpec) downgradeMessage(in map[string]any) {
	kind := in["type"].(string)
	keepIf(in, "metadata", d.messageMetadata)
	d.flatten(in, "sender")
	if _, named := in["senderDisplayName"]; d.flat && !named && (kind == "text" || kind == "html") {
		in["senderDisplayName"] = ""
	}
	content := in["content"].(map[string]any)
	keepIf(content, "attachments", slices.Contains(strings.Fields(d.attachmentTypes), kind))
	d.flatten(content, "initiator")
	list, _ := content["participants"].([]any)
	for _, p := range list {
		d.downgradeParticipant(p.(map[string]any))
	}
}

func (d versionSpec) downgradeReceipt(in map[string]any) { d.flatten(in, "sender") }

func (d versionSpec) downgradeItem(map[string]any) {}

func (d versionSpec) downgradeInvalid(in map[string]any) {
	if list, ok := in["invalidParticipants"]; ok && d.nested {
		delete(in, "invalidParticipants")
		in["errors"] = map[string]any{"invalidParticipants": list}
	}
}

func (d versionSpec) downgradeCreated(in map[string]any) {
	d.downgradeThread(in["chatThread"].(map[string]any))
	d.downgradeInvalid(in)
}

func inList(downgrade func(versionSpec, map[string]any)) func(versionSpec, map[string]any) {
	return func(d versionSpec, in map[string]any) {
		for _, item := range in["value"].([]any) {
			downgrade(d, item.(map[string]any))
		}
	}
}

// TestDowngradeHasWhatTheVersionHas downgrades any answer of each kind to each version: all that the version has is there with
// its value, nothing else is, and the answer itself stays whole.
func TestDowngradeHasWhatTheVersionHas(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name      string
		draw      func(*rapid.T) any
		downgrade func(versionSpec, map[string]any)
	}{
		{"thread", func(rt *rapid.T) any { return toThread(anyThread(rt)) }, versionSpec.downgradeThread},
		{"created thread", func(rt *rapid.T) any {
			return createThreadReply{toThread(anyThread(rt)), toInvalid(anyInvalid(rt))}
		}, versionSpec.downgradeCreated},
		{"added participants", func(rt *rapid.T) any { return addParticipantsReply{toInvalid(anyInvalid(rt))} }, versionSpec.downgradeInvalid},
		{"message", func(rt *rapid.T) any { return messageReply{anyMessage(rt), localView} }, versionSpec.downgradeMessage},
		{"page of messages", func(rt *rapid.T) any { return drawPage(rt) }, inList(versionSpec.downgradeMessage)},
		{"participants", drawList(drawParticipant), inList(versionSpec.downgradeParticipant)},
		{"receipts", drawList(drawReceipt), inList(versionSpec.downgradeReceipt)},
		{"threads", drawList(drawItem), inList(versionSpec.downgradeItem)},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				answer := kind.draw(rt)
				whole := decoded(answer)
				for _, d := range versionSpecs {
					want := decoded(answer)
					kind.downgrade(d, want)
					if diff := cmp.Diff(want, decodedAt(Version(d.version), answer)); diff != "" {
						rt.Fatalf("%s in %s (-want +got):\n%s", kind.name, d.version, diff)
					}
					if diff := cmp.Diff(whole, decoded(answer)); diff != "" {
						rt.Fatalf("downgrading to %s changed the answer (-before +after):\n%s", d.version, diff)
					}
				}
			})
		})
	}
}

// TestDowngradeToMembers downgrades to the versions of 2020, which had shapes of their own.
func TestDowngradeToMembers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		version := rapid.SampledFrom([]Version{chatOldest, chatPreview2}).Draw(rt, "version")
		item := drawItem(rt)
		want := decoded(item)
		delete(want, "deletedOn")
		want["isDeleted"] = item.DeletedOn != nil
		same(rt, "item", want, decoded(item.at(version)))

		m := anyMessage(rt)
		answer := messageReply{m, localView}
		want = decoded(answer)
		versionSpecs[0].downgradeMessage(want) // what the next version did not have, these had not either
		delete(want, "sequenceId")
		want["type"] = map[chat.MessageType]any{
			chat.Text: "Text", chat.HTML: "RichText/Html", chat.TopicUpdated: "ThreadActivity/TopicUpdate",
			chat.ParticipantAdded: "ThreadActivity/AddMember", chat.ParticipantRemoved: "ThreadActivity/DeleteMember",
		}[m.Type]
		want["priority"] = map[bool]any{false: "Normal", true: "High"}[m.High]
		got := decodedAt(version, answer)
		if m.Type.User() {
			want["senderDisplayName"], want["senderId"], want["content"] = m.SenderName, string(m.Sender), m.Content.Text
		} else {
			want["senderId"], want["content"] = "19:a@thread.v2", got["content"]
			for _, p := range m.Content.Participants { // the rest is in TestConversationOf2020
				if !strings.Contains(got["content"].(string), "<target>"+string(p.Identity)+"</target>") {
					rt.Errorf("%s lacks %s", got["content"], p.Identity)
				}
			}
		}
		same(rt, "message", want, got)
	})
}

func same(rt *rapid.T, what string, want, got any) {
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// flatRequest is a list of participants in the form of a request of 2020, as answers have them.
func flatRequest(rt *rapid.T) []any {
	var out []any
	for range rapid.IntRange(0, 3).Draw(rt, "participants") {
		p := map[string]any{"id": anyID(rt, "id"), "shareHistoryTime": "1970-01-01T00:00:00Z"}
		if name := maybe(rt, "name", anyText); name != "" {
			p["displayName"] = name
		}
		if rapid.Bool().Draw(rt, "share") {
			p["shareHistoryTime"] = anyTime(rt, "time").Std().Format(time.RFC3339)
		}
		out = append(out, p)
	}
	return out
}

// answered returns participants of an upgraded request as a version answers them.
func answered(v Version, in []participantModel) []any {
	var out []any
	for _, p := range fromParticipants(in) {
		answer := toParticipant(&chat.Participant{Identity: p.Identity, DisplayName: p.DisplayName, ShareFrom: p.ShareFrom, Metadata: p.Metadata, Roles: p.Roles})
		out = append(out, decoded(answer.at(v)))
	}
	return out
}

// readAt decodes a request of a version.
func readAt[T any](rt *rapid.T, v Version, body map[string]any) (in T) {
	if err := decodeAt(v, []byte(encoded(body)), &in); err != nil {
		rt.Fatalf("%s in %s: %v", encoded(body), v, err)
	}
	return in
}

// TestUpgradeLosesNothing upgrades any request of each older shape and downgrades what it means again.
func TestUpgradeLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		topic, list := anyText(rt, "topic"), flatRequest(rt)
		create := readAt[createThreadRequest](rt, preview3, map[string]any{"topic": topic, "participants": list})
		same(rt, "topic", topic, create.Topic)
		same(rt, "participants of a new thread", list, answered(preview3, create.Participants))
		add := readAt[addParticipantsRequest](rt, preview3, map[string]any{"participants": list})
		same(rt, "participants", list, answered(preview3, add.Participants))

		members := readAt[createWithMembersRequest](rt, preview2, map[string]any{"topic": topic, "members": list})
		same(rt, "topic", topic, members.Topic)
		same(rt, "members of a new thread", list, answered(preview2, upgradeAll(members.Members)))
		if more := readAt[addMembersRequest](rt, preview2, map[string]any{"members": list}); list != nil {
			same(rt, "members", list, answered(preview2, upgradeAll(*more.Members)))
		}

		content, name := anyText(rt, "content"), anyText(rt, "name")
		for _, priority := range []string{"Normal", "High"} {
			body := map[string]any{"content": content, "senderDisplayName": name, "priority": priority}
			sent := readAt[sendMessageRequest](rt, preview2, body)
			m := chat.Message{Type: chat.Text, Content: chat.Content{Text: sent.Content}, SenderName: sent.SenderName, High: isHigh(sent.priority)}
			answer := decodedAt(preview2, messageReply{&m, localView})
			maps.DeleteFunc(answer, func(key string, _ any) bool { return body[key] == nil })
			same(rt, "message", body, answer)

			edit := readAt[updateMessageRequest](rt, preview2, map[string]any{"content": content, "priority": priority})
			same(rt, "edit", []*string{&content, &priority}, []*string{edit.Content, edit.priority})
		}
		for _, body := range []map[string]any{{}, {"content": nil, "priority": nil}} {
			edit := readAt[updateMessageRequest](rt, preview2, body)
			same(rt, "edit of nothing", []*string{nil, nil}, []*string{edit.Content, edit.priority})
		}
	})
}

// TestRequestsHoldWhatTheVersionHas gives each version requests with all that any version knows: it reads what it has, and
// ignores the rest.
func TestRequestsHoldWhatTheVersionHas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		thread, present, m := toThread(anyThread(rt)), anyParticipants(rt), anyMessage(rt)
		properties := decoded(thread)
		properties["participants"] = decoded(list[participantModel]{Value: convert(present, toParticipant)})["value"]
		message := map[string]any{
			"content": "hello", "type": "html", "metadata": m.Metadata, "attachments": []web.Attachment{{ID: "1", Type: chat.AttachedFile}},
		}
		d := rapid.SampledFrom(versionSpecs[1:]).Draw(rt, "version") // the first has shapes of its own
		v := Version(d.version)
		want := decoded(properties)
		d.downgradeThread(want)
		for _, p := range want["participants"].([]any) {
			d.downgradeParticipant(p.(map[string]any))
		}
		create := readAt[createThreadRequest](rt, v, properties)
		same(rt, "created in "+d.version, createdBody(want), decoded(rewritten{
			create.Topic, create.Metadata, create.RetentionPolicy, create.MessagingPolicy, create.Participants,
		}))
		update := readAt[updateThreadRequest](rt, v, properties)
		var metadata map[string]string
		if update.Metadata.Value != nil {
			metadata = *update.Metadata.Value
		}
		same(rt, "updated in "+d.version, createdBody(want, "participants"), decoded(rewritten{
			*update.Topic, metadata, update.RetentionPolicy.Value, update.MessagingPolicy.Value, nil,
		}))
		added := readAt[addParticipantsRequest](rt, v, properties)
		same(rt, "added in "+d.version, create.Participants, added.Participants)

		sent, edit := readAt[sendMessageRequest](rt, v, message), readAt[updateMessageRequest](rt, v, message)
		for what, has := range map[string][2]bool{
			"metadata sent":      {d.messageMetadata && m.Metadata != nil, sent.Metadata != nil},
			"metadata edited":    {d.messageMetadata, edit.Metadata.Sent}, // null too,
			"attachments sent":   {d.sendsAttachments, sent.Attachments != nil},
			"attachments edited": {d.sendsAttachments, edit.Attachments.Sent},
		} {
			if has[0] != has[1] {
				rt.Errorf("%s in %s: %t, want %t", what, d.version, has[1], has[0])
			}
		}
	})
}

// rewritten is what was read of a request, written again.
type rewritten struct {
	Topic           string             `json:"topic"`
	Metadata        map[string]string  `json:"metadata,omitempty"`
	RetentionPolicy *retentionModel    `json:"retentionPolicy,omitempty"`
	MessagingPolicy *policyModel       `json:"messagingPolicy,omitempty"`
	Participants    []participantModel `json:"participants,omitempty"`
}

// createdBody leaves of the properties of a thread what a request may hold.
func createdBody(in map[string]any, without ...string) map[string]any {
	out := maps.Clone(in)
	maps.DeleteFunc(out, func(key string, _ any) bool {
		return !slices.Contains([]string{"topic", "metadata", "retentionPolicy", "messagingPolicy", "participants"}, key) || slices.Contains(without, key)
	})
	return out
}
