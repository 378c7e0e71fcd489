package chat

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// Identity is the raw id of a user who can take part in a chat, for example
// "8:acs:<resource id>_<user>", "4:+15550100" or "28:orgid:<app>". The zero value is nobody.
type Identity string

// Kind is what an Identity names.
type Kind int

// The kinds of identity that the models of the service know, by the prefix of the raw id
// (azure-communication-common, identifier models of 2023-11-15).
const (
	KindUnknown   Kind = iota
	KindUser           // communicationUser: 8:acs:, 8:spool:, 8:dod-acs:, 8:gcch-acs:
	KindPhone          // phoneNumber: 4:
	KindTeamsUser      // microsoftTeamsUser: 8:orgid:, 8:dod:, 8:gcch:, 8:teamsvisitor:
	KindTeamsApp       // microsoftTeamsApp: 28:orgid:, 28:dod:, 28:gcch:
)

var prefixes = []struct {
	prefix string
	kind   Kind
}{
	{"8:acs:", KindUser},
	{"8:spool:", KindUser},
	{"8:dod-acs:", KindUser},
	{"8:gcch-acs:", KindUser},
	{"8:orgid:", KindTeamsUser},
	{"8:dod:", KindTeamsUser},
	{"8:gcch:", KindTeamsUser},
	{"8:teamsvisitor:", KindTeamsUser},
	{"28:orgid:", KindTeamsApp},
	{"28:dod:", KindTeamsApp},
	{"28:gcch:", KindTeamsApp},
	{"4:", KindPhone},
}

// Kind returns what the identity names, judged by its prefix.
func (id Identity) Kind() Kind {
	for _, p := range prefixes {
		if strings.HasPrefix(string(id), p.prefix) {
			return p.kind
		}
	}
	return KindUnknown
}

// MaxIdentityLength bounds a raw id, in bytes.
const MaxIdentityLength = 256

// A user of ACS is <resource GUID>_<user>; ids with more than two parts are users of a Teams extension
// (azure-communication-common for JavaScript 2.5.0).
var (
	acsUser = regexp.MustCompile(`^8:(acs|spool|dod-acs|gcch-acs):[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(_[0-9a-zA-Z-]+)+$`)
	phone   = regexp.MustCompile(`^4:(\+?[0-9]{1,15}|anonymous)([_.-][0-9a-zA-Z_.-]*)?$`)
	other   = regexp.MustCompile(`^[0-9]+:[a-z-]+:[0-9a-zA-Z_.-]+$`)
)

// WellFormed reports whether the identity has a form that the service accepts in a request.
// A malformed one fails the whole request (recordings of the Android and CLI suites).
func (id Identity) WellFormed() bool {
	if len(id) > MaxIdentityLength {
		return false
	}
	switch id.Kind() {
	case KindUser:
		return acsUser.MatchString(string(id))
	case KindPhone:
		return phone.MatchString(string(id))
	case KindTeamsUser, KindTeamsApp:
		return other.MatchString(string(id))
	default:
		return false
	}
}

// BelongsTo reports whether the identity is a user of the resource.
func (id Identity) BelongsTo(resource string) bool {
	return strings.HasPrefix(string(id), "8:acs:"+resource+"_") && id.WellFormed()
}

// The first 64 bits of a minted user count milliseconds from here (derived from 2,939 recorded creations).
var identityEpoch = time.Date(2020, 1, 1, 8, 0, 0, 0, time.UTC)

// NewIdentity mints a user of the resource the way the service does: <8 hex>-<4>-<4> hold the milliseconds since
// 2020-01-01T08:00:00Z, the rest is random. There is one underscore only: with more, SDKs take the id for a
// Teams extension user.
func NewIdentity(resource string, now Time, random io.Reader) Identity {
	ms := uint64(now.Std().Sub(identityEpoch).Milliseconds())
	tail := randomHex(random, 8)
	return Identity(fmt.Sprintf("8:acs:%s_%08x-%04x-%04x-%s-%s", resource,
		uint32(ms>>32), uint16(ms>>16), uint16(ms), tail[:4], tail[4:]))
}
