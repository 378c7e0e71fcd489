package httpapi

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/chatd/chatd/internal/web"
)

// These functions write what encoding/json writes without HTML escapes, byte for byte, in a fraction of the time.

// appendText writes a string. One that needs an escape is left to encoding/json, since few do.
func appendText(to []byte, text string) []byte {
	ascii := true
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c == '"' || c == '\\':
			return append(to, web.EncodeJSON(text)...)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	// encoding/json escapes the line and paragraph separators too.
	if !ascii && (!utf8.ValidString(text) || strings.Contains(text, "\u2028") || strings.Contains(text, "\u2029")) {
		return append(to, web.EncodeJSON(text)...)
	}
	return append(append(append(to, '"'), text...), '"')
}

// appendDecimal writes a number as a string, as the service writes ids, versions and sequence numbers.
func appendDecimal(to []byte, n int64) []byte {
	return append(strconv.AppendInt(append(to, '"'), n, 10), '"')
}
