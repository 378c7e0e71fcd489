package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
)

// identitySpec is what one version of Identity after that of 2020 knows (specifications of the versions; recordings of
// the JavaScript and Python suites).
type identitySpec struct {
	version  string
	exchange string // what an exchange of a Teams token requires beside the token: "" nothing, "-" there is none
	lifetime bool   // expiresInMinutes counts
	custom   bool   // identities have a custom id and can be asked for
	extended bool   // there is an exchange for Teams extensions
}

const named = "application and user"

var identitySpecs = []identitySpec{
	{version: "2021-02-22-preview1", exchange: "-"},
	{version: "2021-03-07", exchange: "-"},
	{version: "2021-03-31-preview1"},
	{version: "2021-10-31-preview"},
	{version: "2021-11-01"},
	{version: "2022-06-01", exchange: named},
	{version: "2022-10-01", exchange: named, lifetime: true},
	{version: "2023-08-01", exchange: named, lifetime: true},
	{version: "2023-08-30-preview", exchange: named, lifetime: true},
	{version: "2023-10-01", exchange: named, lifetime: true},
	{version: "2025-03-02-preview", exchange: named, lifetime: true, custom: true},
	{version: "2025-04-01-preview", exchange: named, lifetime: true, custom: true},
	{version: "2025-06-30", exchange: named, lifetime: true, custom: true, extended: true},
	{version: "2026-07-22", exchange: named, lifetime: true, custom: true, extended: true},
	{version: "2026-09-23", exchange: named, lifetime: true, custom: true, extended: true},
}

const (
	inAnHour = "2025-03-20T11:20:30.4560000+00:00"
	inADay   = "2025-03-21T10:20:30.4560000+00:00"
	justNow  = "2025-03-20T10:20:30.4560000+00:00"
)

// TestIdentityConversations does the same in each version and compares whole answers.
func TestIdentityConversations(t *testing.T) {
	t.Parallel()
	if len(identitySpecs) != len(allIdentity)-1 {
		t.Errorf("%d specs of %d versions", len(identitySpecs), len(allIdentity)-1)
	}
	for _, d := range identitySpecs {
		t.Run(d.version, func(t *testing.T) {
			t.Parallel()
			c := &identityConversation{identitySpec: d, b: newBench(t)}
			c.owner = c.b.owner().at(d.version)
			c.tokens(t)
			c.teams()
			c.customIDs()
			c.entra(t)
		})
	}
}

type identityConversation struct {
	identitySpec
	b     *bench
	owner caller
}

func (c *identityConversation) tokens(t *testing.T) {
	for _, body := range []string{"", `{}`} {
		a := c.owner.post("/identities", body).is(http.StatusCreated)
		a.same(map[string]any{"identity": map[string]any{"id": a.text("identity.id")}})
	}
	create := func(minutes, expires string) (id string, holder caller) {
		a := c.owner.post("/identities", `{"createTokenWithScopes":["chat","voip"],"expiresInMinutes":`+minutes+`}`).is(http.StatusCreated)
		id = a.text("identity.id")
		a.same(map[string]any{
			"identity":    map[string]any{"id": id},
			"accessToken": map[string]any{"token": a.text("accessToken.token"), "expiresOn": expires},
		})
		return id, c.b.bearer(a.text("accessToken.token"))
	}
	short := inADay
	if c.lifetime {
		short = inAnHour
	}
	id, holder := create("60", short)
	create("null", inADay)

	issue := "/identities/" + id + "/:issueAccessToken"
	a := c.owner.post(issue, `{"scopes":["chat"]}`).is(http.StatusOK)
	a.same(map[string]any{"token": a.text("token"), "expiresOn": inADay})
	lasting := c.b.bearer(a.text("token"))
	for _, minutes := range []string{"59", "1441"} {
		for target, body := range map[string]string{issue: `{"scopes":["chat"]`, "/identities": `{"createTokenWithScopes":["chat"]`} {
			a := c.owner.post(target, body+`,"expiresInMinutes":`+minutes+`}`)
			if c.lifetime {
				a.denied(http.StatusBadRequest, "ValidationError",
					"ExpiresInMinutes value "+minutes+" is invalid. Value must be within the [60, 1440] interval.", "ExpiresInMinutes")
			} else if got := a.text("expiresOn") + a.text("accessToken.expiresOn"); got != inADay {
				t.Errorf("%s minutes: expires on %s, want %s", minutes, got, inADay)
			}
		}
	}
	c.owner.post(issue, `{"scopes":[]}`).denied(http.StatusBadRequest, "ValidationError", "Invalid scopes - Scopes field is required.", "scopes")
	c.owner.post(issue, `{}`).denied(http.StatusBadRequest, "ValidationError", "Scopes: The Scopes field is required.", "Scopes")

	c.b.clock.set(moment)
	c.b.clock.advance(2 * time.Hour)
	if got := holder.get("/chat/threads").status; (got == http.StatusUnauthorized) != c.lifetime {
		t.Errorf("a token of an hour is answered with %d after two", got)
	}
	c.b.clock.set(moment)
	c.owner.post("/identities/"+id+"/:revokeAccessTokens", "").empty(http.StatusNoContent)
	lasting.get("/chat/threads").empty(http.StatusUnauthorized)
	c.owner.delete("/identities/" + id).empty(http.StatusNoContent)
	c.owner.post(issue, `{"scopes":["chat"]}`).notOwned()
	c.owner.post("/identities/"+id+"/:revokeAccessTokens", "").notOwned()
	c.owner.delete("/identities/" + id).notOwned()
}

