package chat

import (
	"strings"
	"testing"
)

func TestParseMessageID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw string
		id  MessageID
		ok  bool
	}{
		{"0", 0, true},
		{"1", 1, true},
		{"1612470112922", 1612470112922, true},
		{"9223372036854775807", 1<<63 - 1, true},

		{"", 0, false},
		{" ", 0, false},
		{"+1", 0, false},
		{"-1", 0, false},
		{"-0", 0, false},
		{"+0", 0, false},
		{" 1", 0, false},
		{"1 ", 0, false},
		{"1\n", 0, false},
		{"1.0", 0, false},
		{"1e3", 0, false},
		{"0x10", 0, false},
		{"1_000", 0, false},
		{"１", 0, false}, // a digit, but none of ours
		{"invalid_id", 0, false},
		{"9223372036854775808", 0, false},
		{strings.Repeat("9", 10_000), 0, false},
	} {
		id, err := ParseMessageID(c.raw)
		if c.ok {
			accepted(t, err)
			if id != c.id {
				t.Errorf("%q is %d, want %d", c.raw, id, c.id)
			}
			if id.String() != c.raw {
				t.Errorf("%q is shown as %q", c.raw, id)
			}
			continue
		}
		// The text: recordings of the Android suite.
		refused(t, err, Invalid, "", "Value for MessageId ("+c.raw+") is not valid.")
	}
}

func TestMessageTypes(t *testing.T) {
	t.Parallel()
	for kind, byUser := range map[MessageType]bool{
		Text: true, HTML: true, TopicUpdated: false, ParticipantAdded: false, ParticipantRemoved: false, "": false, "Text": false,
	} {
		if kind.User() != byUser {
			t.Errorf("%q is written by participants: %t, want %t", kind, kind.User(), byUser)
		}
	}
}

// Truncated, not rounded: the JavaScript suite shows 1612470112922 as …:52Z.
func TestMessageCreatedOn(t *testing.T) {
	t.Parallel()
	m := Message{ID: 1612470112922}
	if got, want := m.CreatedOn().Std().Format("2006-01-02T15:04:05.000Z07:00"), "2021-02-04T20:21:52.922Z"; got != want {
		t.Errorf("message %d was created on %s, want %s", m.ID, got, want)
	}
}

func FuzzParseMessageID(f *testing.F) {
	for _, s := range []string{
		"", "0", "-0", "+1", "-1", "007", "1612470112922", "9223372036854775808", "0x1", "1_0", "٣", strings.Repeat("1", 10_000),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		id, err := ParseMessageID(raw)
		if err != nil {
			if KindOf(err) != Invalid {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		if id < 0 || strings.Trim(raw, "0123456789") != "" {
			t.Errorf("%q is taken for the id %d", raw, id)
		}
		again, err := ParseMessageID(id.String())
		if err != nil || again != id {
			t.Errorf("%q is shown as %s, which is read as %d, %v", raw, id, again, err)
		}
	})
}
