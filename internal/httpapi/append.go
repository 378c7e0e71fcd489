package httpapi

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// What is written here is byte for byte what encoding/json writes without HTML escapes, in a fraction of the time.

// appendText writes a string. One that needs an escape is left to encoding/json.
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

// appendDecimal writes a number as the service does those of messages: as a string.
func appendDecimal(to []byte, n int64) []byte {
	return append(strconv.AppendInt(append(to, '"'), n, 10), '"')
}

// appendTime writes a time in whole seconds, cut, although ids carry milliseconds (all recordings).
func appendTime(to []byte, t chat.Time) []byte {
	at := t.Std()
	if y := at.Year(); y < 1 || y > 9999 { // RFC 3339 has no such year, but a client may have sent one
		at = time.Time{}
	}
	return append(at.AppendFormat(append(to, '"'), time.RFC3339), '"')
}

// appendOptionalTime writes nothing for no time.
func appendOptionalTime(to []byte, t chat.Time) []byte {
	if t == 0 {
		return to
	}
	return appendTime(to, t)
}

// appendIdentifier writes an identifier: those of users here, which are nearly all, the others by their model.
func appendIdentifier(to []byte, id chat.Identity) []byte {
	if id.Kind() != chat.KindUser {
		return append(to, web.EncodeJSON(toModel(id))...)
	}
	to = appendText(append(to, `{"rawId":`...), string(id))
	to = appendText(append(to, `,"communicationUser":{"id":`...), string(id))
	return append(to, '}', '}')
}
