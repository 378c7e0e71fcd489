package httpapi

import (
	"net/http"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
)

// createIdentityRequest may be absent, empty or {}: SDKs send all three (recordings).
type createIdentityRequest struct {
	Scopes           []string `json:"createTokenWithScopes"`
	ExpiresInMinutes *int     `json:"expiresInMinutes"`
	CustomID         string   `json:"customId"`
	ExternalID       string   `json:"externalId"` // the name of customId in the API description of 2025-04-01-preview
}

// identityModel has more than the id only since 2025-03-02-preview.
type identityModel struct {
	ID          string `json:"id"`
	CustomID    string `json:"customId,omitempty"`
	LastTokenOn string `json:"lastTokenIssuedAt,omitempty"`
}

func toIdentity(u *auth.User) identityModel {
	m := identityModel{ID: string(u.Identity), CustomID: u.CustomID}
	if u.TokenOn != 0 {
		m.LastTokenOn = tokenTime(u.TokenOn.Std())
	}
	return m
}

// tokenModel is a user token. SDKs read the expiry from the token itself.
type tokenModel struct {
	Token     string `json:"token"`
	ExpiresOn string `json:"expiresOn"`
}

func toToken(t auth.Token) *tokenModel { return &tokenModel{t.Value, tokenTime(t.ExpiresOn)} }

// createIdentityReply is the answer of all operations that return an identity with a token.
type createIdentityReply struct {
	Identity    identityModel `json:"identity"`
	AccessToken *tokenModel   `json:"accessToken,omitempty"`
}

// createIdentity creates an identity, and a token for it if the request names scopes.
func (s *server) createIdentity(c *call, in createIdentityRequest) (reply, error) {
	// First, so that a request for an impossible token leaves no identity behind.
	if _, err := auth.Lifetime(in.ExpiresInMinutes); err != nil {
		return reply{}, err
	}
	if len(in.Scopes) > 0 {
		if _, err := auth.ParseScopes(in.Scopes); err != nil {
			return reply{}, err
		}
	}
	if in.CustomID == "" {
		in.CustomID = in.ExternalID
	}
	user, err := s.Identities.CreateCustom(c, in.CustomID)
	if err != nil {
		return reply{}, err
	}
	out := createIdentityReply{Identity: toIdentity(&user)}
	if len(in.Scopes) > 0 {
		token, err := s.issue(c, user.Identity, in.Scopes, in.ExpiresInMinutes)
		if err != nil {
			return reply{}, err
		}
		out.AccessToken = toToken(token)
	}
	return reply{status: http.StatusCreated, body: out}, nil
}

// getIdentity tells when the last token was issued; the service has it since 2025-03-02-preview.
func (s *server) getIdentity(c *call) (reply, error) {
	user, err := s.Identities.Get(c, c.identity())
	if err != nil {
		return reply{}, err
	}
	return ok(toIdentity(&user))
}

// deleteIdentity revokes the tokens too. The id is unknown from then on, so that a second deletion fails.
func (s *server) deleteIdentity(c *call) (reply, error) {
	return noBody(http.StatusNoContent, s.Identities.Delete(c, c.identity()))
}

// revokeTokens revokes all tokens issued so far. The service may take 15 minutes for it (identity model page of the ACS
// documentation), chatd does not.
func (s *server) revokeTokens(c *call) (reply, error) {
	return noBody(http.StatusNoContent, s.Identities.Revoke(c, c.identity()))
}

// issueTokenRequest is valid for 60 to 1440 minutes, the latter by default; null means the default (recordings of the CLI suite).
type issueTokenRequest struct {
	Scopes           []string `json:"scopes"`
	ExpiresInMinutes *int     `json:"expiresInMinutes"`
}

// issueToken leaves earlier tokens valid: a user may hold several.
func (s *server) issueToken(c *call, in issueTokenRequest) (reply, error) {
	if in.Scopes == nil {
		return reply{}, errRequired("Scopes")
	}
	token, err := s.issue(c, c.identity(), in.Scopes, in.ExpiresInMinutes)
	if err != nil {
		return reply{}, err
	}
	return ok(toToken(token))
}

// exchangeTeamsRequest has the token of a Teams user for whom an application asks.
type exchangeTeamsRequest struct {
	Token  string `json:"token"`
	AppID  string `json:"appId"`
	UserID string `json:"userId"`

	tokenOnly bool // before 2022-06-01 the body had nothing else
}

// exchangeTeamsToken refuses every token, since the server knows no issuer of Teams tokens. The order is that of the service: it
// refuses an empty appId first, and a token that it cannot read before an empty userId (recordings of the Python suite,
// 2022-10-01: 401 for an empty userId with the tokens "" and "invalid", 400 with a genuine one).
func (s *server) exchangeTeamsToken(_ *call, in exchangeTeamsRequest) (reply, error) {
	switch {
	case in.AppID == "" && !in.tokenOnly:
		return reply{}, errRequired("AppId")
	case !auth.ReadableToken(in.Token):
		return reply{}, errExchange("token cannot be read")
	case in.UserID == "" && !in.tokenOnly:
		return reply{}, errRequired("UserId")
	}
	return reply{}, errExchange("no issuer of Teams tokens is configured")
}

// entraUser is the custom id of the user that the configured Entra token stands for.
const entraUser = "chatd:entra"

// exchangeEntraToken gives the holder of the configured Entra token a token of an identity, always the same one, as the service
// does for each user of Entra (identity model page of the ACS documentation).
func (s *server) exchangeEntraToken(c *call) (reply, error) {
	user, err := s.Identities.CreateCustom(c, entraUser)
	if err != nil {
		return reply{}, err
	}
	token, err := s.issue(c, user.Identity, []string{string(auth.ScopeChat), string(auth.ScopeVoIP)}, nil)
	if err != nil {
		return reply{}, err
	}
	return ok(createIdentityReply{identityModel{ID: string(user.Identity)}, toToken(token)})
}

// errExchange is the answer to a token that cannot be exchanged (recordings of the JavaScript and Python suites).
func errExchange(reason string) error {
	return &chat.Error{Kind: chat.Unauthorized, Code: "InvalidAccessToken", Message: "Provided access token is not valid.", Reason: reason}
}

// errRequired is the answer to a required field that is missing or empty. It comes from model binding, before the operation.
func errRequired(field string) error {
	return &bindingError{&chat.Error{
		Kind: chat.Invalid, Code: "ValidationError", Message: field + ": The " + field + " field is required.", Target: field,
	}}
}

// issue makes a token for the scopes and the lifetime, in minutes, of a request.
func (s *server) issue(c *call, id chat.Identity, names []string, minutes *int) (auth.Token, error) {
	scopes, err := auth.ParseScopes(names)
	if err != nil {
		return auth.Token{}, err
	}
	lifetime, err := auth.Lifetime(minutes)
	if err != nil {
		return auth.Token{}, err
	}
	return s.Identities.Issue(c, id, scopes, lifetime, c.key)
}
