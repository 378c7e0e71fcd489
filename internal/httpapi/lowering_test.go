package httpapi

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// Anything that an answer or a request may hold.

func anyText(rt *rapid.T, label string) string {
	return strings.ReplaceAll(rapid.String().Draw(rt, label), "\x00", "0") // decode refuses NUL
}

func anyID(rt *rapid.T, label string) string {
	guid := "10a1d2f9-4f3e-4e0b-8d3a-2b9a1c0d4e5f"
	return rapid.SampledFrom([]string{
		"8:acs:" + resource + "_" + guid, "8:spool:" + resource + "_" + guid, "8:dod-acs:" + resource + "_" + guid, "4:+15550100", "4:anonymous",
		"8:orgid:" + guid, "8:gcch:" + guid, "8:teamsvisitor:" + guid, "28:orgid:" + guid, "28:dod:" + guid, "48:calls",
	}).Draw(rt, label)
}

// anyTime is a whole second, which is as much as answers tell; never that which stands for none.
func anyTime(rt *rapid.T, label string) chat.Time {
	return chat.Time(rapid.Int64Range(1, 4e9).Draw(rt, label) * 1000)
}

func maybe[T any](rt *rapid.T, label string, draw func(*rapid.T, string) T) (value T) {
	if rapid.Bool().Draw(rt, label+"?") {
		value = draw(rt, label)
	}
	return value
}

func anyMap(rt *rapid.T, label string) map[string]string {
	out := map[string]string{}
	for range rapid.IntRange(1, 3).Draw(rt, label) {
		out[anyText(rt, "key")] = anyText(rt, "value")
	}
	return out
}