func (c *identityConversation) teams() {
	const target = "/teamsUser/:exchangeAccessToken"
	refused := func(a *answer) {
		a.denied(http.StatusUnauthorized, "InvalidAccessToken", "Provided access token is not valid.", "")
	}
	switch c.exchange {
	case "-":
		c.owner.post(target, teamsBody).is(http.StatusBadRequest).holds("error.code", "UnsupportedApiVersion")
	case "":
		for _, body := range []string{`{"token":"a.b.c"}`, `{"token":""}`, `{}`, teamsBody} {
			refused(c.owner.post(target, body))
		}
	case named:
		refused(c.owner.post(target, teamsBody))
		refused(c.owner.post(target, strings.Replace(teamsBody, "a.b.c", "", 1)))
		c.owner.post(target, `{"token":"`+teamsToken+`"}`).denied(http.StatusBadRequest, "ValidationError", "AppId: The AppId field is required.", "AppId")
		c.owner.post(target, strings.NewReplacer("a.b.c", teamsToken, `"userId":"1`, `"userID2":"1`).Replace(teamsBody)).
			denied(http.StatusBadRequest, "ValidationError", "UserId: The UserId field is required.", "UserId")
	}
}

// Custom ids: identity model page of the ACS documentation. 2025-04-01-preview called them external ids in its specification.
func (c *identityConversation) customIDs() {
	ids := map[string]bool{}
	for i, name := range []string{"customId", "externalId", "customId"} {
		a := c.owner.post("/identities", `{"createTokenWithScopes":["chat"],"`+name+`":"carol"}`).is(http.StatusCreated)
		identity := map[string]any{"id": a.text("identity.id")}
		ids[a.text("identity.id")] = true
		if c.custom {
			identity["customId"] = "carol"
			if i > 0 {
				identity["lastTokenIssuedAt"] = justNow
			}
		}
		a.holds("identity", identity)
	}
	id := slices.Sorted(maps.Keys(ids))
	if !c.custom {
		if len(id) != 3 {
			c.b.Errorf("custom ids count in %s: %v", c.version, id)
		}
		c.owner.get("/identities/"+id[0]).is(http.StatusBadRequest).holds("error.code", "UnsupportedApiVersion")
		return
	}
	if len(id) != 1 {
		c.b.Errorf("one custom id gives %v in %s", id, c.version)
	}
	c.b.clock.advance(time.Second)
	c.owner.post("/identities/"+id[0]+"/:issueAccessToken", `{"scopes":["chat"]}`).is(http.StatusOK)
	c.owner.get("/identities/" + id[0]).is(http.StatusOK).same(map[string]any{
		"id": id[0], "customId": "carol", "lastTokenIssuedAt": "2025-03-20T10:20:31.4560000+00:00",
	})
	plain := c.owner.post("/identities", "").is(http.StatusCreated).text("identity.id")
	c.owner.get("/identities/" + strings.ReplaceAll(plain, ":", "%3A")).is(http.StatusOK).same(map[string]any{"id": plain})
	c.owner.delete("/identities/" + plain).empty(http.StatusNoContent)
	c.owner.get("/identities/" + plain).notOwned()
	c.b.clock.set(moment)
}

// Exchanges of Entra tokens (EntraCommunicationTokenCredential of @azure/communication-common 2.4 and 2.5).
func (c *identityConversation) entra(t *testing.T) {
	entra := c.b.bearer(entraToken).at(c.version)
	seen := map[string]bool{}
	for target, served := range map[string]bool{
		"/access/entra/:exchangeAccessToken": c.custom, "/access/teamsExtension/:exchangeAccessToken": c.extended,
	} {
		if !served {
			entra.post(target, `{}`).is(http.StatusBadRequest).holds("error.code", "UnsupportedApiVersion")
			continue
		}
		for _, body := range []string{`{}`, "", `{}`} {
			a := entra.post(target, body).is(http.StatusOK)
			seen[a.text("identity.id")] = true
			a.same(map[string]any{
				"identity":    map[string]any{"id": a.text("identity.id")},
				"accessToken": map[string]any{"token": a.text("accessToken.token"), "expiresOn": inADay},
			})
			c.b.bearer(a.text("accessToken.token")).get("/chat/threads").is(http.StatusOK)
		}
		c.owner.post(target, `{}`).denied(http.StatusUnauthorized, "InvalidAccessToken", "Provided access token is not valid.", "")
		c.b.bearer("no-entra-token-of-anybody").at(c.version).post(target, `{}`).
			denied(http.StatusUnauthorized, "Denied", "Denied by the resource provider.", "")
		c.b.nobody().at(c.version).post(target, `{}`).denied(http.StatusUnauthorized, "Denied", "Denied by the resource provider.", "")
	}
	if c.custom != (len(seen) == 1) {
		t.Errorf("one holder of an Entra token has the identities %v", seen)
	}
}

