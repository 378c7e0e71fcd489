package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
)

func TestLoadKeySetCreatesOneKey(t *testing.T) {
	t.Parallel()
	store := &memory{}
	first, err := LoadKeySet(t.Context(), store, start)
	noError(t, err)
	again, err := LoadKeySet(t.Context(), store, start+1000)
	noError(t, err)
	if diff := cmp.Diff(string(published(t, first, start)), string(published(t, again, start))); diff != "" {
		t.Errorf("keys after a restart (-first +again):\n%s", diff)
	}
	if len(store.keys) != 1 || store.keys[0].CreatedOn != start {
		t.Errorf("stored %d keys, want one created at the start", len(store.keys))
	}
	if bits := first.keys.Load().active.N.BitLen(); bits != 2048 {
		t.Errorf("key of %d bits, want 2048", bits)
	}
}

// lateStore lets all servers see an empty store before one of them adds its key.
type lateStore struct {
	memory
	servers *sync.WaitGroup
}

func (s *lateStore) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	keys, err := s.memory.SigningKeys(ctx)
	if len(keys) == 0 {
		s.servers.Done()
		s.servers.Wait()
	}
	return keys, err
}

func TestLoadKeySetTogether(t *testing.T) {
	t.Parallel()
	const servers = 3
	var seen, done sync.WaitGroup
	seen.Add(servers)
	store := &lateStore{servers: &seen}
	sets := make([]*KeySet, servers)
	for i := range sets {
		done.Go(func() { sets[i], _ = LoadKeySet(t.Context(), store, start) })
	}
	done.Wait()
	for i, s := range sets {
		if s == nil {
			t.Fatalf("server %d has no keys", i)
		}
		if diff := cmp.Diff(string(published(t, sets[0], start)), string(published(t, s, start))); diff != "" {
			t.Errorf("keys of server %d (-first +this):\n%s", i, diff)
		}
		if !s.keys.Load().active.Equal(sets[0].keys.Load().active) {
			t.Errorf("server %d signs with another key", i)
		}
	}
}

func TestLoadKeySetErrors(t *testing.T) {
	t.Parallel()
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	noError(t, err)
	ecDER, err := x509.MarshalPKCS8PrivateKey(elliptic)
	noError(t, err)
	tests := []struct {
		name  string
		store *memory
		want  string
	}{
		{"store fails", &memory{fail: errors.New("store is down")}, "store is down"},
		{"no DER", &memory{keys: []SigningKey{testKey([]byte("x"), "7")}}, `signing key "7"`},
		{"not RSA", &memory{keys: []SigningKey{testKey(ecDER, "7")}}, "want RSA"},
		{"too small", &memory{keys: []SigningKey{testKey(newDER(1024), "7")}}, "want 2048 bits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := LoadKeySet(t.Context(), tt.store, start)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func published(t *testing.T, s *KeySet, now chat.Time) []byte {
	t.Helper()
	raw, err := s.JWKS(now)
	noError(t, err)
	return raw
}

// jwksKeys reads a key set as a verifier outside does.
func jwksKeys(t *testing.T, raw []byte) map[string]*rsa.PublicKey {
	t.Helper()
	var set struct{ Keys []map[string]string }
	noError(t, json.Unmarshal(raw, &set))
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		n, err := base64.RawURLEncoding.DecodeString(k["n"])
		noError(t, err)
		e, err := base64.RawURLEncoding.DecodeString(k["e"])
		noError(t, err)
		keys[k["kid"]] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if k["kty"] != "RSA" || k["alg"] != "RS256" || k["use"] != "sig" {
			t.Errorf("key is %q %q for %q, want RSA RS256 for sig", k["kty"], k["alg"], k["use"])
		}
	}
	return keys
}

func TestKeySetSignsWithNewestAndVerifiesAll(t *testing.T) {
	t.Parallel()
	oldest, newest := testKey(oneDER(), "1"), testKey(otherDER(), "2")
	both, first := keySet(t, oldest, newest), keySet(t, oldest)
	for name, s := range map[string]*KeySet{"1": first, "2": both} {
		raw, err := s.sign(newClaims(resource, user1, []Scope{ScopeChat}, 1, 2), "")
		noError(t, err)
		public := jwksKeys(t, published(t, both, start))
		token, _, err := jwt.NewParser().ParseUnverified(raw, &claims{})
		noError(t, err)
		if diff := cmp.Diff(map[string]any{"alg": "RS256", "kid": name, "typ": "JWT"}, token.Header); diff != "" {
			t.Errorf("header (-want +got):\n%s", diff)
		}
		text := raw[:strings.LastIndexByte(raw, '.')]
		if err := jwt.SigningMethodRS256.Verify(text, token.Signature, public[name]); err != nil {
			t.Errorf("token of key %s against the key set: %v", name, err)
		}
	}
}
