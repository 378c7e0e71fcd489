package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/auth"
)

// notOwned fails the test unless the identity was refused as none of the resource: 401 and not 404 (56 recordings of the
// JavaScript suite of each operation).
func (a *answer) notOwned() {
	a.b.Helper()
	a.denied(http.StatusUnauthorized, "IdentityNotOwned", "Provided identity doesn't belong to the resource.", "")
}

// unknownIdentities are identities that are none of the resource.
var unknownIdentities = map[string]string{
	"of another resource":  "8:acs:" + otherResource + "_00000020-1234-1234-1234-123456789012",
	"unknown":              "8:acs:" + resource + "_00000020-1234-1234-1234-123456789012",
	"of Teams":             "8%3Aorgid%3A10a1d2f9-4f3e-4e0b-8d3a-2b9a1c0d4e5f",
	"malformed":            "8%3Aacs%3Afakeid",
	"no id":                "sanitized",
	"with a NUL":           "8%3Aacs%3A%00",
	"of 10,000 characters": "8%3Aacs%3A" + resource + "_" + strings.Repeat("a", 10_000),
}

func TestCreateIdentity(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner()
	seen := map[string]bool{}
	for _, body := range []string{"", `{}`, `{"createTokenWithScopes":[]}`, `{"createTokenWithScopes":null}`, `{"expiresInMinutes":null}`, `{"more":1}`} {
		a := owner.post("/identities", body).is(http.StatusCreated).lacks("accessToken")
		id := a.text("identity.id")
		a.same(map[string]any{"identity": map[string]any{"id": id}})
		if seen[id] {
			t.Errorf("identity %s was made twice", id)
		}
		seen[id] = true
		checkMinted(t, id, b)
	}
}

// checkMinted checks the form of an id: its first 64 bits are the milliseconds since 2020-01-01T08:00Z (2,939 recorded
// creations), and there is one underscore, since SDKs take more for a user of a Teams extension.
func checkMinted(t *testing.T, id string, b *bench) {
	t.Helper()
	form := regexp.MustCompile(`^8:acs:` + resource + `_([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-[0-9a-f]{4}-[0-9a-f]{12}$`)
	parts := form.FindStringSubmatch(id)
	if parts == nil || strings.Count(id, "_") != 1 {
		t.Fatalf("id is %q, want the form %s", id, form)
	}
	ms := must(strconv.ParseInt(parts[1]+parts[2]+parts[3], 16, 64))(t)
	at := time.Date(2020, 1, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
	if !at.Equal(b.clock.now().Std()) {
		t.Errorf("id %s has the time %s, want the time of its creation, %s", id, at, b.clock.now().Std())
	}
}

func TestCreateIdentityWithToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.owner().post("/identities", `{"createTokenWithScopes":["chat","voip"],"expiresInMinutes":60}`).is(http.StatusCreated)
	a.holds("accessToken.expiresOn", "2025-03-20T11:20:30.4560000+00:00")
	b.bearer(a.text("accessToken.token")).get("/chat/threads").is(http.StatusOK)
	checkClaims(t, a.text("accessToken.token"), a.text("identity.id"), "chat,voip", b.clock.now().Std(), time.Hour)
}

func TestIssueToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.users(1)[0]
	for _, test := range []struct {
		name, body, scope string
		lifetime          time.Duration
		expires           string
	}{
		{"default", `{"scopes":["chat"]}`, "chat", 24 * time.Hour, "2025-03-21T10:20:30.4560000+00:00"},
		{"null, as the CLI sends", `{"scopes":["chat"],"expiresInMinutes":null}`, "chat", 24 * time.Hour, "2025-03-21T10:20:30.4560000+00:00"},
		{"shortest", `{"scopes":["voip"],"expiresInMinutes":60}`, "voip", time.Hour, "2025-03-20T11:20:30.4560000+00:00"},
		{"longest", `{"scopes":["chat"],"expiresInMinutes":1440}`, "chat", 24 * time.Hour, "2025-03-21T10:20:30.4560000+00:00"},
		{
			"all scopes", `{"scopes":["voip.join","chat.join.limited","chat","chat.join","voip"]}`,
			"voip.join,chat.join.limited,chat,chat.join,voip", 24 * time.Hour, "2025-03-21T10:20:30.4560000+00:00",
		},
		{"a scope twice", `{"scopes":["chat","chat"]}`, "chat", 24 * time.Hour, "2025-03-21T10:20:30.4560000+00:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := b.in(t).owner().post("/identities/"+id+"/:issueAccessToken", test.body).is(http.StatusOK)
			a.same(map[string]any{"token": a.text("token"), "expiresOn": test.expires})
			checkClaims(t, a.text("token"), id, test.scope, b.clock.now().Std(), test.lifetime)
		})
	}
}

