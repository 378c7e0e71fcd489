package chat

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestToText(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                 "",
		"plain":            "plain",
		"café 日本語 😀\ufffd": "café 日本語 😀\ufffd",
		"caf\xe9.png":      "café.png",
		"\x80\xff":         "\u0080ÿ",
		"é\xe9":            "Ã©é",
		"\xed\xa0\x80":     "í\u00a0\u0080", // a surrogate is no UTF-8
		"a\x00b":           "a\ufffdb",
		"\xe9\x00":         "é\ufffd",
	} {
		if got := ToText(raw); got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	}
}

// FuzzText makes text of anything, once and for all; what was text stays.
func FuzzToText(f *testing.F) {
	for _, raw := range []string{"", "caf\xe9", "café", "\x00", "\xed\xa0\x80", "\xf4\x90\x80\x80"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		text := ToText(raw)
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") || ToText(text) != text {
			t.Fatalf("%q gives %q", raw, text)
		}
		if utf8.ValidString(raw) && !strings.Contains(raw, "\x00") && text != raw {
			t.Fatalf("%q, which is text, gives %q", raw, text)
		}
	})
}
