package auth

import (
	"slices"

	"github.com/chatd/chatd/internal/chat"
)

// Scope is what a token is issued for.
type Scope string

// The scopes that the service issues tokens for. ScopePSTN is of the preview of 2020 only.
const (
	ScopeChat            Scope = "chat"
	ScopeChatJoin        Scope = "chat.join"
	ScopeChatJoinLimited Scope = "chat.join.limited"
	ScopeVoIP            Scope = "voip"
	ScopeVoIPJoin        Scope = "voip.join"
	ScopePSTN            Scope = "pstn"
)

var scopes = []Scope{ScopeChat, ScopeChatJoin, ScopeChatJoinLimited, ScopeVoIP, ScopeVoIPJoin, ScopePSTN}

// Capability is what an operation needs its caller's token to be good for.
type Capability int

// The capabilities. Each includes those before it.
const (
	Converse           Capability = iota // read threads, send messages and edit own ones, receipts, typing
	ManageParticipants                   // add and remove participants
	ManageThreads                        // create, update and delete threads
)

// reach is the greatest capability of each scope of chat (identity model page of the ACS documentation).
var reach = map[Scope]Capability{
	ScopeChat:            ManageThreads,
	ScopeChatJoin:        ManageParticipants,
	ScopeChatJoinLimited: Converse,
}

// Principal is an authenticated user. Scopes may be shared with other holders and must not be changed.
type Principal struct {
	Identity chat.Identity
	Scopes   []Scope
	Issued   chat.Time // when the token was issued, a whole second
	Expires  chat.Time // when the token ends
	Key      KeyID     // of the access key by which it was asked for, if any
	SignedBy string    // the ID of the signing key; empty: of a token that an older version accepted
}

// Can reports whether one of the token's scopes covers the capability. Scopes of calling cover none.
func (p Principal) Can(c Capability) bool {
	return slices.ContainsFunc(p.Scopes, func(s Scope) bool {
		most, ok := reach[s]
		return ok && c <= most
	})
}

// ParseScopes reads the scopes of a request for a token. Repeated ones are dropped, the order is kept.
// No scope and an unknown scope are errors of kind Invalid.
func ParseScopes(in []string) ([]Scope, error) {
	if len(in) == 0 { // the text is in recordings of the JavaScript suite of identity
		return nil, errValidation("scopes", "Invalid scopes - Scopes field is required.")
	}
	var out []Scope
	for _, name := range in {
		s := Scope(name)
		if !slices.Contains(scopes, s) {
			// The service's own text is not publicly known; this one is chosen.
			return nil, errValidation("scopes", "Invalid scopes - Scope %q is not supported.", name)
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out, nil
}
