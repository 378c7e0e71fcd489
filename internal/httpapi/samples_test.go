package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// world is a small conversation, made anew for each sample: alice made the thread and wrote the message, bob is there.
type world struct {
	b          *bench
	alice, bob caller
	thread     thread
	message    string
}

func newWorld(b *bench) *world {
	b.Helper()
	w := &world{b: b, alice: b.user(), bob: b.user()}
	w.thread = w.alice.newThread(w.bob.id)
	w.message = w.alice.say(w.thread, "hello")
	return w
}

// renewed returns another world of the same alice, with a bob who needs no token: to sign those takes long.
func (w *world) renewed() *world {
	w.b.Helper()
	other := &world{b: w.b, alice: w.alice, bob: caller{b: w.b, id: w.b.users(1)[0]}}
	other.thread = w.alice.newThread(other.bob.id)
	other.message = w.alice.say(other.thread, "hello")
	return other
}

// at returns the address of something in the thread.
func (w *world) at(rest string) string { return w.thread.path(rest) }

// said returns the address of the message.
func (w *world) said() string { return w.at("/messages/" + w.message) }

// sample is a good request of an operation: what alice, or the owner of the resource, can do in the world.
type sample struct {
	operation   string
	first, last string // the versions in which it is a good request; no last: the newest
	method      string
	path        string // with {thread}, {message}, {bob} and {image} to be filled in
	body        func(*world) string
	status      int
}

// The first and last versions of something (API descriptions of each version; recordings of the suites that used it).
const (
	chatOldest     = "2020-07-20-preview1"
	chatPreview2   = "2020-09-21-preview2"
	chatPreview3   = "2020-11-01-preview3"
	chatPreview4   = "2021-01-27-preview4"
	chatPreview7   = "2021-10-01-preview7"
	chatImages     = "2024-03-15-preview"
	chatLastImages = "2024-06-05-preview"

	identityOldest    = "2020-07-20-preview2"
	identitySecond    = "2021-02-22-preview1"
	identityExchange  = "2021-03-31-preview1"
	identityCustom    = "2025-03-02-preview"
	identityExtension = "2025-06-30"
)

