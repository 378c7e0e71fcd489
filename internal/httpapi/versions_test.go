package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every api-version that an SDK has sent, or that the service has listed, oldest first (api-version tables of the SDKs'
// releases; api-supported-versions of the recordings).
var (
	allChat = []string{
		"2020-07-20-preview1", "2020-09-21-preview2", "2020-11-01-preview3", "2021-01-27-preview4", "2021-03-01-preview5", "2021-03-07",
		"2021-04-05-preview6", "2021-09-07", "2021-10-01-preview7", "2022-04-21-preview8", "2022-11-15-preview8", "2023-04-01-preview",
		"2023-07-01-preview", "2023-11-07", "2023-11-15-preview", "2024-03-01-preview", "2024-03-07", "2024-03-15-preview",
		"2024-06-05-preview", "2025-03-15",
	}
	allIdentity = []string{
		"2020-07-20-preview2", "2021-02-22-preview1", "2021-03-07", "2021-03-31-preview1", "2021-10-31-preview", "2021-11-01", "2022-06-01",
		"2022-10-01", "2023-08-01", "2023-08-30-preview", "2023-10-01", "2025-03-02-preview", "2025-04-01-preview", "2025-06-30",
		"2026-07-22", "2026-09-23",
	}
)

func (s sample) versions() []string {
	if s.ofChat() {
		return allChat
	}
	return allIdentity
}

// servedBy reports whether any sample of the method and path is a good request of the version.
func (s sample) servedBy(version string) bool {
	return slices.ContainsFunc(samples, func(other sample) bool {
		return other.method == s.method && other.path == s.path && other.good(version)
	})
}

// Each version is served or refused for each operation as its description has it, and each answer lists the versions of
// its own operation (recordings of the Java suite of June 2021).
func TestEveryVersionOfEveryOperation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	unknown := []string{"", "2019-01-01", "2099-01-01", "2025-03-15-preview", "latest", "2025-03-15%20"}
	for _, s := range samples {
		t.Run(s.operation+" "+s.method+" "+s.path, func(t *testing.T) {
			t.Parallel()
			var supported []string
			for _, v := range s.versions() {
				if s.servedBy(v) {
					supported = append(supported, v)
				}
			}
			w := newWorld(b.in(t))
			for _, version := range append(unknown, s.versions()...) {
				w := w.renewed()
				a := s.by(w, s.caller(w).at(version))
				if s.servedBy(version) && !s.good(version) { // it is for another sample to be good
					if strings.Contains(string(a.body), "ApiVersion") {
						t.Errorf("refused version %s: %s", version, a.body)
					}
					continue
				}
				if s.good(version) {
					a.is(s.status)
				} else {
					a.refusedVersion(version)
				}
				want := strings.Join(supported, ", ")
				if a.status == http.StatusUnauthorized { // a refused Teams token lists none (recordings of its suite)
					want = ""
				}
				if got := a.header.Get("api-supported-versions"); got != want {
					t.Errorf("version %s: api-supported-versions is %q, want %q", version, got, want)
				}
			}
		})
	}
}

// refusedVersion fails the test unless the framework refused the api-version. The text is in Azure/Communication issues
// 159 and 160; status and code are the defaults of ASP.NET API versioning.
func (a *answer) refusedVersion(version string) {
	a.b.Helper()
	code, message := "ApiVersionUnspecified", "An API version is required, but was not specified."
	if version != "" {
		code = "UnsupportedApiVersion"
		message = "The HTTP resource that matches the request URI '" + a.b.URL + a.request.URL.EscapedPath() +
			"' does not support the API version '" + strings.ReplaceAll(version, "%20", " ") + "'."
	}
	a.is(http.StatusBadRequest).same(map[string]any{"error": map[string]any{"code": code, "message": message, "innerError": nil}})
}

// A version is that of one API.
func TestVersionsOfTheOtherAPI(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.user().at(newestIdentity).get("/chat/threads").is(http.StatusBadRequest).holds("error.code", "UnsupportedApiVersion")
	b.owner().at(newestChat).post("/identities", "").is(http.StatusBadRequest).holds("error.code", "UnsupportedApiVersion")
}

