package auth

import (
	"crypto/rsa"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chatd/chatd/internal/chat"
)

// Limits of the lifetime of a token (recordings of the JavaScript and Python suites of identity).
const (
	minMinutes     = 60
	maxMinutes     = 1440
	defaultMinutes = 1440
)

// maxTokenBytes bounds a token that is looked at; those of Issue have some 700.
const maxTokenBytes = 8 * 1024

// Lifetime reads the lifetime of a request for a token, in minutes from 60 to 1440. None (nil) is a day, as
// for the explicit null that the Azure CLI sends. Others are an error of kind Invalid.
func Lifetime(minutes *int) (time.Duration, error) {
	m := defaultMinutes
	if minutes != nil {
		m = *minutes
	}
	if m < minMinutes || m > maxMinutes {
		return 0, errValidation("ExpiresInMinutes",
			"ExpiresInMinutes value %d is invalid. Value must be within the [%d, %d] interval.", m, minMinutes, maxMinutes)
	}
	return time.Duration(m) * time.Minute, nil
}

// Token is a user's access token.
type Token struct {
	Value     string    // the JWT
	ExpiresOn time.Time // UTC; in the second of the JWT's exp, with a fraction as the service gives it
}

// claims are those of the service's tokens (34 tokens in recordings of the Java and Python suites, 2020 and 2022).
// Clients read exp; push and signalling clients for Android and iOS read skypeid too.
type claims struct {
	SkypeID              string `json:"skypeid"` // the identity without its "8:"
	Scp                  int    `json:"scp"`
	CSI                  string `json:"csi"` // iat again
	jwt.RegisteredClaims        // iat, exp
	Scope                string `json:"acsScope"` // joined by commas
	ResourceID           string `json:"resourceId"`
}

// scpChat is the claim scp of tokens for chat. Its values for other scopes are not publicly known, and no client
// reads it, so all tokens have this one.
const scpChat = 1792

// newClaims makes the claims of a token issued and ending at the given seconds since 1970.
func newClaims(resource string, id chat.Identity, scopes []Scope, iat, exp int64) claims {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return claims{
		SkypeID: strings.TrimPrefix(string(id), "8:"),
		Scp:     scpChat,
		CSI:     strconv.FormatInt(iat, 10),
		RegisteredClaims: jwt.RegisteredClaims{
			IssuedAt:  jwt.NewNumericDate(time.Unix(iat, 0)),
			ExpiresAt: jwt.NewNumericDate(time.Unix(exp, 0)),
		},
		Scope:      strings.Join(names, ","),
		ResourceID: resource,
	}
}

// read takes over the claims of a genuine token, if it is one of a user of the resource.
func (c *claims) read(resource string) (Principal, error) {
	id := chat.Identity("8:" + c.SkypeID)
	if c.IssuedAt == nil {
		return Principal{}, errToken("malformed token: no iat")
	}
	if c.ExpiresAt.Sub(c.IssuedAt.Time) > maxMinutes*time.Minute { // Issue makes none; VerifiesUntil counts on it
		return Principal{}, errToken("token lives longer than a day")
	}
	if c.ResourceID != resource || !id.BelongsTo(resource) {
		return Principal{}, errToken("token of another resource")
	}
	p := Principal{Identity: id, Issued: chat.TimeOf(c.IssuedAt.Time), Expires: chat.TimeOf(c.ExpiresAt.Time)}
	for name := range strings.SplitSeq(c.Scope, ",") {
		p.Scopes = append(p.Scopes, Scope(name))
	}
	return p, nil
}

// newParser makes a parser that lives in the time of now. It does not look at iat, which may be a second ahead:
// see Issue. Decoding is strict, so that a token has one spelling and one place in the cache.
func newParser(now func() chat.Time) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return now().Std() }),
	)
}

// ReadableToken reports whether a text has the form of a token, whatever key signed it.
func ReadableToken(text string) bool {
	_, _, err := jwt.NewParser().ParseUnverified(text, jwt.MapClaims{})
	return err == nil
}

// whyRefused translates an error of the parser. The parser's own texts quote from the token and are left out.
func whyRefused(err error) error {
	reason := "malformed token"
	switch {
	case errors.Is(err, errUnknownKey):
		reason = "unknown kid"
	case errors.Is(err, rsa.ErrVerification):
		reason = "bad signature"
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		reason = "wrong algorithm"
	case errors.Is(err, jwt.ErrTokenExpired):
		reason = "token is expired"
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		reason = "malformed token: no exp"
	}
	return errToken(reason)
}