// TestTokensValidFrom checks which tokens a PATCH of 2020 ends: the JavaScript suite sends a time, the Python suite none.
func TestTokensValidFrom(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	at := func(after time.Duration) string {
		return `{"tokensValidFrom":"` + moment.Std().Add(after).Format(time.RFC3339Nano) + `"}`
	}
	for _, test := range []struct {
		name, body string
		status     int
		ends       bool
	}{
		{"no body", "", http.StatusNoContent, true},
		{"nothing", `{}`, http.StatusNoContent, true},
		{"null", `{"tokensValidFrom":null}`, http.StatusNoContent, true},
		{"now", at(0), http.StatusNoContent, true},
		{"the future", at(time.Hour), http.StatusNoContent, true},
		{"the second before", at(-time.Second), http.StatusNoContent, false},
		{"the past", `{"tokensValidFrom":"2020-10-10T00:00:00.000Z"}`, http.StatusNoContent, false},
		{"the past, in another form", `{"tokensValidFrom":"2020-10-10t00:00+0000"}`, http.StatusNoContent, false},
		{"no time", `{"tokensValidFrom":"yesterday"}`, http.StatusBadRequest, false},
		{"a number", `{"tokensValidFrom":1}`, http.StatusBadRequest, false},
		{"a list", `[]`, http.StatusBadRequest, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			holder := b.user()
			holder.get("/chat/threads").is(http.StatusOK)
			b.owner().at(identityOldest).patch("/identities/"+holder.id, test.body).is(test.status)
			if got := holder.get("/chat/threads").status == http.StatusUnauthorized; got != test.ends {
				t.Errorf("the token has ended: %t, want %t", got, test.ends)
			}
			b.holder(holder.id).get("/chat/threads").is(http.StatusOK) // a new one works at once
		})
	}
}

// A revocation without a time ends all tokens, those too that were issued after another revocation in the same second and
// have the next one as their iat; the clock moves on while the request is under way.
func TestRevokeAllInTheOldestVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(s *setup) {
		later := s.clock.now
		s.Now = func() chat.Time { return later() - 1 }
	})
	holder, owner := b.user(), b.owner().at(identityOldest)
	for _, body := range []string{`{}`, `{"tokensValidFrom":"2100-01-01T00:00:00Z"}`} {
		owner.patch("/identities/"+holder.id, body).empty(http.StatusNoContent)
		holder.get("/chat/threads").empty(http.StatusUnauthorized)
		holder = b.holder(holder.id)
		holder.get("/chat/threads").is(http.StatusOK)
	}
}

// What was revoked stays so when an earlier time is sent after it.
func TestEarlierTokensValidFrom(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	holder, owner := b.user(), b.owner().at(identityOldest)
	owner.patch("/identities/"+holder.id, `{}`).empty(http.StatusNoContent)
	owner.patch("/identities/"+holder.id, `{"tokensValidFrom":"2020-10-10T00:00:00.000Z"}`).empty(http.StatusNoContent)
	holder.get("/chat/threads").empty(http.StatusUnauthorized)
	for _, id := range unknownIdentities {
		b.bearer(entraToken).at(identityOldest).patch("/identities/"+id, `{"tokensValidFrom":"2020-10-10T00:00:00.000Z"}`).notOwned()
	}
}

// In every version a token ends with the access key by which it was asked for, and with none when an Entra token asked.
func TestTokensExpireWithTheirAccessKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rotated := auth.NewIdentities(resource, b.keys, b.db, b.clock.now, must(auth.KeyIDOf(secondaryKey))(t))
	for _, version := range allIdentity {
		for name, asker := range map[string]caller{"primary": b.owner(), "secondary": b.ownerBy(secondaryKey), "Entra": b.bearer(entraToken)} {
			issue := "/identities/" + b.users(1)[0] + "/:issueAccessToken"
			if version == identityOldest {
				issue = strings.Replace(issue, ":issueAccessToken", "token", 1)
			}
			answers := []*answer{asker.at(version).post(issue, `{"scopes":["chat"]}`).is(http.StatusOK)}
			fields := []string{"token"}
			if version != identityOldest {
				answers = append(answers, asker.at(version).post("/identities", `{"createTokenWithScopes":["chat"]}`).is(http.StatusCreated))
				fields = append(fields, "accessToken.token")
			}
			for i, a := range answers {
				token := a.text(fields[i])
				b.bearer(token).get("/chat/threads").is(http.StatusOK)
				if _, err := rotated.Authenticate(t.Context(), token); (err != nil) != (name == "primary") {
					t.Errorf("%s, by %s: %v when the primary key has gone", version, name, err)
				}
			}
		}
	}
	a := b.bearer(entraToken).at(identityCustom).post("/access/entra/:exchangeAccessToken", `{}`).is(http.StatusOK)
	if _, err := rotated.Authenticate(t.Context(), a.text("accessToken.token")); err != nil {
		t.Errorf("a token got in exchange: %v", err)
	}
}