// samples hold one good request of each shape of each operation.
var samples = []sample{
	{"CreateThread", chatOldest, chatPreview2, "POST", "/chat/threads", withMembers, http.StatusMultiStatus},
	{"CreateThread", chatPreview3, "", "POST", "/chat/threads", text(`{"topic":"dinner","participants":[]}`), http.StatusCreated},
	{"ListThreads", chatOldest, "", "GET", "/chat/threads", nil, http.StatusOK},
	{"GetThread", chatOldest, "", "GET", "/chat/threads/{thread}", nil, http.StatusOK},
	{"UpdateThread", chatOldest, chatPreview2, "PATCH", "/chat/threads/{thread}", text(`{"topic":"dinner"}`), http.StatusOK},
	{"UpdateThread", chatPreview3, "", "PATCH", "/chat/threads/{thread}", text(`{"topic":"dinner"}`), http.StatusNoContent},
	{"DeleteThread", chatOldest, "", "DELETE", "/chat/threads/{thread}", nil, http.StatusNoContent},

	{"SendMessage", chatOldest, "", "POST", "/chat/threads/{thread}/messages", text(`{"content":"hi"}`), http.StatusCreated},
	{"ListMessages", chatOldest, "", "GET", "/chat/threads/{thread}/messages", nil, http.StatusOK},
	{"GetMessage", chatOldest, "", "GET", "/chat/threads/{thread}/messages/{message}", nil, http.StatusOK},
	{"UpdateMessage", chatOldest, chatPreview2, "PATCH", "/chat/threads/{thread}/messages/{message}", text(`{"content":"hey"}`), http.StatusOK},
	{"UpdateMessage", chatPreview3, "", "PATCH", "/chat/threads/{thread}/messages/{message}", text(`{"content":"hey"}`), http.StatusNoContent},
	{"DeleteMessage", chatOldest, "", "DELETE", "/chat/threads/{thread}/messages/{message}", nil, http.StatusNoContent},

	{"ListParticipants", chatOldest, chatPreview2, "GET", "/chat/threads/{thread}/members", nil, http.StatusOK},
	{"ListParticipants", chatPreview3, "", "GET", "/chat/threads/{thread}/participants", nil, http.StatusOK},
	{"AddParticipants", chatOldest, chatPreview2, "POST", "/chat/threads/{thread}/members", addFlat("members"), http.StatusMultiStatus},
	{"AddParticipants", chatPreview3, chatPreview3, "POST", "/chat/threads/{thread}/participants/:add", addFlat("participants"), http.StatusCreated},
	{"AddParticipants", chatPreview4, "", "POST", "/chat/threads/{thread}/participants/:add", addBody, http.StatusCreated},
	{"RemoveParticipant", chatOldest, chatPreview2, "DELETE", "/chat/threads/{thread}/members/{bob}", nil, http.StatusNoContent},
	{"RemoveParticipant", chatPreview3, chatPreview3, "DELETE", "/chat/threads/{thread}/participants/{bob}", nil, http.StatusNoContent},
	{"RemoveParticipant", chatPreview4, "", "POST", "/chat/threads/{thread}/participants/:remove", removeBody, http.StatusNoContent},
	{"UpdateParticipant", chatPreview7, chatPreview7, "POST", "/chat/threads/{thread}/participants/:update", updateBody, http.StatusNoContent},

	{"SendReadReceipt", chatOldest, chatPreview2, "POST", "/chat/threads/{thread}/readReceipts", receiptBody, http.StatusCreated},
	{"SendReadReceipt", chatPreview3, "", "POST", "/chat/threads/{thread}/readReceipts", receiptBody, http.StatusOK},
	{"ListReadReceipts", chatOldest, "", "GET", "/chat/threads/{thread}/readReceipts", nil, http.StatusOK},
	{"SendTyping", chatOldest, "", "POST", "/chat/threads/{thread}/typing", nil, http.StatusOK},

	{"UploadImage", chatImages, chatLastImages, "POST", "/chat/threads/{thread}/images", text(picture), http.StatusCreated},
	{"GetImage", chatImages, chatLastImages, "GET", "/chat/threads/{thread}/images/{image}/views/original", nil, http.StatusOK},
	{"GetImage", chatImages, chatLastImages, "GET", "/chat/threads/{thread}/images/{image}/view/original", nil, http.StatusOK},
	{"DeleteImage", chatImages, chatLastImages, "DELETE", "/chat/threads/{thread}/images/{image}", nil, http.StatusNoContent},

	{"CreateIdentity", identityOldest, identityOldest, "POST", "/identities", nil, http.StatusOK},
	{"CreateIdentity", identitySecond, "", "POST", "/identities", nil, http.StatusCreated},
	{"GetIdentity", identityCustom, "", "GET", "/identities/{bob}", nil, http.StatusOK},
	{"DeleteIdentity", identityOldest, "", "DELETE", "/identities/{bob}", nil, http.StatusNoContent},
	{"RevokeTokens", identityOldest, identityOldest, "PATCH", "/identities/{bob}", text(`{}`), http.StatusNoContent},
	{"RevokeTokens", identitySecond, "", "POST", "/identities/{bob}/:revokeAccessTokens", nil, http.StatusNoContent},
	{"IssueToken", identityOldest, identityOldest, "POST", "/identities/{bob}/token", text(`{"scopes":["chat"]}`), http.StatusOK},
	{"IssueToken", identitySecond, "", "POST", "/identities/{bob}/:issueAccessToken", text(`{"scopes":["chat"]}`), http.StatusOK},
	{"ExchangeTeamsToken", identityExchange, "", "POST", "/teamsUser/:exchangeAccessToken", text(teamsBody), http.StatusUnauthorized},
	{"ExchangeEntraToken", identityCustom, "", "POST", "/access/entra/:exchangeAccessToken", text(`{}`), http.StatusOK},
	{"ExchangeTeamsExtensionToken", identityExtension, "", "POST", "/access/teamsExtension/:exchangeAccessToken", text(`{}`), http.StatusOK},
}

// teamsBody is understood and refused: this server knows no issuer of Teams tokens.
const teamsBody = `{"token":"a.b.c","appId":"00a1d2f9-4f3e-4e0b-8d3a-2b9a1c0d4e5f","userId":"10a1d2f9-4f3e-4e0b-8d3a-2b9a1c0d4e5f"}`

