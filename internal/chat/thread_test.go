package chat

import (
	"crypto/rand"
	"regexp"
	"strings"
	"testing"
)

func TestThreadIDForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id string
		ok bool
	}{
		// One of each form on record, in the order of their appearance.
		{"19:e5e7a3fa5f314a01b2d12c6c7b37f433@thread.v2", true},
		{"19:7hFbVmhO0WcDbnZJSo0GVFTOIyxqJ2uHLBqp-Z9ntJM1@thread.v2", true},
		{"19:acsV1_7hFbVmhO0WcDbnZJSo0GVFTOIyxqJ2uHLBqp-Z9ntJM1@thread.v2", true},
		{"19:meeting_NDE@thread.v2", true},
		{"19:" + filler(MaxThreadIDLength-len("19:@thread.v2")) + "@thread.v2", true},

		// What the CLI suite sends in vain.
		{"invalid_chat_thread_id", false},
		{"sanitized", false},

		{"", false},
		{"19:@thread.v2", false},
		{"19:a@thread.v2\n", false},
		{" 19:a@thread.v2", false},
		{"19:a@thread_v2", false},
		{"19:a@threadxv2", false},
		{"19:a@thread.v2a", false},
		{"19:a b@thread.v2", false},
		{"19:a.b@thread.v2", false},
		{"19:a%2Fb@thread.v2", false},
		{"19%3Aa@thread.v2", false},
		{"20:a@thread.v2", false},
		{"19:é@thread.v2", false},
		{"19:" + filler(MaxThreadIDLength+1-len("19:@thread.v2")) + "@thread.v2", false},
	} {
		if got := ThreadID(c.id).WellFormed(); got != c.ok {
			t.Errorf("%q: well formed %t, want %t", c.id, got, c.ok)
		}
	}
}

func TestNewThreadIDForm(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^19:[0-9a-f]{32}@thread\.v2$`)
	a, b := newThreadID(rand.Reader), newThreadID(rand.Reader)
	if a == b {
		t.Errorf("two threads are named %s", a)
	}
	for _, id := range []ThreadID{a, b} {
		if !form.MatchString(string(id)) || !id.WellFormed() {
			t.Errorf("%s has not the form of an id without a token", id)
		}
	}
}

func TestThreadIDForTokenForm(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^19:acsV1_[A-Za-z0-9_-]{43}1@thread\.v2$`)
	id := threadIDFor(alice, "token")
	if !form.MatchString(string(id)) || !id.WellFormed() {
		t.Errorf("%s has not the form of an id with a token", id)
	}
	if again := threadIDFor(alice, "token"); again != id {
		t.Errorf("the same token makes %s, then %s", id, again)
	}
	seen := map[ThreadID]string{id: "alice, token"}
	for _, c := range []struct {
		creator Identity
		token   string
	}{{bob, "token"}, {alice, "Token"}, {alice, "token "}, {alice + "t", "oken"}, {alice, ""}} {
		id := threadIDFor(c.creator, c.token)
		if other, taken := seen[id]; taken {
			t.Errorf("%s, %q makes the id of %s", c.creator, c.token, other)
		}
		seen[id] = string(c.creator) + ", " + c.token
	}
}

// A file written today must find its threads by token tomorrow: the derivation is part of what is stored.
func TestThreadIDForTokenStays(t *testing.T) {
	t.Parallel()
	const want = "19:acsV1_IiVgCJKQlJxkijiYz1Ldg8qrrpgFyixDXIuy4XJatf81@thread.v2"
	if got := threadIDFor("8:acs:00000000-0000-0000-0000-000000000000_a", "token"); got != want {
		t.Errorf("the id of a token is %s, was %s", got, want)
	}
}

func TestThreadExpiresOn(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60 * 1000
	for _, c := range []struct {
		retention Retention
		want      Time
	}{
		{Retention{}, 0},
		{Retention{Kind: RetentionNone}, 0},
		{Retention{Kind: RetentionNone, Days: 30}, 0},
		{Retention{Kind: RetentionCreationDate, Days: 30}, noon + 30*day},
		{Retention{Kind: RetentionCreationDate, Days: 90}, noon + 90*day},
	} {
		thread := Thread{CreatedOn: noon, Retention: c.retention}
		if got := thread.ExpiresOn(); got != c.want {
			t.Errorf("%+v: expires on %d, want %d", c.retention, got, c.want)
		}
	}
}

// Ids are arrival times, but first of all they ascend: within a millisecond and when the clock steps back.
func TestThreadNextID(t *testing.T) {
	t.Parallel()
	var thread Thread
	for i, c := range []struct {
		now  Time
		want MessageID
	}{
		{1000, 1000}, {1000, 1001}, {1000, 1002}, {1001, 1003}, {1005, 1005}, {900, 1006}, {1006, 1007}, {2000, 2000},
	} {
		if thread.LastID = thread.nextID(c.now); thread.LastID != c.want {
			t.Errorf("id %d, taken at %d, is %d, want %d", i, c.now, thread.LastID, c.want)
		}
	}
}

func FuzzThreadID(f *testing.F) {
	for _, s := range []string{
		"", "19:", "19:@thread.v2", "19:a@thread.v2", "19:acsV1_a-b@thread.v2", "19:a@thread.v2\n", "19:\x00@thread.v2",
		"19:a@thread.v2@thread.v2", string(threadIDFor(alice, "x")), "19:" + filler(300) + "@thread.v2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if !ThreadID(raw).WellFormed() {
			return
		}
		x, hasPrefix := strings.CutPrefix(raw, "19:")
		x, hasSuffix := strings.CutSuffix(x, "@thread.v2")
		if !hasPrefix || !hasSuffix || x == "" || len(raw) > MaxThreadIDLength {
			t.Errorf("%q is taken for well formed", raw)
		}
		// nextLink holds the id unescaped, so nothing in it may need escaping.
		if strings.ContainsFunc(x, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
		}) {
			t.Errorf("%q is taken for well formed and needs escaping", raw)
		}
	})
}
