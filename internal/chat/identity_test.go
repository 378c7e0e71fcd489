package chat

import (
	"crypto/rand"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestIdentityForms(t *testing.T) {
	t.Parallel()
	const guid = "46849534-eb08-4ab7-bde7-c36928cd1547"
	long := "8:acs:" + guid + "_"
	for _, c := range []struct {
		id   string
		kind Kind
		ok   bool
	}{
		// Users of a resource; the clouds and spools are those of azure-communication-common.
		{"8:acs:" + guid + "_00000007-165c-9b10-b0b7-3a3a0d00076c", KindUser, true},
		{"8:acs:" + strings.ToUpper(guid) + "_00000007-165C-9B10-B0B7-3A3A0D00076C", KindUser, true},
		{"8:spool:" + guid + "_00000007-165c-9b10-b0b7-3a3a0d00076c", KindUser, true},
		{"8:dod-acs:" + guid + "_00000007-165c-9b10-b0b7-3a3a0d00076c", KindUser, true},
		{"8:gcch-acs:" + guid + "_00000007-165c-9b10-b0b7-3a3a0d00076c", KindUser, true},
		// Three parts: a user of a Teams extension (azure-communication-common for JavaScript 2.5.0).
		{"8:acs:" + guid + "_" + guid + "_" + guid, KindUser, true},
		{long + strings.Repeat("a", MaxIdentityLength-len(long)), KindUser, true},

		// Malformed: recorded by the CLI suite, and what else is no user.
		{"8:acs:fakeid", KindUser, false},
		{"8:acs:" + guid, KindUser, false},
		{"8:acs:" + guid + "_", KindUser, false},
		{"8:acs:" + guid + "__a", KindUser, false},
		{"8:acs:" + guid[1:] + "_a", KindUser, false},
		{"8:acs:g" + guid[1:] + "_a", KindUser, false},
		{"8:acs:" + guid + "_a b", KindUser, false},
		{"8:acs:" + guid + "_a\n", KindUser, false},
		{"8:acs:" + guid + "_é", KindUser, false},
		{"8:acs:" + guid + "_a'; --", KindUser, false},
		{" 8:acs:" + guid + "_a", KindUnknown, false},
		{"8:ACS:" + guid + "_a", KindUnknown, false},
		{long + strings.Repeat("a", MaxIdentityLength+1-len(long)), KindUser, false},

		{"4:+15551234567", KindPhone, true},
		{"4:15551234567", KindPhone, true},
		{"4:+123456789012345", KindPhone, true},
		{"4:anonymous", KindPhone, true},
		{"4:+15551234567_asserted", KindPhone, true},
		{"4:+1234567890123456", KindPhone, false},
		{"4:", KindPhone, false},
		{"4:+", KindPhone, false},
		{"4:++1", KindPhone, false},
		{"4:+1 555", KindPhone, false},
		{"4:nobody", KindPhone, false},
		{"4:+15551234567_\x00", KindPhone, false},

		{"8:orgid:" + guid, KindTeamsUser, true},
		{"8:dod:" + guid, KindTeamsUser, true},
		{"8:gcch:" + guid, KindTeamsUser, true},
		{"8:teamsvisitor:" + guid, KindTeamsUser, true},
		{"8:orgid:", KindTeamsUser, false},
		{"8:orgid:a/b", KindTeamsUser, false},
		{"28:orgid:" + guid, KindTeamsApp, true},
		{"28:dod:" + guid, KindTeamsApp, true},
		{"28:gcch:" + guid, KindTeamsApp, true},
		{"28:orgid:", KindTeamsApp, false},

		{"", KindUnknown, false},
		{"8:", KindUnknown, false},
		{"8:live:somebody", KindUnknown, false},
		{"28:" + guid, KindUnknown, false},
		{guid, KindUnknown, false},
	} {
		if got := Identity(c.id).Kind(); got != c.kind {
			t.Errorf("%q: kind %d, want %d", c.id, got, c.kind)
		}
		if got := Identity(c.id).WellFormed(); got != c.ok {
			t.Errorf("%q: well formed %t, want %t", c.id, got, c.ok)
		}
	}
}

func TestIdentityBelongsTo(t *testing.T) {
	t.Parallel()
	const other = "11111111-2222-3333-4444-555555555555"
	for _, c := range []struct {
		id   Identity
		want bool
	}{
		{alice, true},
		{Identity("8:acs:" + other + "_a"), false},
		{Identity("8:acs:" + resource), false},
		{Identity("8:acs:" + resource + "_"), false},
		{Identity("8:spool:" + resource + "_a"), false},
		{"4:+15551234567", false},
		{"", false},
	} {
		if got := c.id.BelongsTo(resource); got != c.want {
			t.Errorf("%q belongs to the resource: %t, want %t", c.id, got, c.want)
		}
	}
}

// The .NET chat suite holds a user whose id begins as this one does; the thread it made is dated three hours later.
func TestNewIdentityHoldsItsTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ at, user string }{
		{"2020-12-18T15:32:18.832Z", "00000007-165c-9b10"},
		{"2020-01-01T08:00:00Z", "00000000-0000-0000"},
		{"2020-01-01T08:00:00.001Z", "00000000-0000-0001"},
		{"2020-01-01T08:01:05.536Z", "00000000-0001-0000"},
		{"2020-02-20T01:02:47.296Z", "00000001-0000-0000"},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.at)
		accepted(t, err)
		id := NewIdentity(resource, TimeOf(at), rand.Reader)
		if want := "8:acs:" + resource + "_" + c.user + "-"; !strings.HasPrefix(string(id), want) {
			t.Errorf("user minted at %s is %s, want %s…", c.at, id, want)
		}
	}
}

func TestNewIdentityForm(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^8:acs:` + resource + `_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	seen := map[Identity]bool{}
	for range 100 {
		id := NewIdentity(resource, noon, rand.Reader)
		if seen[id] {
			t.Fatalf("%s was minted twice in one millisecond", id)
		}
		seen[id] = true
		if !form.MatchString(string(id)) || !id.WellFormed() || !id.BelongsTo(resource) {
			t.Errorf("%s has not the form of a user of the resource", id)
		}
		// Two underscores would make it a Teams extension user for the SDKs.
		if n := strings.Count(string(id), "_"); n != 1 {
			t.Errorf("%s has %d underscores, want 1", id, n)
		}
	}
}

func FuzzIdentity(f *testing.F) {
	for _, s := range []string{
		"", "8:", "4:", "8:acs:", string(alice), string(alice) + "_b", "8:acs:fakeid", "4:+15550100", "4:anonymous_x\x00y",
		"28:orgid:a", "8:teamsvisitor:é", "8:orgid:\xff", "8:acs:" + resource + "_" + filler(300),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		id := Identity(raw)
		kind, ok := id.Kind(), id.WellFormed()
		if !ok {
			if id.BelongsTo(resource) {
				t.Errorf("%q is malformed and yet of the resource", raw)
			}
			return
		}
		if kind == KindUnknown || len(raw) > MaxIdentityLength {
			t.Errorf("%q is taken for well formed: kind %d, %d bytes", raw, kind, len(raw))
		}
		// Ids travel in paths, logs and errors as they are.
		for _, r := range raw {
			if r > unicode.MaxASCII || !unicode.IsPrint(r) || unicode.IsSpace(r) {
				t.Errorf("%q is taken for well formed and holds %q", raw, r)
			}
		}
	})
}
