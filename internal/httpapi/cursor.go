package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// A cursor says where a page ended, as numbers that the store understands, some 200 at most. It is signed together with its
// list and user, so that it cannot be made up or used for another list. Its first byte is the version of this form.
const cursorVersion = 2

// newCursor returns the cursor of a position in a list of the call.
func (s *server) newCursor(c *call, list string, at ...int64) string {
	raw := []byte{cursorVersion}
	for _, n := range at {
		raw = binary.BigEndian.AppendUint64(raw, uint64(n))
	}
	return base64.RawURLEncoding.EncodeToString(append(raw, s.sign(c, list, raw)...))
}

// cursor returns the numbers in the cursor of a request, nil if there is none.
func (s *server) cursor(c *call, list string) ([]int64, error) {
	text := c.query.Get("syncState")
	if text == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	n := (len(raw) - 1 - cursorMAC) / 8
	if err != nil || n < 1 || len(raw) != 1+8*n+cursorMAC || raw[0] != cursorVersion {
		return nil, invalid("The query parameter syncState is malformed.")
	}
	raw, mac := raw[:1+8*n], raw[1+8*n:]
	if !hmac.Equal(mac, s.sign(c, list, raw)) {
		return nil, invalid("The query parameter syncState was not made for this list.")
	}
	at := make([]int64, n)
	for i := range at {
		at[i] = int64(binary.BigEndian.Uint64(raw[1+8*i:]))
	}
	return at, nil
}

const cursorMAC = 16 // bytes of the signature: more than enough against guessing, and a shorter nextLink

// sign authenticates a cursor of a list of the call, for its user and thread. A NUL ends each part, so that no two lists share a
// signature.
func (s *server) sign(c *call, list string, raw []byte) []byte {
	mac := hmac.New(sha256.New, s.CursorKey)
	for _, part := range []string{list, string(c.user()), string(c.thread())} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	mac.Write(raw)
	return mac.Sum(nil)[:cursorMAC]
}