// checkClaims checks header and claims of a token (34 recorded by the Java and Python suites). Clients read exp, and those
// for Android and iOS skypeid, which has no "8:".
func checkClaims(t *testing.T, token, id, scope string, issued time.Time, lifetime time.Duration) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token has %d parts, want 3", len(parts))
	}
	var header, claims map[string]any
	for i, into := range []*map[string]any{&header, &claims} {
		if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[i]))(t), into); err != nil {
			t.Fatal(err)
		}
	}
	if header["alg"] != "RS256" || header["typ"] != "JWT" || header["kid"] == "" || header["kid"] == nil {
		t.Errorf("header is %v, want RS256 with a kid", header)
	}
	want := map[string]any{
		"skypeid": strings.TrimPrefix(id, "8:"), "scp": 1792.0, "csi": strconv.FormatInt(issued.Unix(), 10),
		"iat": float64(issued.Unix()), "exp": float64(issued.Add(lifetime).Unix()), "acsScope": scope, "resourceId": resource,
	}
	for name, value := range want {
		if claims[name] != value {
			t.Errorf("claim %s is %v, want %v", name, claims[name], value)
		}
	}
}

// Texts: recordings of the suites for JavaScript and Python; that of an unknown scope is not known.
func TestTokenRequestsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.users(1)[0]
	issue, create := "/identities/"+id+"/:issueAccessToken", "/identities"
	lifetime := func(n int) string {
		return fmt.Sprintf("ExpiresInMinutes value %d is invalid. Value must be within the [60, 1440] interval.", n)
	}
	for _, test := range []struct{ target, body, message, field string }{
		{issue, `{"scopes":["chat"],"expiresInMinutes":59}`, lifetime(59), "ExpiresInMinutes"},
		{issue, `{"scopes":["chat"],"expiresInMinutes":1441}`, lifetime(1441), "ExpiresInMinutes"},
		{issue, `{"scopes":["chat"],"expiresInMinutes":0}`, lifetime(0), "ExpiresInMinutes"},
		{issue, `{"scopes":["chat"],"expiresInMinutes":-60}`, lifetime(-60), "ExpiresInMinutes"},
		{create, `{"createTokenWithScopes":["chat"],"expiresInMinutes":59}`, lifetime(59), "ExpiresInMinutes"},
		{create, `{"createTokenWithScopes":["chat"],"expiresInMinutes":1441}`, lifetime(1441), "ExpiresInMinutes"},
		{issue, `{"scopes":[]}`, "Invalid scopes - Scopes field is required.", "scopes"},
		{issue, `{"scopes":["chat","mail"]}`, `Invalid scopes - Scope "mail" is not supported.`, "scopes"},
		{issue, `{"scopes":["Chat"]}`, `Invalid scopes - Scope "Chat" is not supported.`, "scopes"},
		{issue, `{"scopes":[""]}`, `Invalid scopes - Scope "" is not supported.`, "scopes"},
		{create, `{"createTokenWithScopes":["mail"]}`, `Invalid scopes - Scope "mail" is not supported.`, "scopes"},
		{issue, `{}`, "Scopes: The Scopes field is required.", "Scopes"},
		{issue, `{"scopes":null}`, "Scopes: The Scopes field is required.", "Scopes"},
	} {
		a := b.owner().post(test.target, test.body)
		a.denied(http.StatusBadRequest, "ValidationError", test.message, test.field)
		// A field that is missing is found before the operation is reached (recordings of the Python suite).
		if _, listed := a.header["Api-Supported-Versions"]; listed == (test.field == "Scopes") {
			t.Errorf("%s: lists its versions: %t", test.body, listed)
		}
	}
}

func TestRefusedCreateMakesNoIdentity(t *testing.T) {
	t.Parallel()
	calls := &countingUsers{}
	b := newBench(t, withUsers(calls))
	b.owner().post("/identities", `{"createTokenWithScopes":["mail"]}`).is(http.StatusBadRequest)
	b.owner().post("/identities", `{"createTokenWithScopes":["chat"],"expiresInMinutes":59}`).is(http.StatusBadRequest)
	if n := calls.added.Load(); n != 0 {
		t.Errorf("%d identities were made by refused requests", n)
	}
	b.owner().post("/identities", "").is(http.StatusCreated)
	if n := calls.added.Load(); n != 1 {
		t.Errorf("%d identities were made, want 1", n)
	}
}

func TestRevokeTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.user()
	second, other := b.holder(first.id, auth.ScopeVoIP, auth.ScopeChat), b.user()
	for _, c := range []caller{first, second, other} { // each token is known as good now
		c.get("/chat/threads").is(http.StatusOK)
	}
	b.owner().post("/identities/"+first.id+"/:revokeAccessTokens", "").empty(http.StatusNoContent)
	first.get("/chat/threads").empty(http.StatusUnauthorized)
	second.get("/chat/threads").empty(http.StatusUnauthorized)
	other.get("/chat/threads").is(http.StatusOK)

	// A new token works at once, in the same millisecond too (identity model page of ACS), and can be revoked again.
	for range 3 {
		again := b.bearer(b.owner().post("/identities/"+first.id+"/:issueAccessToken", `{"scopes":["chat"]}`).is(http.StatusOK).text("token"))
		again.get("/chat/threads").is(http.StatusOK)
		b.owner().post("/identities/"+first.id+"/:revokeAccessTokens", `{}`).empty(http.StatusNoContent)
		again.get("/chat/threads").empty(http.StatusUnauthorized)
	}
}

func TestDeleteIdentity(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	w.bob.get("/chat/threads").is(http.StatusOK)
	b.owner().delete("/identities/" + w.bob.id).empty(http.StatusNoContent)
	w.bob.get("/chat/threads").empty(http.StatusUnauthorized)

	b.owner().delete("/identities/" + w.bob.id).notOwned()
	b.owner().post("/identities/"+w.bob.id+"/:issueAccessToken", `{"scopes":["chat"]}`).notOwned()
	b.owner().post("/identities/"+w.bob.id+"/:revokeAccessTokens", "").notOwned()
	w.alice.get(w.at("")).is(http.StatusOK)
}

func TestIdentitiesOfOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, id := range unknownIdentities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner := b.in(t).owner()
			if strings.HasSuffix(name, "characters") {
				owner = b.in(t).bearer(entraToken).at(newestIdentity) // a signed request may not be that long
			}
			owner.post("/identities/"+id+"/:issueAccessToken", `{"scopes":["chat"]}`).notOwned()
			owner.post("/identities/"+id+"/:revokeAccessTokens", "").notOwned()
			owner.delete("/identities/" + id).notOwned()
		})
	}
}

func TestWhoMayCallIdentity(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secondary := b.ownerBy(secondaryKey)
	entra := b.bearer(entraToken).at(newestIdentity)
	for name, who := range map[string]caller{"primary key": b.owner(), "secondary key": secondary, "Entra": entra} {
		if id := who.post("/identities", "").is(http.StatusCreated).text("identity.id"); id == "" {
			t.Errorf("%s: no identity", name)
		}
	}
	for name, who := range map[string]caller{"nobody": b.nobody(), "user": b.user(), "other Entra": b.bearer(entraToken + "x")} {
		t.Run(name, func(t *testing.T) {
			who.in(t).at(newestIdentity).post("/identities", "").denied(http.StatusUnauthorized, "Denied", "Denied by the resource provider.", "")
		})
	}
	// Chat knows users only.
	for _, who := range []caller{b.owner(), b.nobody(), entra} {
		who.at(newestChat).get("/chat/threads").empty(http.StatusUnauthorized)
	}
}

func TestWithoutAnEntraTokenNoneIsAccepted(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(s *setup) { s.EntraToken = "" })
	for _, authorization := range []string{"Bearer " + entraToken, "Bearer ", "Bearer"} {
		b.nobody().at(newestIdentity).post("/identities", "", "Authorization: "+authorization).
			denied(http.StatusUnauthorized, "Denied", "Denied by the resource provider.", "")
	}
}

// The server knows no issuer of Teams tokens. An appId is required first; a token that cannot be read is refused before an empty
// userId (recordings of the Python suite with 2022-10-01).
func TestExchangeTeamsToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const target = "/teamsUser/:exchangeAccessToken"
	required := func(field string) string { return field + ": The " + field + " field is required." }
	for _, test := range []struct{ rest, field string }{
		{`,"appId":"","userId":"u"`, "AppId"},
		{`,"userId":"u"`, "AppId"},
		{`,"appId":"a","userId":""`, "UserId"},
		{`,"appId":"a"`, "UserId"},
		{`,"appId":"","userId":""`, "AppId"},
		{`,"appId":"a","userId":"u"`, ""},
	} {
		for _, version := range []string{"2022-06-01", "2022-10-01", newestIdentity} {
			owner := b.owner().at(version)
			if a := owner.post(target, `{"token":"`+teamsToken+`"`+test.rest+`}`); test.field != "" {
				a.denied(http.StatusBadRequest, "ValidationError", required(test.field), test.field)
			} else {
				a.denied(http.StatusUnauthorized, "InvalidAccessToken", "Provided access token is not valid.", "")
			}
			for _, token := range []string{"", "invalid", "a.b.c", ".."} {
				if a := owner.post(target, `{"token":"`+token+`"`+test.rest+`}`); test.field == "AppId" {
					a.denied(http.StatusBadRequest, "ValidationError", required(test.field), test.field)
				} else {
					a.denied(http.StatusUnauthorized, "InvalidAccessToken", "Provided access token is not valid.", "")
				}
			}
		}
	}
	b.owner().post(target, `{}`).denied(http.StatusBadRequest, "ValidationError", required("AppId"), "AppId")
	// Before 2022-06-01 the body held the token alone.
	b.owner().at("2021-10-31-preview").post(target, `{"token":"t"}`).
		denied(http.StatusUnauthorized, "InvalidAccessToken", "Provided access token is not valid.", "")
}