// Who calls is asked first, so that nobody learns anything without a token.
func TestVersionIsCheckedAfterTheToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.nobody().at("2019-01-01").get("/chat/threads").empty(http.StatusUnauthorized)
	b.user("voip").at("2019-01-01").get("/chat/threads").is(http.StatusBadRequest).holds("error.code", "UnsupportedApiVersion")
}

// fullConversation is a conversation that has everything which any version shows.
type fullConversation struct {
	alice               caller
	bob                 string
	thread              thread
	text, html, deleted string
}

func newFullConversation(b *bench) *fullConversation {
	b.Helper()
	alice, bob := b.user(), b.user()
	r := &fullConversation{alice: alice, bob: bob.id}
	r.thread = thread(alice.post("/chat/threads", encoded(map[string]any{
		"topic": "lunch", "metadata": map[string]any{"team": "blue"}, "retentionPolicy": map[string]any{"kind": "none"},
		"participants": []any{map[string]any{
			"communicationIdentifier": user(bob.id), "displayName": "Bob", "metadata": map[string]any{"role": "host"},
		}},
	})).is(http.StatusCreated).text("chatThread.id"))
	send := func(kind string) string {
		return alice.post(r.thread.path("/messages"), encoded(map[string]any{
			"content": "hello", "type": kind, "metadata": map[string]any{"tags": "a"}, "senderDisplayName": "Alice",
		})).is(http.StatusCreated).text("id")
	}
	r.text, r.html, r.deleted = send("text"), send("html"), send("html")
	alice.delete(r.thread.path("/messages/" + r.deleted)).empty(http.StatusNoContent)
	bob.receipt(r.thread, r.text).empty(http.StatusOK)
	return r
}

// TestFieldsOfVersions tells of each field which versions from 2021-01-27-preview4 on have it (specifications of the
// versions; recordings of the CLI suite for attachments).
func TestFieldsOfVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := newFullConversation(b)
	from := func(first string) func(string) bool { return func(v string) bool { return v >= first } }
	oneOf := func(list ...string) func(string) bool {
		return func(v string) bool { return slices.Contains(list, v) }
	}
	withMetadata := oneOf("2023-07-01-preview", "2023-11-15-preview", "2024-03-01-preview", "2024-03-15-preview", "2024-06-05-preview", "2025-03-15")
	withRetention := oneOf("2024-03-15-preview", "2024-06-05-preview", "2025-03-15")
	fields := []struct {
		name, target, path string
		in                 func(version string) bool
	}{
		{"metadata of a thread", r.thread.path(""), "metadata", withMetadata},
		{"retention policy", r.thread.path(""), "retentionPolicy", withRetention},
		{"metadata of a participant", r.thread.path("/participants"), "value.1.metadata", withMetadata},
		{"metadata of a participant in a message", r.thread.path("/messages"), "value.4.content.participants.1.metadata", withMetadata},
		{"metadata of a message", r.thread.path("/messages/" + r.text), "metadata", from("2021-04-05-preview6")},
		{"metadata of a listed message", r.thread.path("/messages"), "value.1.metadata", from("2021-04-05-preview6")},
		{"attachments of html", r.thread.path("/messages/" + r.html), "content.attachments", from("2023-04-01-preview")},
		{"attachments of text", r.thread.path("/messages/" + r.text), "content.attachments", from("2023-11-15-preview")},
		{"attachments of a listed text", r.thread.path("/messages"), "value.2.content.attachments", from("2023-11-15-preview")},
	}
	for _, version := range allChat[slices.Index(allChat, chatPreview4):] {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			alice := r.alice.in(t).at(version)
			for _, f := range fields {
				a := alice.get(f.target).is(http.StatusOK)
				if got := pick(a.value(), f.path) != (absent{}); got != f.in(version) {
					t.Errorf("%s has %s: %t, want %t", version, f.name, got, f.in(version))
				}
			}
		})
	}
}

