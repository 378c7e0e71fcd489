package httpapi

import (
	"net/http"

	"github.com/chatd/chatd/internal/chat"
)

// Identity of 2020-07-20-preview2 (azure-communication-administration for JavaScript, Python, Java and .NET).

func (s *server) createOldIdentity(c *call) (reply, error) {
	id, err := s.Identities.Create(c)
	if err != nil {
		return reply{}, err
	}
	return ok(identityModel{ID: string(id)})
}

type revokeBeforeRequest struct {
	ValidFrom *chatTime `json:"tokensValidFrom"`
}

// revokeBefore revokes the tokens issued before a given time; without one, all.
func (s *server) revokeBefore(c *call, in revokeBeforeRequest) (reply, error) {
	if in.ValidFrom == nil {
		return done(http.StatusNoContent, s.Identities.Revoke(c, c.identity()))
	}
	return done(http.StatusNoContent, s.Identities.RevokeBefore(c, c.identity(), chat.Time(*in.ValidFrom)))
}

type oldTokenRequest struct {
	Scopes []string `json:"scopes"`
}

type oldTokenModel struct {
	ID string `json:"id"`
	tokenModel
}

func (s *server) issueOldToken(c *call, in oldTokenRequest) (reply, error) {
	if in.Scopes == nil {
		return reply{}, errRequired("Scopes")
	}
	token, err := s.issue(c, c.identity(), in.Scopes, nil)
	if err != nil {
		return reply{}, err
	}
	return ok(oldTokenModel{string(c.identity()), *toToken(token)})
}

// at leaves out what identities did not tell before 2025.
func (r createIdentityReply) at(v Version) any {
	if v < identityEntra {
		r.Identity.CustomID, r.Identity.LastTokenOn = "", ""
	}
	return r
}

func (in *createIdentityRequest) limit(v Version) {
	if v < identityLifetime {
		in.ExpiresInMinutes = nil
	}
	if v < identityEntra {
		in.CustomID, in.ExternalID = "", ""
	}
}

func (in *issueTokenRequest) limit(v Version) {
	if v < identityLifetime {
		in.ExpiresInMinutes = nil
	}
}

func (in *exchangeTeamsRequest) limit(v Version) { in.tokenOnly = v < identityTeams }
