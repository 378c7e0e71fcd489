package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

// A participant was removed by a path until 2020-11-01-preview3. SDKs for Java send ids raw, those for JavaScript and Python
// escape them (recordings of these suites).
func TestRemoveByPath(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lower := strings.NewReplacer(":", "%3a", "@", "%40").Replace
	upper := strings.NewReplacer(":", "%3A", "@", "%40").Replace
	for version, collection := range map[string]string{chatPreview2: "/members/", chatPreview3: "/participants/"} {
		for name, write := range map[string]func(string) string{
			"raw": func(id string) string { return id }, "escaped": upper, "escaped in lower case": lower,
			"colons escaped": func(id string) string { return strings.ReplaceAll(id, ":", "%3A") },
		} {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(b.in(t))
				path := "/chat/threads/" + write(string(w.thread)) + collection
				alice := w.alice.at(version)
				alice.delete(path + write(w.bob.id)).empty(http.StatusNoContent)
				w.alice.get(w.at("/participants")).holds("value.*.communicationIdentifier.rawId", w.alice.id)
				alice.delete(path + write(w.bob.id)).empty(http.StatusNoContent) // who is not there is removed already
				alice.delete(path + strings.ReplaceAll(w.bob.id, ":", "%253A")).is(http.StatusBadRequest)
				alice.delete(path + write(w.alice.id)).empty(http.StatusNoContent)
				alice.delete(path + write(w.alice.id)).is(http.StatusForbidden)
			})
		}
	}
}

// Each version reads the names of its own time; what else is in a body is ignored.
func TestNamesOfOtherVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	carol := b.users(1)[0]
	const nobody = "Identifier format is invalid ()."
	for _, test := range []struct {
		name, version, path, body, message string
	}{
		{"objects for strings", chatPreview3, "/participants/:add", encoded(map[string]any{"participants": participants(carol)}), nobody},
		{"strings for objects", chatPreview4, "/participants/:add", encoded(map[string]any{"participants": flats(carol)}), nobody},
		{"strings for objects", newestChat, "/participants/:add", encoded(map[string]any{"participants": flats(carol)}), nobody},
		{"strings for objects to be removed", chatPreview4, "/participants/:remove", encoded(flats(carol)[0]), nobody},
		{"members for participants", chatPreview3, "/participants/:add", encoded(map[string]any{"members": flats(carol)}), "The participants are missing."},
		{"participants for members", chatPreview2, "/members", encoded(map[string]any{"participants": flats(carol)}), "The members are missing."},
	} {
		t.Run(test.name+" in "+test.version, func(t *testing.T) {
			t.Parallel()
			w := newWorld(b.in(t))
			want := map[string]any{"Code": "BadRequest", "Details": []any{}}
			if test.message != "" {
				want["Message"] = test.message
			}
			a := w.alice.at(test.version).post(w.at(test.path), test.body).is(http.StatusBadRequest)
			switch test.version {
			case chatPreview2:
				a.same(bareError("BadRequest", test.message))
			case newestChat:
				a.same(map[string]any{"CommunicationError": want})
			default:
				a.same(map[string]any{"Error": want})
			}
			w.alice.get(w.at("/participants")).holds("value.*.communicationIdentifier.rawId", w.alice.id, w.bob.id)
		})
	}
}

// Threads have no version: what was made with one SDK is read, changed and continued with any other.
func TestVersionsShareThreads(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice, bob := b.user(), b.user()
	made := alice.at(chatPreview2).post("/chat/threads", encoded(map[string]any{"topic": "lunch", "members": flats(alice.id)})).is(http.StatusMultiStatus)
	th := thread(made.text("multipleStatus.1.id"))
	alice.at(chatPreview3).post(th.path("/participants/:add"), encoded(map[string]any{"participants": flats(bob.id)})).is(http.StatusCreated)
	for i, version := range allChat {
		who := []caller{alice, bob}[i%2].at(version)
		who.post(th.path("/messages"), `{"content":"in `+version+`"}`).is(http.StatusCreated)
		status := http.StatusNoContent
		if version <= chatPreview2 {
			status = http.StatusOK
		}
		who.patch(th.path(""), `{"topic":"`+version+`"}`).empty(status)
	}
	newest := allChat[len(allChat)-1]
	for _, version := range allChat {
		content := "value.1.content.message"
		if version <= chatPreview2 {
			content = "value.1.content"
		}
		bob.at(version).get(th.path("/messages")).is(http.StatusOK).holds(content, "in "+newest)
		alice.at(version).get(th.path("")).is(http.StatusOK).holds("topic", newest)
	}
}
