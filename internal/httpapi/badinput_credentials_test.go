package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
)

// alive fails the test unless the server still answers good requests of both APIs.
func (b *bench) alive() {
	b.Helper()
	b.user().get("/chat/threads").is(http.StatusOK)
	b.owner().post("/identities", "").is(http.StatusCreated)
}

// strangerKey is a signing key of another server.
var strangerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func ourKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	return must(x509.ParsePKCS8PrivateKey(signingKey()))(t).(*rsa.PrivateKey)
}

// sign signs claims by any method, as if with the named key.
func sign(t *testing.T, method jwt.SigningMethod, kid string, key any, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	if kid != "" {
		token.Header["kid"] = kid
	}
	return must(token.SignedString(key))(t)
}

// claimsOf are good claims for a user.
func claimsOf(id string) jwt.MapClaims {
	now := moment.Std().Unix()
	return jwt.MapClaims{
		"skypeid": strings.TrimPrefix(id, "8:"), "scp": 1792, "csi": "0", "iat": now, "exp": now + 3600, "acsScope": "chat", "resourceId": resource,
	}
}

func minus(c jwt.MapClaims, name string) jwt.MapClaims {
	delete(c, name)
	return c
}

func plus(c jwt.MapClaims, name string, value any) jwt.MapClaims {
	c[name] = value
	return c
}

func encodedClaims(c jwt.MapClaims) string {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // of claims written into a test
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Whoever has no good token gets an empty 401, for whatever reason, with each operation of Chat; the reason is in the log.
func TestBadTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	id := w.alice.id
	good := w.alice.token
	parts := strings.Split(good, ".")
	rs, ours := jwt.SigningMethodRS256, ourKey(t)
	public := must(x509.MarshalPKIXPublicKey(&ours.PublicKey))(t)
	none := sign(t, jwt.SigningMethodNone, "1", jwt.UnsafeAllowNoneSignatureType, claimsOf(id))

	gone := b.user()
	b.owner().delete("/identities/" + gone.id).empty(http.StatusNoContent)
	revoked := b.user()
	b.owner().post("/identities/"+revoked.id+"/:revokeAccessTokens", "").empty(http.StatusNoContent)
	other := auth.NewIdentities(otherResource, b.keys, b.db, b.clock.now)
	foreign := must(other.Issue(t.Context(), must(other.Create(t.Context()))(t), []auth.Scope{auth.ScopeChat}, time.Hour, ""))(t).Value

	tests := []struct{ name, authorization, reason string }{
		{"no header", "", "no bearer token"},
		{"another scheme", "Basic " + good, "no bearer token"},
		{"no scheme", good, "no bearer token"},
		{"access key", "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=x", "no bearer token"},
		{"scheme only", "Bearer", "no token"},
		{"empty", "Bearer  ", "no token"},
		{"no JWT", "Bearer secret-that-is-no-token", "malformed token"},
		{"one part", "Bearer " + parts[0], "malformed token"},
		{"four parts", "Bearer " + good + ".x", "malformed token"},
		{"two tokens", "Bearer " + good + " " + good, "malformed token"},
		{"quoted", `Bearer "` + good + `"`, "malformed token"},
		{"10,000 characters", "Bearer " + strings.Repeat("a", 10_000), "malformed token: too long"},
		{"no signature", "Bearer " + parts[0] + "." + parts[1] + ".", "bad signature"},
		{"signature of another", "Bearer " + parts[0] + "." + parts[1] + "." + strings.Split(w.bob.token, ".")[2], "bad signature"},
		{"other claims", "Bearer " + parts[0] + "." + encodedClaims(claimsOf(w.bob.id)) + "." + parts[2], "bad signature"},
		{"key of another server", "Bearer " + sign(t, rs, "1", strangerKey(), claimsOf(id)), "bad signature"},
		{"unknown kid", "Bearer " + sign(t, rs, "2", strangerKey(), claimsOf(id)), "unknown kid"},
		{"no kid", "Bearer " + sign(t, rs, "", ours, claimsOf(id)), "unknown kid"},
		{"alg none", "Bearer " + none, "wrong algorithm"},
		{"alg none with a signature", "Bearer " + none + parts[2], "wrong algorithm"},
		{"HS256 with the public key", "Bearer " + sign(t, jwt.SigningMethodHS256, "1", public, claimsOf(id)), "wrong algorithm"},
		{"RS512", "Bearer " + sign(t, jwt.SigningMethodRS512, "1", ours, claimsOf(id)), "wrong algorithm"},
		{"expired", "Bearer " + sign(t, rs, "1", ours, plus(claimsOf(id), "exp", moment.Std().Unix()-1)), "token is expired"},
		{"no exp", "Bearer " + sign(t, rs, "1", ours, minus(claimsOf(id), "exp")), "malformed token: no exp"},
		{"no iat", "Bearer " + sign(t, rs, "1", ours, minus(claimsOf(id), "iat")), "malformed token: no iat"},
		{"nobody's", "Bearer " + sign(t, rs, "1", ours, minus(claimsOf(id), "skypeid")), "token of another resource"},
		{"of another resource", "Bearer " + foreign, "token of another resource"},
		{"of no resource", "Bearer " + sign(t, rs, "1", ours, minus(claimsOf(id), "resourceId")), "token of another resource"},
		{"of a deleted user", "Bearer " + gone.token, "identity is deleted"},
		{"revoked", "Bearer " + revoked.token, "token is revoked"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			for _, s := range samples {
				if !s.ofChat() || s.version() != newestChat {
					continue
				}
				r := s.request(w, w.alice)
				r.Header.Set("Authorization", test.authorization)
				a := b.send(r)
				a.empty(http.StatusUnauthorized)
				if v, ok := a.header["Api-Supported-Versions"]; ok {
					t.Errorf("%s lists versions %q to an unknown caller", s.operation, v)
				}
				if got, _ := b.log.of(t, a)["reason"].(string); !strings.Contains(got, "["+test.reason+"]") {
					t.Errorf("%s is refused because of %q, want %q", s.operation, got, test.reason)
				}
			}
			b.alive()
		})
	}
}

