package auth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
)

func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	noError(t, err)
	var out map[string]any
	noError(t, json.Unmarshal(raw, &out))
	return out
}

func TestIssueClaims(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	token, err := b.Issue(t.Context(), id, []Scope{ScopeVoIP, ScopeChat}, 90*time.Minute, "")
	noError(t, err)

	iat := int64(start) / 1000
	want := map[string]any{
		"skypeid":    strings.TrimPrefix(string(id), "8:"),
		"scp":        1792.0,
		"csi":        fmt.Sprint(iat),
		"iat":        float64(iat),
		"exp":        float64(iat + 90*60),
		"acsScope":   "voip,chat",
		"resourceId": resource,
	}
	if diff := cmp.Diff(want, payload(t, token.Value)); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(start.Std().Add(90*time.Minute), token.ExpiresOn); diff != "" {
		t.Errorf("ExpiresOn (-want +got):\n%s", diff)
	}
	want2 := Principal{
		Identity: id, Scopes: []Scope{ScopeVoIP, ScopeChat}, Issued: chat.Time(iat * 1000), Expires: chat.Time((iat + 90*60) * 1000),
		SignedBy: "1",
	}
	if diff := cmp.Diff(want2, b.accepts(token.Value)); diff != "" {
		t.Errorf("principal (-want +got):\n%s", diff)
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	type step struct {
		at   time.Duration // since the start of a second
		do   string        // "issue" or "revoke"
		want string        // the tokens that are accepted then, by the order of their issue
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"tokens before are dead, those after live", []step{
			{0, "issue", "0"},
			{100 * time.Second, "issue", "01"},
			{200 * time.Second, "revoke", ""},
			{300 * time.Second, "issue", "2"},
		}},
		{"all in one second", []step{
			{100 * time.Millisecond, "issue", "0"},
			{200 * time.Millisecond, "revoke", ""},
			{300 * time.Millisecond, "issue", "1"},
			{400 * time.Millisecond, "issue", "12"},
			{500 * time.Millisecond, "revoke", ""},
			{600 * time.Millisecond, "issue", "3"},
			{700 * time.Millisecond, "revoke", ""},
			{800 * time.Millisecond, "issue", "4"},
			{900 * time.Millisecond, "revoke", ""},
		}},
		{"around the end of a second", []step{
			{900 * time.Millisecond, "revoke", ""},
			{950 * time.Millisecond, "issue", "0"},
			{1050 * time.Millisecond, "revoke", ""},
			{1060 * time.Millisecond, "issue", "1"},
			{2050 * time.Millisecond, "issue", "12"},
			{2060 * time.Millisecond, "revoke", ""},
		}},
		{"at the same moment", []step{
			{0, "issue", "0"},
			{0, "revoke", ""},
			{0, "issue", "1"},
			{0, "revoke", ""},
			{0, "issue", "2"},
		}},
		{"clock put back", []step{
			{100 * time.Second, "revoke", ""},
			{50 * time.Second, "issue", "0"},
			{50 * time.Second, "revoke", ""},
			{50 * time.Second, "issue", "1"},
		}},
		{"clock put back after tokens were issued", []step{
			{100 * time.Second, "issue", "0"},
			{50 * time.Second, "issue", "01"},
			{60 * time.Second, "revoke", ""},
			{60 * time.Second, "issue", "2"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			id := b.create()
			other := b.issue(b.create(), ScopeChat).Value
			second := start - start%1000
			var tokens []string
			for i, s := range tt.steps {
				b.clock.ms.Store(int64(second) + s.at.Milliseconds())
				if s.do == "issue" {
					tokens = append(tokens, b.issue(id, ScopeChat).Value)
				} else {
					b.memory.after = func() { b.clock.advance(time.Millisecond) } // no store takes no time
					noError(t, b.Revoke(t.Context(), id))
				}
				got := ""
				for n, token := range tokens {
					if _, err := b.Authenticate(t.Context(), token); err == nil {
						got += fmt.Sprint(n)
					}
				}
				if got != s.want {
					t.Errorf("after step %d, %s: tokens %q are accepted, want %q", i, s.do, got, s.want)
				}
			}
			b.accepts(other)
		})
	}
}

func TestRevokeSetsValidFromToNow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	for range 2 {
		b.clock.advance(time.Hour)
		noError(t, b.Revoke(t.Context(), id))
		if got := b.memory.users[id].ValidFrom; got != b.clock.now() {
			t.Errorf("ValidFrom = %d, want %d", got, b.clock.now())
		}
	}
}

