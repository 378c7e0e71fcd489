package httpapi

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// fuzzUpgrade gives the decoder of a request anything, in any version. What is read must have a meaning that can be answered;
// what is refused must be so with an error with a text for the client.
func fuzzUpgrade[T any](f *testing.F, which api, use func(Version, *T), seeds ...string) {
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

func FuzzUpgradeCreateThread(f *testing.F) {
	fuzzUpgrade(f, chatAPI, func(v Version, in *createThreadRequest) { useParticipants(v, in.Participants) }, flatSeed)
}

func FuzzUpgradeAddParticipants(f *testing.F) {
	fuzzUpgrade(f, chatAPI, func(v Version, in *addParticipantsRequest) { useParticipants(v, in.Participants) }, flatSeed)
}

func FuzzUpgradeCreateWithMembers(f *testing.F) {
	fuzzUpgrade(f, chatAPI, func(v Version, in *createWithMembersRequest) {
		useParticipants(v, upgradeAll(in.Members))
		web.EncodeJSON(memberStatuses(in.Members, nil))
	}, flatSeed)
}

func FuzzUpgradeAddMembers(f *testing.F) {
	fuzzUpgrade(f, chatAPI, func(v Version, in *addMembersRequest) {
		if in.Members != nil {
			useParticipants(v, upgradeAll(*in.Members))
		}
	}, flatSeed)
}

func FuzzUpgradeSendMessage(f *testing.F) {
	fuzzUpgrade(f, chatAPI, func(v Version, in *sendMessageRequest) {
		m := chat.Message{Type: chat.Text, Content: chat.Content{Text: in.Content, Attachments: fromAttachments(in.Attachments)}, SenderName: in.SenderName}
		decodedAt(v, messageReply{&m, localView})
	}, `{"content":"hello","senderDisplayName":"A","priority":"High","type":"html","metadata":{"k":""},"attachments":[{"id":"1","attachmentType":"image"}]}`)
}

func FuzzUpgradeUpdateMessage(f *testing.F) {
	fuzzUpgrade(f, chatAPI, func(_ Version, in *updateMessageRequest) {
		if in.priority != nil {
			isHigh(*in.priority)
		}
	}, `{"content":"hello","priority":"Normal","metadata":{"k":""},"attachments":[]}`, `{"content":1}`)
}

func FuzzUpgradeRevokeTokensBefore(f *testing.F) {
	fuzzUpgrade(f, identityAPI, func(_ Version, in *revokeTokensBeforeRequest) { web.EncodeJSON(in) },
		`{"tokensValidFrom":"2020-10-10T00:00:00.000Z"}`, `{"tokensValidFrom":null}`, `{"tokensValidFrom":"99999-01-01T00:00:00Z"}`)
}

func FuzzUpgradeIssueToken2020(f *testing.F) {
	fuzzUpgrade(f, identityAPI, func(_ Version, in *issueToken2020Request) { strings.Join(in.Scopes, ",") }, `{"scopes":["chat","pstn"]}`, `{"scopes":[null]}`)
}

func FuzzUpgradeCreateIdentity(f *testing.F) {
	fuzzUpgrade(f, identityAPI, func(_ Version, in *createIdentityRequest) {
		if in.ExpiresInMinutes != nil {
			strconv.Itoa(*in.ExpiresInMinutes)
		}
	}, `{"createTokenWithScopes":["chat"],"expiresInMinutes":60,"customId":"c","externalId":"e"}`, `{"expiresInMinutes":null}`, `{"expiresInMinutes":1e99}`)
}

func FuzzUpgradeExchangeTeams(f *testing.F) {
	fuzzUpgrade(f, identityAPI, func(Version, *exchangeTeamsRequest) {}, teamsBody, `{"token":"t"}`)
}