// The scheme is not sensitive to case, and some clients put more than one space.
func TestGoodTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "Bearer   "} {
		alice.get("/chat/threads", "Authorization: "+scheme+alice.token).is(http.StatusOK)
	}
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.bearer(b.owner().post("/identities", `{"createTokenWithScopes":["chat"],"expiresInMinutes":60}`).text("accessToken.token"))
	alice.get("/chat/threads").is(http.StatusOK)
	b.clock.set(chat.TimeOf(moment.Std().Truncate(time.Second).Add(time.Hour - time.Millisecond)))
	alice.get("/chat/threads").is(http.StatusOK)
	b.clock.advance(time.Millisecond)
	alice.get("/chat/threads").empty(http.StatusUnauthorized)
	b.alive()
}

const denialText = "Denied by the resource provider."

// TestBadSignatures changes one thing of a good signed request, with each operation of Identity.
func TestBadSignatures(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	const hashText = "Request 'x-ms-content-sha256' differs from generated content hash."
	const signed = "SignedHeaders=x-ms-date;host;x-ms-content-sha256"
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	signAs := func(change func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) {
			other := r.Clone(context.Background())
			change(other)
			resign(t, other, primaryKey, moment.Std())
			r.Header = other.Header
		}
	}
	resignAt := func(key string, at time.Time) func(*http.Request) {
		return func(r *http.Request) { resign(t, r, key, at) }
	}
	signature := func(change func(string) string) func(*http.Request) {
		return func(r *http.Request) {
			head, value, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", head+"Signature="+change(value))
		}
	}
	tests := []struct {
		name    string
		change  func(*http.Request)
		message string
	}{
		{"no header", func(r *http.Request) { r.Header.Del("Authorization") }, denialText},
		{"another scheme", set("Authorization", "Basic dTpw"), denialText},
		{"scheme only", set("Authorization", "HMAC-SHA256"), denialText},
		{"no signature", set("Authorization", "HMAC-SHA256 "+signed), denialText},
		{"empty signature", signature(func(string) string { return "" }), denialText},
		{"no base64", signature(func(v string) string { return "!" + v[1:] }), denialText},
		{"short signature", signature(func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)[:16]) }), denialText},
		{"wrong signature", signature(flip), denialText},
		{"host not signed", set("Authorization", "HMAC-SHA256 SignedHeaders=x-ms-date;x-ms-content-sha256&Signature=x"), denialText},
		{"wrong key", resignAt("d3JvbmcgYWNjZXNzIGtleSBvZiB0aGUgdGVzdHMhISE=", moment.Std()), denialText},
		{"stale date", resignAt(primaryKey, moment.Std().Add(-15*time.Minute-2*time.Second)), denialText},
		{"future date", resignAt(primaryKey, moment.Std().Add(15*time.Minute+2*time.Second)), denialText},
		{"no date", func(r *http.Request) { r.Header.Del("x-ms-date") }, denialText},
		{"date that is none", set("x-ms-date", "yesterday"), denialText},
		{"date of another form", set("x-ms-date", moment.Std().Format(time.RFC3339)), denialText},
		{"date that was not signed", set("x-ms-date", moment.Std().Add(time.Second).Format(http.TimeFormat)), denialText},
		{"signed for another method", signAs(func(r *http.Request) { r.Method = "PUT" }), denialText},
		{"signed for another path", signAs(func(r *http.Request) { r.URL.Path += "/x" }), denialText},
		{"signed for another query", signAs(func(r *http.Request) { r.URL.RawQuery += "&x=y" }), denialText},
		{"signed for another host", signAs(func(r *http.Request) { r.URL.Host = "example.com" }), denialText},
		{"no hash", func(r *http.Request) { r.Header.Del("x-ms-content-sha256") }, hashText},
		{"another hash", set("x-ms-content-sha256", base64.StdEncoding.EncodeToString(make([]byte, 32))), denialText}, // not what was signed
		{"user token", set("Authorization", "Bearer "+w.alice.token), denialText},
		{"too long", set("Authorization", "HMAC-SHA256 "+signed+"&Signature="+strings.Repeat("A", 10_000)), denialText},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			for _, s := range samples {
				if s.ofChat() || s.version() != newestIdentity {
					continue
				}
				r := s.request(w, b.owner())
				test.change(r)
				a := b.send(r)
				a.denied(http.StatusUnauthorized, "Denied", test.message, "")
				if v, ok := a.header["Api-Supported-Versions"]; ok {
					t.Errorf("%s lists versions %q to an unknown caller", s.operation, v)
				}
			}
			b.alive()
		})
	}
}

