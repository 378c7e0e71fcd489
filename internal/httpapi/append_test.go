package httpapi

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestAppendIsJSON holds what is written by hand against encoding/json.
func TestAppendIsJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		page := drawPage(rt).(messagePage)
		page.NextLink = rapid.OneOf(rapid.Just(""), rapid.String()).Draw(rt, "link")
		for i := range page.Value { // at least the texts of users may hold anything
			m := &page.Value[i]
			if m.Content.Message != nil {
				text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("a<é€😀\"\\\n\x01\x7f\u2028\u2029\ufffd")))).Draw(rt, "text")
				m.Content.Message = &text
			}
			m.SenderName = rapid.SampledFrom([]string{"", "Zoë", "broken \xff UTF-8", `"`}).Draw(rt, "name")
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(page.list); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), string(page.appendJSON(nil))+"\n"); diff != "" {
			rt.Fatalf("(-encoding/json +by hand):\n%s", diff)
		}
	})
}
