package httpapi

import (
	"encoding/json"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// chatTime is a time in requests and answers of Chat.
type chatTime chat.Time

// MarshalJSON writes the time as appendTime does.
func (t chatTime) MarshalJSON() ([]byte, error) { return appendTime(nil, chat.Time(t)), nil }

// UnmarshalJSON reads the forms that SDKs send, see chat.ParseTime; null is no time.
func (t *chatTime) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" { // as encoding/json treats null for other types
		return nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return invalid("%.40s is no time.", raw)
	}
	at, err := chat.ParseTime(text)
	if err != nil {
		return invalid("%.40q is no time.", text)
	}
	*t = chatTime(at)
	return nil
}

// orNil returns nil for no time, so that the field is left out.
func orNil(t chat.Time) *chatTime {
	if t == 0 {
		return nil
	}
	w := chatTime(t)
	return &w
}

// tokenTime returns a time as Identity writes it: seven digits and an offset, never Z (all recordings).
func tokenTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.0000000") + "+00:00"
}

// appendTime writes a time in whole seconds. Milliseconds are cut off, although message ids have them (all recordings).
func appendTime(to []byte, t chat.Time) []byte {
	at := t.Std()
	if y := at.Year(); y < 1 || y > 9999 { // RFC 3339 has no such year, but a client may have sent one
		at = time.Time{}
	}
	return append(at.AppendFormat(append(to, '"'), time.RFC3339), '"')
}

// appendOptionalTime writes nothing for no time, so that the field is left out.
func appendOptionalTime(to []byte, t chat.Time) []byte {
	if t == 0 {
		return to
	}
	return appendTime(to, t)
}