// Whoever keeps what a token said can go on to ask, without the token.
func TestStands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	old := b.accepts(b.issue(id, ScopeChat).Value)
	noError(t, b.Revalidate(t.Context(), old))
	b.clock.advance(time.Hour)
	noError(t, b.Revoke(t.Context(), id))
	if err := b.Revalidate(t.Context(), old); chat.KindOf(err) != chat.Unauthorized {
		t.Errorf("a revoked token: %v", err)
	}
	fresh := b.accepts(b.issue(id, ScopeChat).Value) // in the second of the revocation
	noError(t, b.Revalidate(t.Context(), fresh))
	noError(t, b.Delete(t.Context(), id))
	if err := b.Revalidate(t.Context(), fresh); chat.KindOf(err) != chat.Unauthorized {
		t.Errorf("a token of a deleted identity: %v", err)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	token := b.issue(id, ScopeChat).Value
	b.accepts(token)
	noError(t, b.Delete(t.Context(), id))
	b.refuses(token, "identity is deleted")
	b.clock.advance(time.Hour)
	b.refuses(token, "identity is deleted")
}

func TestNotOwned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	deleted := b.create()
	noError(t, b.Delete(t.Context(), deleted))

	ids := map[string]chat.Identity{
		"deleted":   deleted,
		"unknown":   user1,
		"foreign":   chat.NewIdentity(otherResource, start, rand.Reader),
		"malformed": "8:acs:" + resource + "_a b",
		"phone":     "4:+15550100",
		"empty":     "",
	}
	calls := map[string]func(chat.Identity) error{
		"issue": func(id chat.Identity) error {
			_, err := b.Issue(t.Context(), id, []Scope{ScopeChat}, time.Hour, "")
			return err
		},
		"revoke": func(id chat.Identity) error { return b.Revoke(t.Context(), id) },
		"delete": func(id chat.Identity) error { return b.Delete(t.Context(), id) },
	}
	want := &chat.Error{
		Kind: chat.Unauthorized, Code: "IdentityNotOwned",
		Message: "Provided identity doesn't belong to the resource.",
	}
	for name, id := range ids {
		for call, do := range calls {
			t.Run(call+" "+name, func(t *testing.T) { sameAnswer(t, do(id), want) })
		}
	}
}

func TestDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, do := range map[string]func(chat.Identity) error{
		"issue": func(id chat.Identity) error {
			_, err := b.Issue(t.Context(), id, []Scope{ScopeChat}, time.Hour, "")
			return err
		},
		"revoke":        func(id chat.Identity) error { return b.Revoke(t.Context(), id) },
		"revoke before": func(id chat.Identity) error { return b.RevokeBefore(t.Context(), id, start-60_000) },
		"delete":        func(id chat.Identity) error { return b.Delete(t.Context(), id) },
	} {
		id := b.create()
		b.memory.after = func() { noError(t, b.memory.DeleteUser(t.Context(), id, start)) }
		if err := do(id); chat.KindOf(err) != chat.Unauthorized {
			t.Errorf("%s: error %v, want IdentityNotOwned", name, err)
		}
	}
}

func TestCreateMintsUsersOfTheResource(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var ids []chat.Identity
	for range 100 {
		id := b.create()
		if !id.BelongsTo(resource) || slices.Contains(ids, id) {
			t.Errorf("created %s, want a new user of %s", id, resource)
		}
		ids = append(ids, id)
	}
	if diff := cmp.Diff(User{Identity: ids[0], CreatedOn: start}, b.memory.users[ids[0]]); diff != "" {
		t.Errorf("stored user (-want +got):\n%s", diff)
	}
}

func TestStoreErrorsStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create()
	token := b.issue(id, ScopeChat).Value
	down := &chat.Error{Kind: chat.Unavailable, Cause: errors.New("connection refused")}
	b.memory.fail = down

	_, create := b.Create(t.Context())
	_, issue := b.Issue(t.Context(), id, []Scope{ScopeChat}, time.Hour, "")
	_, authenticate := b.Authenticate(t.Context(), token)
	for name, err := range map[string]error{
		"create": create, "issue": issue, "authenticate": authenticate,
		"revoke": b.Revoke(t.Context(), id), "delete": b.Delete(t.Context(), id),
	} {
		if !errors.Is(err, down) {
			t.Errorf("%s: error %v, want %v", name, err, down)
		}
	}
	b.memory.fail = nil
	b.accepts(token)
}

func TestCustomID(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	one, err := b.CreateCustom(ctx, "customer-1")
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.CreateCustom(ctx, "customer-1")
	if err != nil || two.Identity != one.Identity {
		t.Errorf("second create = %v, %v, want %v", two.Identity, err, one.Identity)
	}
	other, err := b.CreateCustom(ctx, "customer-2")
	if err != nil || other.Identity == one.Identity {
		t.Errorf("another custom id = %v, %v, want another identity", other.Identity, err)
	}
	if err := b.Delete(ctx, one.Identity); err != nil {
		t.Fatal(err)
	}
	if again, err := b.CreateCustom(ctx, "customer-1"); err != nil || again.Identity == one.Identity {
		t.Errorf("create after deletion = %v, %v, want a new identity", again.Identity, err)
	}
	b.memory.after = func() { noError(t, b.memory.DeleteUser(ctx, other.Identity, start)) }
	if meanwhile, err := b.CreateCustom(ctx, "customer-2"); err != nil || meanwhile.Identity == other.Identity {
		t.Errorf("create while the first is deleted = %v, %v, want a new identity", meanwhile.Identity, err)
	}
	if _, err := b.CreateCustom(ctx, strings.Repeat("x", maxCustomID+1)); chat.KindOf(err) != chat.Invalid {
		t.Errorf("too long a custom id: %v, want Invalid", err)
	}
}

func TestRevokeBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	id, err := b.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	token, err := b.Issue(ctx, id, []Scope{ScopeChat}, time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	// The JavaScript administration package of 2020 revokes from 2020-10-10 on in its tests: nothing was issued before.
	if err := b.RevokeBefore(ctx, id, b.now()-60_000); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Authenticate(ctx, token.Value); err != nil {
		t.Errorf("token issued after the time: %v", err)
	}
	if err := b.RevokeBefore(ctx, id, b.now()+60_000); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Authenticate(ctx, token.Value); chat.KindOf(err) != chat.Unauthorized {
		t.Errorf("token issued before the time: %v, want Unauthorized", err)
	}
	if err := b.RevokeBefore(ctx, id, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Authenticate(ctx, token.Value); chat.KindOf(err) != chat.Unauthorized {
		t.Errorf("an earlier revocation undid the later one: %v", err)
	}
}

// What is remembered of an identity is dropped by all that ends tokens, so that they are refused at once, and also when the
// store answers with an error: the change may have happened before it.
func TestEndedTokensAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*bench, chat.Identity) error{
		"revoke":        func(b *bench, id chat.Identity) error { return b.Revoke(t.Context(), id) },
		"revoke before": func(b *bench, id chat.Identity) error { return b.RevokeBefore(t.Context(), id, b.now()-1) },
		"delete":        func(b *bench, id chat.Identity) error { return b.Delete(t.Context(), id) },
	} {
		for _, lost := range []error{nil, errors.New("connection lost after the commit")} {
			b := newBench(t)
			id := b.create()
			token := b.issue(id, ScopeChat).Value
			b.clock.advance(2 * time.Second)
			b.accepts(token) // and remembers the user
			b.memory.lost = lost
			if err := do(b, id); !errors.Is(err, lost) {
				t.Errorf("%s: %v, want %v", name, err, lost)
			}
			if _, err := b.Authenticate(t.Context(), token); chat.KindOf(err) != chat.Unauthorized {
				t.Errorf("%s, answered with %v: the token is accepted: %v", name, lost, err)
			}
		}
	}
}