// What a version did not know it passed over, as it does all unknown fields: the newest version, which would show it,
// does not.
func TestFieldsThatVersionsIgnore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	bob := b.users(1)[0]
	participant := map[string]any{"communicationIdentifier": user(bob), "metadata": map[string]any{"role": "host"}, "roleIds": []any{"guest"}}
	properties := map[string]any{
		"topic": "lunch", "metadata": map[string]any{"team": "blue"}, "retentionPolicy": map[string]any{"kind": "none"},
		"messagingPolicy": map[string]any{"textOnlyChat": true}, "participants": []any{participant},
	}
	message := map[string]any{
		"content": "hello", "metadata": map[string]any{"tags": "a"},
		"attachments": []any{map[string]any{"id": "x", "attachmentType": "file", "url": "https://files.example/x"}},
	}
	for _, version := range []string{"2021-03-07", "2023-11-07", "2024-03-07"} {
		old := alice.at(version)
		th := thread(old.post("/chat/threads", encoded(properties)).is(http.StatusCreated).text("chatThread.id"))
		old.patch(th.path(""), encoded(properties)).empty(http.StatusNoContent)
		for _, later := range []string{newestChat, chatLastImages} {
			alice.at(later).get(th.path("")).lacks("metadata", "retentionPolicy", "messagingPolicy")
		}
		alice.get(th.path("/participants")).lacks("value.1.metadata")
		alice.at(chatPreview7).get(th.path("/participants")).lacks("value.1.roleIds")

		id := old.post(th.path("/messages"), encoded(message)).is(http.StatusCreated).text("id")
		old.patch(th.path("/messages/"+id), encoded(message)).empty(http.StatusNoContent)
		shown := alice.get(th.path("/messages/"+id)).holds("content.attachments", []any{})
		if version < "2021-04-05-preview6" {
			shown.lacks("metadata")
		} else {
			shown.holds("metadata", map[string]any{"tags": "a"})
		}
	}
	// The newest does not take attachments from users either, although previews before it did.
	th := alice.newThread()
	id := alice.post(th.path("/messages"), encoded(message)).is(http.StatusCreated).text("id")
	alice.get(th.path("/messages/"+id)).holds("content.attachments", []any{})
	alice.post(th.path("/messages"), encoded(map[string]any{"content": "", "attachments": message["attachments"]})).
		refused(http.StatusBadRequest, "BadRequest", anyReason)
}

// A created thread is answered as GET answers it.
func TestCreatedThreadOfVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const body = `{"topic":"lunch","metadata":{"team":"blue"},"retentionPolicy":{"kind":"none"}}`
	for _, version := range allChat[slices.Index(allChat, chatPreview3):] {
		alice := b.at(version).user()
		// The version knows no more of the thread than it shows; the newest is asked for the rest.
		a := alice.post("/chat/threads", body, "repeatability-request-id: "+version).is(http.StatusCreated)
		alice.get("/chat/threads/" + a.text("chatThread.id")).is(http.StatusOK).same(pick(a.value(), "chatThread"))
	}
}

// Tombstones have attachments like text (recordings of the CLI suite).
func TestDeletedMessageOfVersions(t *testing.T) {
	t.Parallel()
	r := newFullConversation(newBench(t))
	for version, content := range map[string]any{
		"2021-03-07": map[string]any{"message": ""},
		"2024-03-07": map[string]any{"message": "", "attachments": []any{}},
		newestChat:   map[string]any{"message": "", "attachments": []any{}},
	} {
		r.alice.at(version).get(r.thread.path("/messages/"+r.deleted)).is(http.StatusOK).holds("content", content).lacks("metadata")
	}
}

// expiresInMinutes was unknown before 2022-10-01 and was ignored, whatever it was.
func TestLifetimesOfVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.users(1)[0]
	for _, version := range allIdentity[1:] {
		for _, minutes := range []string{"60", "59", "99999"} {
			for target, field := range map[string]string{"/identities": "createTokenWithScopes", "/identities/" + id + "/:issueAccessToken": "scopes"} {
				a := b.owner().at(version).post(target, `{"`+field+`":["chat"],"expiresInMinutes":`+minutes+`}`)
				if version >= "2022-10-01" && minutes != "60" {
					a.is(http.StatusBadRequest)
					continue
				}
				want := 24 * time.Hour
				if version >= "2022-10-01" {
					want = time.Hour
				}
				at := strings.Replace(b.clock.now().Std().Add(want).Format("2006-01-02T15:04:05.0000000Z"), "Z", "+00:00", 1)
				if got := a.text("expiresOn") + a.text("accessToken.expiresOn"); got != at {
					t.Errorf("%s, %s minutes: %s expires on %s, want %s", version, minutes, target, got, at)
				}
			}
		}
	}
}