// teamsToken has the form of a token, although nobody vouches for it.
const teamsToken = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhcHBpZCI6IjAwYTFkMmY5LTRmM2UtNGUwYi04ZDNhLTJiOWExYzBkNGU1ZiJ9.c2lnbmF0dXJl"

// picture is as much of a PNG as tells that it is one.
const picture = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

func text(s string) func(*world) string { return func(*world) string { return s } }

func withMembers(w *world) string {
	return encoded(map[string]any{"topic": "dinner", "members": []any{map[string]any{"id": w.alice.id}}})
}

func addFlat(field string) func(*world) string {
	return func(w *world) string {
		return encoded(map[string]any{field: []any{map[string]any{"id": w.b.users(1)[0]}}})
	}
}

func addBody(w *world) string {
	return encoded(map[string]any{"participants": participants(w.b.users(1)...)})
}

func removeBody(w *world) string { return encoded(user(w.bob.id)) }

func updateBody(w *world) string {
	return encoded(map[string]any{"communicationIdentifier": user(w.bob.id), "displayName": "Robert"})
}

func receiptBody(w *world) string { return encoded(map[string]any{"chatMessageId": w.message}) }

func (s sample) ofChat() bool { return strings.HasPrefix(s.path, "/chat/") }

// version is the one in which to try the sample: that which openapi.yaml describes, where it is good in that.
func (s sample) version() string {
	described := newestIdentity
	if s.ofChat() {
		described = newestChat
	}
	if s.good(described) {
		return described
	}
	return cmp.Or(s.last, "2026-09-23")
}

// good reports whether the sample is a good request of a version.
func (s sample) good(version string) bool {
	return slices.Contains(s.versions(), version) && version >= s.first && (s.last == "" || version <= s.last)
}

// caller is who makes the good request.
func (s sample) caller(w *world) caller {
	switch {
	case s.ofChat():
		return w.alice.at(s.version())
	case strings.HasPrefix(s.path, "/access/"): // Entra users exchange their own tokens
		entra := w.b.bearer(entraToken)
		return entra.at(s.version())
	default:
		return w.b.owner().at(s.version())
	}
}

// target fills in the path.
func (s sample) target(w *world) string {
	path := strings.NewReplacer("{thread}", string(w.thread), "{message}", w.message, "{bob}", w.bob.id).Replace(s.path)
	if before, after, ok := strings.Cut(path, "{image}"); ok {
		return before + w.alice.at(chatImages).upload(w.thread) + after
	}
	return path
}

// by sends the request as somebody.
func (s sample) by(w *world, who caller, headers ...string) *answer {
	w.b.Helper()
	return w.b.send(s.request(w, who, headers...))
}

// request makes the request of somebody.
func (s sample) request(w *world, who caller, headers ...string) *http.Request {
	w.b.Helper()
	body := ""
	if s.body != nil {
		body = s.body(w)
	}
	if s.operation == "UploadImage" {
		headers = append([]string{"Content-Type: application/octet-stream", "image-filename: picture.png"}, headers...)
	}
	return who.request(s.method, s.target(w), body, headers...)
}

// upload uploads a picture and returns its id.
func (c caller) upload(t thread) string {
	c.b.Helper()
	return c.post(t.path("/images"), picture, "Content-Type: application/octet-stream", "image-filename: picture.png").
		is(http.StatusCreated).text("id")
}

// TestSamples sees that there is a sample of every row of the table, and that each is a good request.
func TestSamples(t *testing.T) {
	t.Parallel()
	for i := range routes {
		row := &routes[i]
		ofRow := func(s sample) bool {
			path := strings.NewReplacer("{bob}", "x", "{thread}", "x", "{message}", "x", "{image}", "x").Replace(s.path)
			both := func(v Version) bool { return row.serves(v) && s.good(string(v)) }
			return s.operation == row.operation && s.method == row.method && matches(split(row.pattern), split(path)) &&
				slices.ContainsFunc(versions[row.api], both)
		}
		if !slices.ContainsFunc(samples, ofRow) {
			t.Errorf("no sample of %s, %s %s", row.operation, row.method, row.pattern)
		}
	}
	b := newBench(t)
	for _, s := range samples {
		t.Run(s.operation+" "+s.version(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(b.in(t))
			s.by(w, s.caller(w)).is(s.status)
		})
	}
}
