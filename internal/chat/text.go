package chat

import (
	"strings"
	"unicode/utf8"
)

// ToText makes text of bytes that came from outside by no decoder of their own: it is UTF-8 and without NUL, which is all that
// every store can keep. What is no UTF-8 is ISO-8859-1, as of header fields (RFC 9110, 5.5); the JavaScript SDK sends them so.
// A NUL becomes U+FFFD.
func ToText(raw string) string {
	if !utf8.ValidString(raw) {
		runes := make([]rune, len(raw))
		for i := range len(raw) {
			runes[i] = rune(raw[i])
		}
		raw = string(runes)
	}
	return strings.ReplaceAll(raw, "\x00", "\ufffd")
}