func anyWords(rt *rapid.T, label string) []string {
	return rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,8}`), 1, 3).Draw(rt, label)
}

func anyRetention(rt *rapid.T, label string) chat.Retention {
	return rapid.SampledFrom([]chat.Retention{{Kind: chat.RetentionNone}, {Kind: chat.RetentionCreationDate, Days: 30}}).Draw(rt, label)
}

func anyThread(rt *rapid.T) *chat.Thread {
	return &chat.Thread{
		ID: "19:a@thread.v2", Topic: anyText(rt, "topic"), CreatedBy: chat.Identity(anyID(rt, "creator")), CreatedOn: anyTime(rt, "created"),
		DeletedOn: maybe(rt, "deleted", anyTime), Metadata: maybe(rt, "metadata", anyMap), Retention: maybe(rt, "retention", anyRetention),
		TextOnly: rapid.Bool().Draw(rt, "text only"),
	}
}

func anyParticipant(rt *rapid.T) chat.Participant {
	return chat.Participant{
		Identity: chat.Identity(anyID(rt, "participant")), DisplayName: maybe(rt, "name", anyText), ShareFrom: maybe(rt, "share", anyTime),
		Metadata: maybe(rt, "metadata", anyMap), Roles: maybe(rt, "roles", anyWords),
	}
}

func anyParticipants(rt *rapid.T) []chat.Participant {
	return rapid.SliceOfN(rapid.Custom(anyParticipant), 1, 3).Draw(rt, "participants")
}

func anyAttachment(rt *rapid.T) chat.Attachment {
	return chat.Attachment{
		ID: anyText(rt, "attachment"), Type: rapid.SampledFrom([]string{chat.AttachedImage, chat.AttachedFile}).Draw(rt, "kind"),
		Name: maybe(rt, "name", anyText), URL: maybe(rt, "url", anyText), PreviewURL: maybe(rt, "preview", anyText),
	}
}

func anyMessage(rt *rapid.T) *chat.Message {
	m := &chat.Message{
		ID: chat.MessageID(anyTime(rt, "id")), Seq: rapid.Int64Range(1, 1<<40).Draw(rt, "seq"), Version: int64(anyTime(rt, "version")),
		Type:     rapid.SampledFrom([]chat.MessageType{chat.Text, chat.HTML, chat.TopicUpdated, chat.ParticipantAdded, chat.ParticipantRemoved}).Draw(rt, "type"),
		EditedOn: maybe(rt, "edited", anyTime), DeletedOn: maybe(rt, "deleted", anyTime),
	}
	switch {
	case m.Type.User():
		m.Sender, m.SenderName = chat.Identity(anyID(rt, "sender")), maybe(rt, "name", anyText)
		m.Content.Text, m.Metadata, m.High = anyText(rt, "content"), maybe(rt, "metadata", anyMap), rapid.Bool().Draw(rt, "high")
		m.Content.Attachments = rapid.SliceOfN(rapid.Custom(anyAttachment), 0, 2).Draw(rt, "attachments")
	case m.Type == chat.TopicUpdated:
		m.Content.Topic, m.Content.Initiator = anyText(rt, "topic"), chat.Identity(anyID(rt, "initiator"))
	default:
		m.Content.Participants, m.Content.Initiator = anyParticipants(rt), chat.Identity(anyID(rt, "initiator"))
	}
	return m
}

func anyInvalid(rt *rapid.T) []chat.InvalidParticipant {
	return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) chat.InvalidParticipant {
		return chat.InvalidParticipant{Identity: chat.Identity(anyID(rt, "target")), Code: "403", Message: anyText(rt, "message")}
	}), 0, 2).Draw(rt, "invalid")
}

// decoded returns what a client gets of an answer.
func decoded(v any) map[string]any {
	var out map[string]any
	if err := json.Unmarshal(web.EncodeJSON(v), &out); err != nil {
		panic(err) // encode makes JSON
	}
	return out
}

// The same once more, written from the specifications instead of the code: what of a full answer a version tells.

func (d dialect) flatten(in map[string]any, role string) {
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

func (d dialect) lowerThread(in map[string]any) {
	keepIf(in, "metadata", d.marked)
	keepIf(in, "retentionPolicy", d.retained)
	keepIf(in, "messagingPolicy", d.policed)
	d.flatten(in, "creator")
}

func (d dialect) lowerParticipant(in map[string]any) {
	keepIf(in, "metadata", d.marked)
	keepIf(in, "roleIds", d.roles)
	d.flatten(in, "participant")
}

func (d dialect) lowerMessage(in map[string]any) {
	kind := in["type"].(string)
	keepIf(in, "metadata", d.tagged)
	d.flatten(in, "sender")
	if _, named := in["senderDisplayName"]; d.flat && !named && (kind == "text" || kind == "html") {
		in["senderDisplayName"] = ""
	}
	content := in["content"].(map[string]any)
	keepIf(content, "attachments", slices.Contains(strings.Fields(d.attached), kind))
	d.flatten(content, "initiator")
	list, _ := content["participants"].([]any)
	for _, p := range list {
		d.lowerParticipant(p.(map[string]any))
	}
}

func (d dialect) lowerReceipt(in map[string]any) { d.flatten(in, "sender") }

func (d dialect) lowerItem(map[string]any) {}

func (d dialect) lowerInvalid(in map[string]any) {
	if list, ok := in["invalidParticipants"]; ok && d.nested {
		delete(in, "invalidParticipants")
		in["errors"] = map[string]any{"invalidParticipants": list}
	}
}

func (d dialect) lowerCreated(in map[string]any) {
	d.lowerThread(in["chatThread"].(map[string]any))
	d.lowerInvalid(in)
}

func inList(lower func(dialect, map[string]any)) func(dialect, map[string]any) {
	return func(d dialect, in map[string]any) {
		for _, item := range in["value"].([]any) {
			lower(d, item.(map[string]any))
		}
	}
}

func drawList[T any](draw func(*rapid.T) T) func(*rapid.T) any {
	return func(rt *rapid.T) any {
		return list[T]{Value: rapid.SliceOfN(rapid.Custom(draw), 0, 3).Draw(rt, "page"), NextLink: maybe(rt, "next", anyText)}
	}
}

func drawItem(rt *rapid.T) threadItemModel {
	return toThreadItem(&chat.ThreadItem{
		ID: "19:a@thread.v2", Topic: anyText(rt, "topic"), DeletedOn: maybe(rt, "deleted", anyTime), LastOn: maybe(rt, "last", anyTime),
	})
}

func drawMessage(rt *rapid.T) messageModel {
	return toMessage(anyMessage(rt), func(image, view string) string { return "https://localhost/" + image + "/" + view })
}

func drawPage(rt *rapid.T) any { return messagePage{drawList(drawMessage)(rt).(list[messageModel])} }

func drawParticipant(rt *rapid.T) participantModel {
	p := anyParticipant(rt)
	return toParticipant(&p)
}

func drawReceipt(rt *rapid.T) receiptModel {
	return toReceipt(&chat.ReadReceipt{
		Reader: chat.Identity(anyID(rt, "reader")), MessageID: chat.MessageID(anyTime(rt, "message")), ReadOn: anyTime(rt, "read"),
	})
}

// TestLoweringTellsWhatTheVersionHas lowers any answer of each kind to each version: all that the version has is there with
// its value, nothing else is, and the answer itself stays whole.
func TestLoweringTellsWhatTheVersionHas(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name  string
		draw  func(*rapid.T) any
		lower func(dialect, map[string]any)
	}{
		{"thread", func(rt *rapid.T) any { return toThread(anyThread(rt)) }, dialect.lowerThread},
		{"created thread", func(rt *rapid.T) any {
			return createThreadReply{toThread(anyThread(rt)), toInvalid(anyInvalid(rt))}
		}, dialect.lowerCreated},
		{"added participants", func(rt *rapid.T) any { return addParticipantsReply{toInvalid(anyInvalid(rt))} }, dialect.lowerInvalid},
		{"message", func(rt *rapid.T) any { return drawMessage(rt) }, dialect.lowerMessage},
		{"messages", drawList(drawMessage), inList(dialect.lowerMessage)},
		{"page of messages", drawPage, inList(dialect.lowerMessage)},
		{"participants", drawList(drawParticipant), inList(dialect.lowerParticipant)},
		{"receipts", drawList(drawReceipt), inList(dialect.lowerReceipt)},
		{"threads", drawList(drawItem), inList(dialect.lowerItem)},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				answer := kind.draw(rt)
				whole := decoded(answer)
				for _, d := range dialects {
					want := decoded(answer)
					kind.lower(d, want)
					if diff := cmp.Diff(want, decoded(answer.(versioned).at(Version(d.version)))); diff != "" {
						rt.Fatalf("%s in %s (-want +got):\n%s", kind.name, d.version, diff)
					}
					if diff := cmp.Diff(whole, decoded(answer)); diff != "" {
						rt.Fatalf("lowering to %s changed the answer (-before +after):\n%s", d.version, diff)
					}
				}
			})
		})
	}
}

// TestLoweringToMembers lowers to the versions of 2020, which had shapes of their own.
func TestLoweringToMembers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		version := rapid.SampledFrom([]Version{chatOldest, chatPreview2}).Draw(rt, "version")
		item := drawItem(rt)
		want := decoded(item)
		delete(want, "deletedOn")
		want["isDeleted"] = item.DeletedOn != nil
		same(rt, "item", want, decoded(item.at(version)))

		m := anyMessage(rt)
		want = decoded(drawnMessage(m))
		dialects[0].lowerMessage(want) // what the next version did not have, these had not either
		delete(want, "sequenceId")
		want["type"] = map[chat.MessageType]any{
			chat.Text: "Text", chat.HTML: "RichText/Html", chat.TopicUpdated: "ThreadActivity/TopicUpdate",
			chat.ParticipantAdded: "ThreadActivity/AddMember", chat.ParticipantRemoved: "ThreadActivity/DeleteMember",
		}[m.Type]
		want["priority"] = map[bool]any{false: "Normal", true: "High"}[m.High]
		got := decoded(toOldMessage("19:a@thread.v2", m))
		if m.Type.User() {
			want["senderDisplayName"], want["senderId"], want["content"] = m.SenderName, string(m.Sender), m.Content.Text
		} else {
			want["senderId"], want["content"] = "19:a@thread.v2", got["content"]
			for _, p := range m.Content.Participants { // the rest is in TestConversationOf2020
				if !strings.Contains(got["content"].(string), "<target>"+string(p.Identity)+"</target>") {
					rt.Errorf("%s does not tell of %s", got["content"], p.Identity)
				}
			}
		}
		same(rt, "message", want, got)
	})
}

func drawnMessage(m *chat.Message) messageModel {
	return toMessage(m, func(string, string) string { return "" })
}

func same(rt *rapid.T, what string, want, got any) {
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// flatRequest is a list of participants in the form of a request of 2020, as answers tell of them.
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

// answered returns participants of a lifted request as a version answers them.
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

// TestLiftingLosesNothing lifts any request of each older shape and lowers what it means again.
func TestLiftingLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		topic, list := anyText(rt, "topic"), flatRequest(rt)
		create := readAt[createThreadRequest](rt, preview3, map[string]any{"topic": topic, "participants": list})
		same(rt, "topic", topic, create.Topic)
		same(rt, "participants of a new thread", list, answered(preview3, create.Participants))
		add := readAt[addParticipantsRequest](rt, preview3, map[string]any{"participants": list})
		same(rt, "participants", list, answered(preview3, add.Participants))

		members := readAt[createWithMembers](rt, preview2, map[string]any{"topic": topic, "members": list})
		same(rt, "topic", topic, members.Topic)
		same(rt, "members of a new thread", list, answered(preview2, liftAll(members.Members)))
		if more := readAt[addMembersRequest](rt, preview2, map[string]any{"members": list}); list != nil {
			same(rt, "members", list, answered(preview2, liftAll(*more.Members)))
		}

		content, name := anyText(rt, "content"), anyText(rt, "name")
		for _, priority := range []string{"Normal", "High"} {
			body := map[string]any{"content": content, "senderDisplayName": name, "priority": priority}
			sent := readAt[sendMessageRequest](rt, preview2, body)
			m := chat.Message{Type: chat.Text, Content: chat.Content{Text: sent.Content}, SenderName: sent.SenderName, High: isHigh(sent.priority)}
			answer := decoded(toOldMessage("19:a@thread.v2", &m))
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
// passes over the rest.
func TestRequestsHoldWhatTheVersionHas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		thread, present, m := toThread(anyThread(rt)), anyParticipants(rt), drawMessage(rt)
		properties := decoded(thread)
		properties["participants"] = decoded(list[participantModel]{Value: models(present, toParticipant)})["value"]
		message := map[string]any{
			"content": "hello", "type": "html", "metadata": m.Metadata, "attachments": []web.Attachment{{ID: "1", Type: chat.AttachedFile}},
		}
		d := rapid.SampledFrom(dialects[1:]).Draw(rt, "version") // the first has shapes of its own
		v := Version(d.version)
		want := decoded(properties)
		d.lowerThread(want)
		for _, p := range want["participants"].([]any) {
			d.lowerParticipant(p.(map[string]any))
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
			"metadata sent":      {d.tagged && m.Metadata != nil, sent.Metadata != nil},
			"metadata edited":    {d.tagged, edit.Metadata.Sent}, // null too,
			"attachments sent":   {d.attaches, sent.Attachments != nil},
			"attachments edited": {d.attaches, edit.Attachments.Sent},
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

// fuzzLift gives the decoder of a request anything, in any version. What is read must have a meaning that can be answered;
// what is refused must be so with an error that a client can be told.
func fuzzLift[T any](f *testing.F, which api, use func(Version, *T), seeds ...string) {
	for i, seed := range append(seeds, "", `{}`, `null`, `[]`, `{"participants":null,"members":null}`, "{\"topic\":\"\\u0000\"}", "\xff", `{"participants":[null]}`) {
		f.Add([]byte(seed), uint8(i))
	}
	f.Fuzz(func(t *testing.T, body []byte, at uint8) {
		v := versions[which][int(at)%len(versions[which])]
		var in T
		err := decodeAt(v, body, &in)
		if err == nil {
			use(v, &in)
			return
		}
		var known *chat.Error
		if !errors.As(err, &known) || known.Kind != chat.Invalid {
			t.Errorf("%q in %s: %v, want an error of kind Invalid", body, v, err)
		}
	})
}

func useParticipants(v Version, in []participantModel) {
	for _, p := range answered(v, in) {
		web.EncodeJSON(p)
	}
}

const flatSeed = `{"topic":"t","members":[{"id":"8:acs:a","displayName":"A","shareHistoryTime":"2020-10-30T10:50:50Z"}],` +
	`"participants":[{"id":"8:acs:a","communicationIdentifier":{"rawId":"8:acs:a","communicationUser":{"id":"8:acs:a"}},"roleIds":["r"],` +
	`"metadata":{"k":"v"},"displayName":"A","shareHistoryTime":"1/1/1970 12:00:00 AM +00:00"}],` +
	`"retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":30},"messagingPolicy":{"textOnlyChat":true}}`

func FuzzLiftCreateThread(f *testing.F) {
	fuzzLift(f, chatAPI, func(v Version, in *createThreadRequest) { useParticipants(v, in.Participants) }, flatSeed)
}

func FuzzLiftAddParticipants(f *testing.F) {
	fuzzLift(f, chatAPI, func(v Version, in *addParticipantsRequest) { useParticipants(v, in.Participants) }, flatSeed)
}

func FuzzLiftCreateWithMembers(f *testing.F) {
	fuzzLift(f, chatAPI, func(v Version, in *createWithMembers) {
		useParticipants(v, liftAll(in.Members))
		web.EncodeJSON(membersStatus(in.Members, nil))
	}, flatSeed)
}

func FuzzLiftAddMembers(f *testing.F) {
	fuzzLift(f, chatAPI, func(v Version, in *addMembersRequest) {
		if in.Members != nil {
			useParticipants(v, liftAll(*in.Members))
		}
	}, flatSeed)
}

func FuzzLiftSendMessage(f *testing.F) {
	fuzzLift(f, chatAPI, func(_ Version, in *sendMessageRequest) {
		m := chat.Message{Type: chat.Text, Content: chat.Content{Text: in.Content, Attachments: fromAttachments(in.Attachments)}, SenderName: in.SenderName}
		web.EncodeJSON(drawnMessage(&m))
		web.EncodeJSON(toOldMessage("19:a@thread.v2", &m))
	}, `{"content":"hello","senderDisplayName":"A","priority":"High","type":"html","metadata":{"k":""},"attachments":[{"id":"1","attachmentType":"image"}]}`)
}

func FuzzLiftUpdateMessage(f *testing.F) {
	fuzzLift(f, chatAPI, func(_ Version, in *updateMessageRequest) {
		if in.priority != nil {
			isHigh(*in.priority)
		}
	}, `{"content":"hello","priority":"Normal","metadata":{"k":""},"attachments":[]}`, `{"content":1}`)
}

func FuzzLiftRevokeBefore(f *testing.F) {
	fuzzLift(f, identityAPI, func(_ Version, in *revokeBeforeRequest) { web.EncodeJSON(in) },
		`{"tokensValidFrom":"2020-10-10T00:00:00.000Z"}`, `{"tokensValidFrom":null}`, `{"tokensValidFrom":"99999-01-01T00:00:00Z"}`)
}

func FuzzLiftOldToken(f *testing.F) {
	fuzzLift(f, identityAPI, func(_ Version, in *oldTokenRequest) { strings.Join(in.Scopes, ",") }, `{"scopes":["chat","pstn"]}`, `{"scopes":[null]}`)
}

func FuzzLiftCreateIdentity(f *testing.F) {
	fuzzLift(f, identityAPI, func(_ Version, in *createIdentityRequest) {
		if in.ExpiresInMinutes != nil {
			strconv.Itoa(*in.ExpiresInMinutes)
		}
	}, `{"createTokenWithScopes":["chat"],"expiresInMinutes":60,"customId":"c","externalId":"e"}`, `{"expiresInMinutes":null}`, `{"expiresInMinutes":1e99}`)
}

func FuzzLiftExchangeTeams(f *testing.F) {
	fuzzLift(f, identityAPI, func(Version, *exchangeTeamsRequest) {}, teamsBody, `{"token":"t"}`)
}