// Identity gives the client's id of a request back unasked, Chat only when asked (recordings; Azure/Communication issue 379).
func TestClientRequestID(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const id, asked = "x-ms-client-request-id: 7b1f33f4-81ad", "x-ms-return-client-request-id: true"
	for _, test := range []struct {
		name    string
		who     caller
		target  string
		headers []string
		want    string
	}{
		{"Identity", b.owner(), "/identities", []string{id}, "7b1f33f4-81ad"},
		{"Teams exchange", b.owner(), "/teamsUser/:exchangeAccessToken", []string{id}, "7b1f33f4-81ad"},
		{"Identity, none sent", b.owner(), "/identities", []string{asked}, ""},
		{"Identity, refused", b.nobody(), "/identities", []string{id}, "7b1f33f4-81ad"},
		{"Chat", b.user(), "/chat/threads", []string{id}, ""},
		{"Chat, asked", b.user(), "/chat/threads", []string{id, asked}, "7b1f33f4-81ad"},
		{"Chat, asked not to", b.user(), "/chat/threads", []string{id, "x-ms-return-client-request-id: false"}, ""},
		{"Chat, double slash", b.user(), "//chat/threads", []string{id}, ""},
		{"Chat, asked and refused", b.nobody(), "/chat/threads", []string{id, asked}, "7b1f33f4-81ad"},
	} {
		a := test.who.post(test.target, teamsBody, test.headers...)
		if got := a.header.Get("x-ms-client-request-id"); got != test.want {
			t.Errorf("%s: x-ms-client-request-id is %q, want %q", test.name, got, test.want)
		}
	}
}

// MS-CV goes on from the caller's, so that a chain of calls can be followed.
func TestCorrelationVector(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	fresh := map[string]bool{}
	for _, sent := range []string{"", "nonsense", "aGzmMBzgkE2LKqYXNaDmlw.x", "aGzmMBzgkE2LKqYXNaDmlw.1" + strings.Repeat(".1", 100), "a b"} {
		got := alice.get("/chat/threads", "MS-CV: "+sent).header.Get("MS-CV")
		if fresh[got] || strings.HasPrefix(got, "aGzmMBzgkE2LKqYXNaDmlw") {
			t.Errorf("MS-CV %q is answered with %q, want a new one", sent, got)
		}
		fresh[got] = true
	}
	for sent, want := range map[string]string{"aGzmMBzgkE2LKqYXNaDmlw": "aGzmMBzgkE2LKqYXNaDmlw.0", "aGzmMBzgkE2LKqYXNaDmlw.1.2": "aGzmMBzgkE2LKqYXNaDmlw.1.2.0"} {
		if got := alice.get("/chat/threads", "MS-CV: "+sent).header.Get("MS-CV"); got != want {
			t.Errorf("MS-CV %q is answered with %q, want %q", sent, got, want)
		}
	}
}

// A custom id gives the same identity until that is deleted (identity model page of ACS). What else there is to it in which
// version is in compat_identity_test.go.
func TestCustomIDOfDeletedIdentity(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner().at(identityCustom)
	create := func(name string) string {
		return owner.post("/identities", `{"customId":"`+name+`"}`).is(http.StatusCreated).holds("identity.customId", name).text("identity.id")
	}
	carol := create("carol")
	if create("dave") == carol {
		t.Error("another custom id gives the same identity")
	}
	owner.delete("/identities/" + carol).empty(http.StatusNoContent)
	if create("carol") == carol {
		t.Error("the custom id of a deleted identity gives the deleted one")
	}
	create(strings.Repeat("c", 256))
	owner.post("/identities", `{"customId":"`+strings.Repeat("c", 257)+`"}`).is(http.StatusBadRequest).holds("error.target", "customId")
}
