package auth

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func keyID(tb testing.TB, key string) KeyID {
	tb.Helper()
	g, err := KeyIDOf(key)
	noError(tb, err)
	return g
}

// Servers of all versions compute the same one, and from nothing but the key.
func TestGenerationOf(t *testing.T) {
	t.Parallel()
	if g := keyID(t, primary); g != "d3395877dfc5e899" {
		t.Errorf("the key id is %s", g)
	}
	if keyID(t, primary) == keyID(t, secondary) {
		t.Error("two keys have the same key id")
	}
	for _, bad := range []string{"", "c2hvcnQ=", "no base64, however long it is"} {
		if g, err := KeyIDOf(bad); err == nil || g != "" {
			t.Errorf("%q is of key id %q", bad, g)
		}
	}
}

func TestVerifyTellsTheKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{primary, secondary} {
		got, err := verify(accessKeys(t), signing{key: key}.request(t), []byte(body), signedOn)
		noError(t, err)
		if want := keyID(t, key); got != want {
			t.Errorf("the key is of key id %q, want %q", got, want)
		}
	}
}

// A token ends when no server has its access key any more, whatever the place of the key was; one without a key does not.
func TestTokensEndWithTheirKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	a, second, third := keyID(t, primary), keyID(t, secondary), KeyID("0123456789abcdef")
	server := func(keys ...KeyID) *bench {
		s := *b
		s.Identities = NewIdentities(resource, b.keys, b.memory, b.clock.now, keys...)
		return &s
	}
	tokens := map[KeyID]string{}
	for _, g := range []KeyID{"", a, second, third} {
		token, err := b.Issue(t.Context(), id, []Scope{ScopeChat}, time.Hour, g)
		noError(t, err)
		tokens[g] = token.Value
	}
	for _, keys := range [][]KeyID{{a}, {a, second}, {second, a}, {second, third}, {third, second}, {third}, nil} {
		s := server(keys...)
		for g, token := range tokens {
			known := g == ""
			for _, k := range keys {
				known = known || k == g
			}
			if err := s.Revalidate(t.Context(), Principal{Identity: id, Issued: start, Key: g}); (err == nil) != known {
				t.Errorf("with the keys %v a token of %q: %v", keys, g, err)
			}
			for range 2 { // the second answer may come from memory
				if known {
					s.accepts(token)
				} else {
					s.refuses(token, "access key was regenerated")
				}
			}
		}
	}
}

// What is not text is none of ours, though it is signed.
func TestOddGenerations(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ours, err := parseKey(oneDER())
	noError(t, err)
	for _, odd := range []any{nil, 1, "", []string{"a"}, map[string]any{}} {
		c := newClaims(resource, user1, []Scope{ScopeChat}, seconds(start), seconds(start)+3600)
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
		token.Header["kid"], token.Header[keyIDHeader] = "1", odd
		raw, err := token.SignedString(ours)
		noError(t, err)
		b.refuses(raw, "access key was regenerated")
	}
}

// The claims are those of the service with a key too.
func TestGenerationIsInTheHeader(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	headers := map[KeyID]any{}
	for _, g := range []KeyID{"", keyID(t, primary)} {
		token, err := b.Issue(t.Context(), id, []Scope{ScopeChat}, time.Hour, g)
		noError(t, err)
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token.Value, ".")[0])
		noError(t, err)
		header := map[string]any{}
		noError(t, json.Unmarshal(raw, &header))
		headers[g] = header[keyIDHeader]
		if _, there := payload(t, token.Value)[keyIDHeader]; there {
			t.Error("there is a claim of it")
		}
	}
	if headers[""] != nil || headers[keyID(t, primary)] != string(keyID(t, primary)) {
		t.Errorf("headers are %v", headers)
	}
}