// resign signs a request anew. The bodies of the samples can be read again.
func resign(t *testing.T, r *http.Request, key string, at time.Time) {
	t.Helper()
	var body []byte
	if r.GetBody != nil {
		copied := must(r.GetBody())(t)
		body = make([]byte, r.ContentLength)
		if _, err := copied.Read(body); err != nil && r.ContentLength > 0 {
			t.Error(err)
		}
	}
	if err := auth.Sign(r, body, key, at); err != nil {
		t.Error(err)
	}
}

// flip changes a character of a text in base64, so that it stays base64.
func flip(text string) string {
	if text[0] == 'A' {
		return "B" + text[1:]
	}
	return "A" + text[1:]
}

// A request whose body was changed on its way.
func TestBodyThatWasNotSigned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.users(1)[0]
	for _, body := range []string{`{"scopes":["chat" ]}`, `{"scopes":["voip"]}`} {
		r := b.owner().request("POST", "/identities/"+id+"/:issueAccessToken", `{"scopes":["chat"]}`)
		other := b.nobody().at(newestIdentity).request("POST", "/identities/"+id+"/:issueAccessToken", body)
		other.Header = r.Header
		b.send(other).denied(http.StatusUnauthorized, "Denied", "Request 'x-ms-content-sha256' differs from generated content hash.", "")
	}
	b.alive()
}

// Sibling services of Azure allow 15 minutes.
func TestSkewOfSignedDates(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, skew := range []time.Duration{-14 * time.Minute, 0, 14 * time.Minute} {
		r := b.owner().request("POST", "/identities", "")
		resign(t, r, primaryKey, moment.Std().Add(skew))
		b.send(r).is(http.StatusCreated)
	}
}
