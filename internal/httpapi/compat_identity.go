package httpapi

import (
	"net/http"

	"github.com/chatd/chatd/internal/chat"
)

// Identity of 2020-07-20-preview2 (azure-communication-administration for JavaScript, Python, Java and .NET): identities are
// created without a token, and revocation is a change of the time from which tokens are valid. What later versions lack is
// below.

// createIdentity2020 answers 200 and not 201.
func (s *server) createIdentity2020(c *call) (reply, error) {
	id, err := s.Identities.Create(c)
	if err != nil {
		return reply{}, err
	}
	return ok(identityModel{ID: string(id)})
}

// revokeTokensBeforeRequest is a merge patch of the identity. The JavaScript suite sends a time, the Python suite {}.
type revokeTokensBeforeRequest struct {
	ValidFrom *chatTime `json:"tokensValidFrom"`
}

// revokeTokensBefore revokes the tokens issued before a given time, or all if there is none.
func (s *server) revokeTokensBefore(c *call, in revokeTokensBeforeRequest) (reply, error) {
	if in.ValidFrom == nil {
		return noBody(http.StatusNoContent, s.Identities.Revoke(c, c.identity()))
	}
	return noBody(http.StatusNoContent, s.Identities.RevokeBefore(c, c.identity(), chat.Time(*in.ValidFrom)))
}

// issueToken2020Request has no lifetime. Its scopes may include pstn (recordings).
type issueToken2020Request struct {
	Scopes []string `json:"scopes"`
}

// token2020Model is a token with its identity.
type token2020Model struct {
	ID string `json:"id"`
	tokenModel
}

// issueToken2020 repeats the identity in its answer.
func (s *server) issueToken2020(c *call, in issueToken2020Request) (reply, error) {
	if in.Scopes == nil {
		return reply{}, errRequired("Scopes")
	}
	token, err := s.issue(c, c.identity(), in.Scopes, nil)
	if err != nil {
		return reply{}, err
	}
	return ok(token2020Model{string(c.identity()), *toToken(token)})
}

// at leaves out what answers about identities had not before 2025.
func (r createIdentityReply) at(v Version) any {
	if v < identityEntra {
		r.Identity.CustomID, r.Identity.LastTokenOn = "", ""
	}
	return r
}

func (in *createIdentityRequest) trim(v Version) {
	if v < identityLifetime {
		in.ExpiresInMinutes = nil
	}
	if v < identityEntra {
		in.CustomID, in.ExternalID = "", ""
	}
}

func (in *issueTokenRequest) trim(v Version) {
	if v < identityLifetime {
		in.ExpiresInMinutes = nil
	}
}

// trim notes that the version knows nothing but the token, so that the missing fields are not required.
func (in *exchangeTeamsRequest) trim(v Version) { in.tokenOnly = v < identityTeams }
