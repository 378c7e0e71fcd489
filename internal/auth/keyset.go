package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chatd/chatd/internal/chat"
)

// SigningKey is a key that signs tokens, as it is stored.
type SigningKey struct {
	ID        string // the kid of the tokens that it signs
	PKCS8     []byte // the private key, DER
	CreatedOn chat.Time
}

// KeyStore keeps signing keys. Its methods are safe for concurrent use, by several servers too.
type KeyStore interface {
	// SigningKeys returns all keys, oldest first.
	SigningKeys(ctx context.Context) ([]SigningKey, error)

	// AddSigningKey adds a key. Adding an ID that is there changes nothing.
	AddSigningKey(ctx context.Context, key SigningKey) error

	// RemoveSigningKey removes a key. Removing one that is not there changes nothing.
	RemoveSigningKey(ctx context.Context, id string) error
}

// KeySet holds the keys of the service: the newest is active and signs, an older one verifies until its tokens are over (see
// VerifiesUntil). It is safe for concurrent use.
type KeySet struct {
	store KeyStore
	keys  atomic.Pointer[keys]

	loading chan struct{} // held while the store is read
	began   time.Time     // when the last reading began; who holds loading may use it
}

// keys are those of the store at one time.
type keys struct {
	stored []SigningKey
	active *rsa.PrivateKey
	public map[string]verifier
}

type verifier struct {
	key   *rsa.PublicKey
	until chat.Time // 0: it is active
}

func (v verifier) ended(now chat.Time) bool { return v.until != 0 && v.until <= now }

const (
	keyBits = 2048

	// firstKey is the ID of the first key. It is the same for every server, so that of two that start together on
	// an empty store only one adds its key, and both read that one back.
	firstKey = "1"

	// keyGrace is how much longer than its tokens live a key verifies that another one superseded: for servers that had not heard
	// of the new one yet and for clocks that disagree.
	keyGrace = time.Hour

	// reloadGap is the time between two readings of the store for tokens with an unknown kid, which anybody can send.
	reloadGap = 100 * time.Millisecond
)

// LoadKeySet reads the keys of the store; when there is none, it creates the first. Keys are RSA of 2048 bits or
// more, as the tokens of the service are signed with RS256.
func LoadKeySet(ctx context.Context, store KeyStore, now chat.Time) (*KeySet, error) {
	stored, err := store.SigningKeys(ctx)
	if err == nil && len(stored) == 0 {
		stored, err = createKey(ctx, store, firstKey, now)
	}
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	return newKeySet(store, stored)
}

// ReadKeySet is LoadKeySet for those who are not to create a key: without one the error is ErrNoKeys.
func ReadKeySet(ctx context.Context, store KeyStore) (*KeySet, error) {
	stored, err := store.SigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	if len(stored) == 0 {
		return nil, ErrNoKeys
	}
	return newKeySet(store, stored)
}

// ErrNoKeys says that no server has made a signing key yet.
var ErrNoKeys = errors.New("there is no signing key")

// createKey adds a key and returns what is stored then, which may be another process's of the same ID.
func createKey(ctx context.Context, store KeyStore, id string, now chat.Time) ([]SigningKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := store.AddSigningKey(ctx, SigningKey{ID: id, PKCS8: der, CreatedOn: now}); err != nil {
		return nil, err
	}
	return store.SigningKeys(ctx)
}

func newKeySet(store KeyStore, stored []SigningKey) (*KeySet, error) {
	if len(stored) == 0 {
		return nil, errors.New("the store lost the signing key that was added")
	}
	s := &KeySet{store: store, loading: make(chan struct{}, 1)}
	return s, s.take(stored)
}

// take makes stored keys those of the set.
func (s *KeySet) take(stored []SigningKey) error {
	k := &keys{stored: stored, public: make(map[string]verifier, len(stored))}
	for i, one := range stored {
		key, err := parseKey(one.PKCS8)
		if err != nil {
			return fmt.Errorf("signing key %q: %w", one.ID, err)
		}
		k.active = key // the last one stays
		k.public[one.ID] = verifier{&key.PublicKey, VerifiesUntil(stored, i)}
	}
	s.keys.Store(k)
	return nil
}

// Refresh reads the keys of the store again, so that the set signs with one that became active elsewhere and no longer takes one
// that was retired. After an error, and when the store has lost all keys, the set stays as it is.
func (s *KeySet) Refresh(ctx context.Context) error { return s.refresh(ctx, time.Now(), 0) }

// refresh reads the store unless that has begun since the given time, by another caller.
func (s *KeySet) refresh(ctx context.Context, since time.Time, gap time.Duration) error {
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.began.After(since) {
		return nil
	}
	select {
	case <-time.After(time.Until(s.began.Add(gap))):
	case <-ctx.Done():
		return ctx.Err()
	}
	s.began = time.Now()
	stored, err := s.store.SigningKeys(ctx)
	if err == nil && len(stored) == 0 {
		err = ErrNoKeys
	}
	if err == nil && !slices.EqualFunc(stored, s.keys.Load().stored, SigningKey.equal) {
		err = s.take(stored)
	}
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	return nil
}

func (k SigningKey) equal(other SigningKey) bool {
	return k.ID == other.ID && k.CreatedOn == other.CreatedOn && bytes.Equal(k.PKCS8, other.PKCS8)
}

func parseKey(der []byte) (*rsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("want RSA, have %T", parsed)
	}
	if bits := key.N.BitLen(); bits < keyBits {
		return nil, fmt.Errorf("want %d bits or more, have %d", keyBits, bits)
	}
	return key, nil
}

// jwk is a public key as RFC 7517 writes it.
type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	Modulus   string `json:"n"`
	Exponent  string `json:"e"`
}

// JWKS returns the public keys that verify now as a JSON Web Key Set (RFC 7517), for those who verify tokens themselves.
func (s *KeySet) JWKS(now chat.Time) ([]byte, error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	base64url := base64.RawURLEncoding.EncodeToString
	k := s.keys.Load()
	for _, one := range k.stored {
		v := k.public[one.ID]
		if v.ended(now) {
			continue
		}
		set.Keys = append(set.Keys, jwk{
			Type: "RSA", Use: "sig", Algorithm: jwt.SigningMethodRS256.Alg(), ID: one.ID,
			Modulus:  base64url(v.key.N.Bytes()),
			Exponent: base64url(big.NewInt(int64(v.key.E)).Bytes()),
		})
	}
	return json.Marshal(set)
}

// sign returns the claims as a signed token of a key id, if there is one.
func (s *KeySet) sign(c claims, key KeyID) (string, error) {
	k := s.keys.Load()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
	token.Header["kid"] = k.stored[len(k.stored)-1].ID
	if key != "" {
		token.Header[keyIDHeader] = key
	}
	return token.SignedString(k.active)
}

var errUnknownKey = errors.New("unknown kid")

// verifies reports whether the key of that ID verifies tokens at the time.
func (s *KeySet) verifies(id string, now chat.Time) bool {
	v, ok := s.keys.Load().public[id]
	return ok && !v.ended(now)
}

// find returns a jwt.Keyfunc: the public key that the token's header names, if it verifies at the time.
func (s *KeySet) find(now chat.Time) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		id := keyIn(token)
		v, ok := s.keys.Load().public[id]
		if !ok || v.ended(now) {
			return nil, errUnknownKey
		}
		return v.key, nil
	}
}

// keyIn is the ID of the key that a token says signed it.
func keyIn(token *jwt.Token) string {
	id, _ := token.Header["kid"].(string)
	return id
}
