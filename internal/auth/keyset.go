package auth

import (
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
}

// KeySet holds the keys of the service: the oldest signs, each of them verifies. It is safe for concurrent use.
type KeySet struct {
	id     string
	key    *rsa.PrivateKey
	public map[string]*rsa.PublicKey
	jwks   []byte
}

const (
	keyBits = 2048

	// firstKey is the ID of the first key. It is the same for every server, so that of two that start together on
	// an empty store only one adds its key, and both read that one back.
	firstKey = "1"
)

// LoadKeySet reads the keys of the store; when there is none, it creates the first. Keys are RSA of 2048 bits or
// more, as the tokens of the service are signed with RS256.
func LoadKeySet(ctx context.Context, store KeyStore, now chat.Time) (*KeySet, error) {
	keys, err := store.SigningKeys(ctx)
	if err == nil && len(keys) == 0 {
		keys, err = createKey(ctx, store, now)
	}
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	return newKeySet(keys)
}

// createKey adds the first key and returns what is stored then, which may be another server's.
func createKey(ctx context.Context, store KeyStore, now chat.Time) ([]SigningKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := store.AddSigningKey(ctx, SigningKey{ID: firstKey, PKCS8: der, CreatedOn: now}); err != nil {
		return nil, err
	}
	return store.SigningKeys(ctx)
}

func newKeySet(keys []SigningKey) (*KeySet, error) {
	if len(keys) == 0 {
		return nil, errors.New("the store lost the signing key that was added")
	}
	s := &KeySet{id: keys[0].ID, public: make(map[string]*rsa.PublicKey, len(keys))}
	for i, k := range keys {
		key, err := parseKey(k.PKCS8)
		if err != nil {
			return nil, fmt.Errorf("signing key %q: %w", k.ID, err)
		}
		if i == 0 {
			s.key = key
		}
		s.public[k.ID] = &key.PublicKey
	}
	var err error
	s.jwks, err = marshalJWKS(keys, s.public)
	return s, err
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

func marshalJWKS(keys []SigningKey, public map[string]*rsa.PublicKey) ([]byte, error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	base64url := base64.RawURLEncoding.EncodeToString
	for _, k := range keys {
		p := public[k.ID]
		set.Keys = append(set.Keys, jwk{
			Type: "RSA", Use: "sig", Algorithm: jwt.SigningMethodRS256.Alg(), ID: k.ID,
			Modulus:  base64url(p.N.Bytes()),
			Exponent: base64url(big.NewInt(int64(p.E)).Bytes()),
		})
	}
	return json.Marshal(set)
}

// JWKS returns the public keys as a JSON Web Key Set (RFC 7517), for those who verify tokens themselves.
func (s *KeySet) JWKS() []byte { return slices.Clone(s.jwks) }

// sign returns the claims as a signed token of a generation, if there is one.
func (s *KeySet) sign(c claims, key Generation) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
	token.Header["kid"] = s.id
	if key != "" {
		token.Header[generationHeader] = key
	}
	return token.SignedString(s.key)
}

var errUnknownKey = errors.New("unknown kid")

// find is the jwt.Keyfunc: the public key that the token's header names.
func (s *KeySet) find(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	key, ok := s.public[id]
	if !ok {
		return nil, errUnknownKey
	}
	return key, nil
}
