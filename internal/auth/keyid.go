package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// KeyID names an access key without revealing it. A token carries the id of the key that signed the request for it,
// and ends when no server has the key any more: rotation of access keys "revokes all active access tokens that were created by
// using a former access key" (identity model page of the ACS documentation). It is computed, so that all servers agree on it
// and nothing has to be stored.
//
// A token without one does not depend on any key: those that were asked for by an Entra token, and those of older versions.
type KeyID string

// keyIDHeader is where a token carries it: in the header, since the claims are those of the service.
const keyIDHeader = "gen"

// KeyIDOf names an access key in base64.
func KeyIDOf(base64Key string) (KeyID, error) {
	key, err := decodeKey(base64Key)
	if err != nil {
		return "", fmt.Errorf("access key: %w", err)
	}
	return keyIDOf(key), nil
}

func keyIDOf(key []byte) KeyID {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("chatd token generation"))
	return KeyID(hex.EncodeToString(mac.Sum(nil)[:8]))
}

// keyIDIn returns that of a genuine token.
func keyIDIn(token *jwt.Token) (KeyID, error) {
	value, there := token.Header[keyIDHeader]
	name, _ := value.(string)
	if there && name == "" {
		return "", errRegenerated
	}
	return KeyID(name), nil
}

var errRegenerated = errToken("access key was regenerated")

// checkKeyID refuses that of an access key which is not one of today's.
func (s *Identities) checkKeyID(id KeyID) error {
	if id != "" && !slices.Contains(s.keyIDs, id) {
		return errRegenerated
	}
	return nil
}
