package auth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chatd/chatd/internal/chat"
)

// forge signs claims with any method, header and key.
func forge(tb testing.TB, method jwt.SigningMethod, kid string, key any, c jwt.Claims) string {
	tb.Helper()
	token := jwt.NewWithClaims(method, c)
	token.Header["kid"] = kid
	raw, err := token.SignedString(key)
	noError(tb, err)
	return raw
}

// genuine signs claims, changed from good ones, with the key of the service.
func genuine(tb testing.TB, change func(*claims)) string {
	tb.Helper()
	iat := seconds(start)
	c := newClaims(resource, user1, []Scope{ScopeChat}, iat, iat+3600)
	change(&c)
	raw, err := keySet(tb, testKey(oneDER(), "1")).sign(c, "")
	noError(tb, err)
	return raw
}

func same(*claims) {}

func TestAuthenticateRefuses(t *testing.T) {
	t.Parallel()
	good := genuine(t, same)
	iat := seconds(start)
	goodClaims := newClaims(resource, user1, []Scope{ScopeChat}, iat, iat+3600)
	ours, err := parseKey(oneDER())
	noError(t, err)
	theirs, err := parseKey(otherDER())
	noError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&ours.PublicKey)
	noError(t, err)
	parts := strings.Split(good, ".")

	tests := []struct {
		name, token, reason string
	}{
		{"none", "", "no token"},
		{"no JWT", "secret", "malformed token"},
		{"two parts", "a.b", "malformed token"},
		{"four parts", good + ".x", "malformed token"},
		{"no base64", "!." + parts[1] + "." + parts[2], "malformed token"},
		{"no JSON", "e30." + "AAAA" + "." + parts[2], "malformed token"},
		{"header null", "bnVsbA." + parts[1] + "." + parts[2], "wrong algorithm"},
		{"huge", good + strings.Repeat("A", 10_000), "malformed token: too long"},
		{"alg none", forge(t, jwt.SigningMethodNone, "1", jwt.UnsafeAllowNoneSignatureType, goodClaims), "wrong algorithm"},
		{"HMAC with the public key", forge(t, jwt.SigningMethodHS256, "1", public, goodClaims), "wrong algorithm"},
		{"RS512 with our key", forge(t, jwt.SigningMethodRS512, "1", ours, goodClaims), "wrong algorithm"},
		{"PS256 with our key", forge(t, jwt.SigningMethodPS256, "1", ours, goodClaims), "wrong algorithm"},
		{"unknown kid", forge(t, jwt.SigningMethodRS256, "2", ours, goodClaims), "unknown kid"},
		{"another key", forge(t, jwt.SigningMethodRS256, "1", theirs, goodClaims), "bad signature"},
		{"other claims", parts[0] + "." + strings.Split(genuine(t, func(c *claims) { c.Scope = "voip" }), ".")[1] + "." + parts[2], "bad signature"},
		{"other spelling", good[:len(good)-1] + string(good[len(good)-1]+1), "malformed token"},
		{"no signature", parts[0] + "." + parts[1] + ".", "bad signature"},
		{"expired", genuine(t, func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(start.Std().Add(-time.Second)) }), "token is expired"},
		{"no exp", genuine(t, func(c *claims) { c.ExpiresAt = nil }), "malformed token: no exp"},
		{"no iat", genuine(t, func(c *claims) { c.IssuedAt = nil }), "malformed token: no iat"},
		{"more than a day", genuine(t, func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(start.Std().Add(24*time.Hour + time.Second)) }), "token lives longer than a day"},
		{"a year, as if issued later", genuine(t, func(c *claims) {
			c.IssuedAt, c.ExpiresAt = jwt.NewNumericDate(start.Std().Add(time.Hour)), jwt.NewNumericDate(start.Std().AddDate(1, 0, 0))
		}), "token lives longer than a day"},
		{"other resource", genuine(t, func(c *claims) { c.ResourceID = otherResource }), "token of another resource"},
		{
			"user of another resource",
			genuine(t, func(c *claims) { c.SkypeID = "acs:" + otherResource + "_00-11" }), "token of another resource",
		},
		{"malformed user", genuine(t, func(c *claims) { c.SkypeID = "acs:" + resource + "_" }), "token of another resource"},
		{"no user", genuine(t, func(c *claims) { c.SkypeID = "" }), "token of another resource"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			newBench(t).refuses(tt.token, tt.reason)
		})
	}
}

func TestAuthenticateUntilExpiry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token := b.issue(b.create(), ScopeChat).Value
	exp := chat.Time((seconds(start) + 24*60*60) * 1000)
	b.accepts(token)
	b.clock.ms.Store(int64(exp - 1))
	b.accepts(token)
	b.clock.ms.Store(int64(exp))
	b.refuses(token, "token is expired")
}

func TestAuthenticateAdoptsUnknownUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token := genuine(t, same) // minted offline, for a user that no server created
	if got := b.accepts(token).Identity; got != user1 {
		t.Errorf("identity %s, want %s", got, user1)
	}
	b.issue(user1, ScopeChat) // is now a user as others
	noError(t, b.Delete(t.Context(), user1))
	b.refuses(token, "identity is deleted")
}

func TestAuthenticateDoesNotAdoptStrangers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.refuses(genuine(t, func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(start.Std()) }), "token is expired")
	b.refuses(genuine(t, func(c *claims) { c.ResourceID = otherResource }), "token of another resource")
	if n := len(b.memory.users); n != 0 {
		t.Errorf("%d users are stored, want none", n)
	}
}

func TestAuthenticateRemembers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	token, other := b.issue(id, ScopeChat).Value, b.issue(id, ScopeVoIP).Value
	before := b.memory.reads
	b.accepts(token)
	b.keys = keySet(t, testKey(otherDER(), "1")) // nothing can be verified from here on
	for range 10 {
		b.accepts(token)
	}
	b.refuses(other, "bad signature")
	if n := b.memory.reads - before; n != 1 {
		t.Errorf("the store was asked %d times, want 1", n)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	token := b.issue(id, ScopeChat).Value
	b.accepts(token)

	second := NewIdentities(resource, b.keys, b.memory, b.clock.now)
	noError(t, second.Revoke(t.Context(), id))
	b.Forget(id)
	b.refuses(token, "token is revoked")
}

// Clear is for a store whose content was replaced: neither tokens nor users are remembered from before.
func TestClear(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	token := b.issue(id, ScopeChat).Value
	b.accepts(token)
	second := NewIdentities(resource, b.keys, b.memory, b.clock.now)
	noError(t, second.Delete(t.Context(), id))
	b.accepts(token) // it is remembered
	b.Clear()
	b.refuses(token, "identity is deleted")
	if n := len(b.tokens.entries); n != 1 {
		t.Errorf("%d tokens are remembered after Clear and one look, want 1", n)
	}
}

func TestRevocationElsewhereCountsWithoutForget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	token := b.issue(id, ScopeChat).Value
	b.accepts(token)

	second := NewIdentities(resource, b.keys, b.memory, b.clock.now)
	noError(t, second.Revoke(t.Context(), id))
	b.clock.advance(userAge * time.Millisecond)
	b.refuses(token, "token is revoked")
}

// A revocation while another request reads the user must not be covered by what that one read.
func TestRevokeDuringAuthenticate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	token := b.issue(id, ScopeChat).Value
	b.memory.after = func() { noError(t, b.Revoke(t.Context(), id)) }
	_, _ = b.Authenticate(t.Context(), token) // both answers are right
	b.refuses(token, "token is revoked")
}

func TestIdentitiesConcurrently(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id, steady := b.create(), b.create()
	token := b.issue(steady, ScopeChat).Value
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 5 {
				mine, err := b.Issue(t.Context(), id, []Scope{ScopeChat}, time.Hour, "")
				if err != nil {
					t.Error(err)
				}
				if err := b.Revoke(t.Context(), id); err != nil {
					t.Error(err)
				}
				b.refuses(mine.Value, "token is revoked")
				b.accepts(token)
				b.clock.advance(time.Millisecond)
			}
		})
	}
	work.Wait()
}

func FuzzAuthenticate(f *testing.F) {
	good := genuine(f, same)
	f.Add("")
	f.Add("a.b.c")
	f.Add(good[:len(good)-1])
	f.Add(strings.ToUpper(good))
	f.Add("eyJhbGciOiJub25lIiwia2lkIjoiMSJ9.bnVsbA.")
	b := newBench(f)
	breaks := strings.NewReplacer("\r", "", "\n", "") // base64 has none, and no header can
	f.Fuzz(func(t *testing.T, raw string) {
		if breaks.Replace(raw) == good {
			return
		}
		_, err := b.Authenticate(t.Context(), raw)
		var refusal *chat.Error
		if !errors.As(err, &refusal) {
			t.Fatalf("error %v, want an *chat.Error", err)
		}
		if refusal.Kind != chat.Unauthorized || refusal.Message != "" || refusal.Reason == "" {
			t.Errorf("error %+v, want Unauthorized with a reason and without a message", refusal)
		}
		if len(raw) > 20 && strings.Contains(fmt.Sprint(err), raw) {
			t.Errorf("error %q tells the token", err)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	s := newBench(b)
	token := s.issue(s.create(), ScopeChat).Value
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Authenticate(b.Context(), token); err != nil {
				b.Error(err)
			}
		}
	})
}
