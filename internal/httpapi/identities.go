package httpapi

import (
	"net/http"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
)

type createIdentityRequest struct {
	Scopes           []string `json:"createTokenWithScopes"`
	ExpiresInMinutes *int     `json:"expiresInMinutes"`
}

type identityModel struct {
	ID string `json:"id"`
}

type tokenModel struct {
	Token     string `json:"token"`
	ExpiresOn string `json:"expiresOn"`
}

type createIdentityReply struct {
	Identity    identityModel `json:"identity"`
	AccessToken *tokenModel   `json:"accessToken,omitempty"`
}

func (s *server) createIdentity(c *call, in createIdentityRequest) (reply, error) {
	lifetime, err := auth.Lifetime(in.ExpiresInMinutes)
	if err != nil {
		return reply{}, err
	}
	var scopes []auth.Scope
	if len(in.Scopes) > 0 {
		if scopes, err = auth.ParseScopes(in.Scopes); err != nil {
			return reply{}, err
		}
	}
	id, err := s.Identities.Create(c)
	if err != nil {
		return reply{}, err
	}
	out := createIdentityReply{Identity: identityModel{string(id)}}
	if len(scopes) > 0 {
		token, err := s.Identities.Issue(c, id, scopes, lifetime)
		if err != nil {
			return reply{}, err
		}
		out.AccessToken = toToken(token)
	}
	return reply{status: http.StatusCreated, body: out}, nil
}

func toToken(t auth.Token) *tokenModel { return &tokenModel{t.Value, tokenTime(t.ExpiresOn)} }

func (s *server) deleteIdentity(c *call) (reply, error) {
	return done(http.StatusNoContent, s.Identities.Delete(c, c.identity()))
}

func (s *server) revokeTokens(c *call) (reply, error) {
	return done(http.StatusNoContent, s.Identities.Revoke(c, c.identity()))
}

type issueTokenRequest struct {
	Scopes           []string `json:"scopes"`
	ExpiresInMinutes *int     `json:"expiresInMinutes"`
}

func (s *server) issueToken(c *call, in issueTokenRequest) (reply, error) {
	if in.Scopes == nil {
		return reply{}, errRequired("Scopes")
	}
	scopes, err := auth.ParseScopes(in.Scopes)
	if err != nil {
		return reply{}, err
	}
	lifetime, err := auth.Lifetime(in.ExpiresInMinutes)
	if err != nil {
		return reply{}, err
	}
	token, err := s.Identities.Issue(c, c.identity(), scopes, lifetime)
	if err != nil {
		return reply{}, err
	}
	return ok(toToken(token))
}

type exchangeTeamsRequest struct {
	Token  string `json:"token"`
	AppID  string `json:"appId"`
	UserID string `json:"userId"`
}

// exchangeTeamsToken refuses every token, an empty one alike: no issuer of Teams tokens is known to this server. The other
// fields are checked first, as the service does (recordings of the JavaScript and Python suites).
func (s *server) exchangeTeamsToken(_ *call, in exchangeTeamsRequest) (reply, error) {
	for _, field := range []struct{ name, value string }{{"AppId", in.AppID}, {"UserId", in.UserID}} {
		if field.value == "" {
			return reply{}, errRequired(field.name)
		}
	}
	return reply{}, &chat.Error{
		Kind: chat.Unauthorized, Code: "InvalidAccessToken", Message: "Provided access token is not valid.",
		Reason: "no issuer of Teams tokens is configured",
	}
}

// errRequired is the answer of model binding to a field that is missing or empty.
func errRequired(field string) error {
	return &bindingError{&chat.Error{
		Kind: chat.Invalid, Code: "ValidationError", Message: field + ": The " + field + " field is required.", Target: field,
	}}
}
