package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Generation names an access key without telling anything of it. A token carries that of the key by which it was asked for,
// and ends when no server has the key any more: rotation of access keys "revokes all active access tokens that were created by
// using a former access key" (identity model page of the ACS documentation). It is computed, so that all servers agree on it
// and nothing has to be stored.
//
// A token without one does not depend on any key: those that were asked for by an Entra token, and those of older versions.
type Generation string

// generationHeader is where a token carries it: in the header, since the claims are those of the service.
const generationHeader = "gen"

// GenerationOf names an access key in base64.
func GenerationOf(base64Key string) (Generation, error) {
	key, err := decodeKey(base64Key)
	if err != nil {
		return "", fmt.Errorf("access key: %w", err)
	}
	return generationOf(key), nil
}

func generationOf(key []byte) Generation {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("chatd token generation"))
	return Generation(hex.EncodeToString(mac.Sum(nil)[:8]))
}

// generationIn returns that of a genuine token.
func generationIn(token *jwt.Token) (Generation, error) {
	value, there := token.Header[generationHeader]
	name, _ := value.(string)
	if there && name == "" {
		return "", errRegenerated
	}
	return Generation(name), nil
}

var errRegenerated = errToken("access key was regenerated")

// checkGeneration refuses that of an access key which is not one of today's.
func (s *Identities) checkGeneration(g Generation) error {
	if g != "" && !slices.Contains(s.generations, g) {
		return errRegenerated
	}
	return nil
}
