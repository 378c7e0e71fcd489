package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/store/pgtest"
)

// The JavaScript SDK sends headers as ISO-8859-1, as browsers and Node do; others send UTF-8.
func TestTextOfHeaders(t *testing.T) {
	t.Parallel()
	for engine, b := range engines(t) {
		w := newWorld(b)
		alice := w.alice.at(chatImages)
		for sent, want := range map[string]string{
			"plain.png":       "plain.png",
			"caf\xe9.png":     "café.png",
			"café.png":        "café.png",
			"\x80\xff.png":    "\u0080ÿ.png",
			"日本語.png":         "日本語.png",
			"caf\xe9 日本語.png": "café æ\u0097¥æ\u009c¬èª\u009e.png",
		} {
			name := alice.post(w.at("/images"), picture, "image-filename: "+sent).is(http.StatusCreated).text("name")
			if name != want {
				t.Errorf("%s: the name %q is kept as %q, want %q", engine, sent, name, want)
			}
		}
		// A create is repeated by the same bytes.
		first := alice.post("/chat/threads", `{"topic":"lunch"}`, "repeatability-request-id: caf\xe9").is(http.StatusCreated).text("chatThread.id")
		again := alice.post("/chat/threads", `{"topic":"lunch"}`, "repeatability-request-id: caf\xe9").is(http.StatusCreated).text("chatThread.id")
		if first != again {
			t.Errorf("%s: the repetition of a create made another thread", engine)
		}
		// The client finds its answer by the bytes that it sent.
		for _, id := range []string{"caf\xe9", "café"} {
			a := alice.get("/chat/threads", "x-ms-client-request-id: "+id, "x-ms-return-client-request-id: true").is(http.StatusOK)
			if got := a.header.Get("x-ms-client-request-id"); got != id {
				t.Errorf("%s: the request id %q comes back as %q", engine, id, got)
			}
		}
	}
}

// An id that is no text names nothing.
func TestTextOfPaths(t *testing.T) {
	t.Parallel()
	for _, b := range engines(t) {
		w := newWorld(b)
		alice := w.alice.at(chatImages)
		for _, id := range []string{"%ff", "%00", "a%c3", "%ed%a0%80", "0-cd-d1-%00"} {
			alice.get(w.at("/images/" + id + "/views/original")).is(http.StatusNotFound)
			alice.delete(w.at("/images/" + id)).is(http.StatusNotFound)
			w.alice.get("/chat/threads/"+id).refused(http.StatusNotFound, "NotFound", "The specified thread id was not found.")
			w.alice.get("/chat/threads/"+id+"/messages").refused(http.StatusNotFound, "NotFound", "")
			alice.get(w.at("/images/x/views/" + id)).is(http.StatusBadRequest)
		}
		b.alive()
	}
}

func engines(t testing.TB) map[string]*bench {
	return map[string]*bench{"SQLite": newBench(t), "Postgres": newBenchOn(t, pgtest.Database(t, nil))}
}

// FuzzText puts any bytes where text stands in paths, queries and headers. Both engines answer the same, and never that the
// server has failed. Requests do not come through net/http, which refuses some of these headers itself.
func FuzzText(f *testing.F) {
	type target struct {
		b *bench
		w *world
	}
	targets := map[string]target{}
	for engine, b := range engines(f) {
		targets[engine] = target{b, newWorld(b)}
	}
	for _, text := range []string{
		"", "x", "caf\xe9.png", "café", "\x00", "a\x00b", "\xff\xfe", "\xed\xa0\x80", "\ufffd", "'", `"\`, "../..", "%ff", "?&#", ":add", "\u2028", "\r\n", "😀", "1", "-1", "9223372036854775808",
		"2022-01-01T00:00:00Z\x00", strings.Repeat("\xe9", 1000), strings.Repeat("x", 3000),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		answers := map[string]string{}
		for engine, to := range targets {
			var all []string
			for _, place := range []struct{ method, path, version, header, body string }{
				{"GET", to.w.at("/images/{}/views/original"), chatImages, "", ""},
				{"GET", to.w.at("/images/x/views/{}"), chatImages, "", ""},
				{"DELETE", to.w.at("/images/{}"), chatImages, "", ""},
				{"POST", to.w.at("/images"), chatImages, "image-filename", picture},
				{"GET", "/chat/threads/{}", newestChat, "", ""},
				{"POST", "/chat/threads/{}/messages", newestChat, "", `{"content":"x"}`},
				{"GET", to.w.at("/messages/{}"), newestChat, "", ""},
				{"GET", to.w.at("/messages?syncState={}"), newestChat, "", ""},
				{"GET", to.w.at("/messages?startTime={}"), newestChat, "", ""},
				{"GET", to.w.at("/participants?skip={}"), newestChat, "", ""},
				{"GET", to.w.at("/participants?maxPageSize={}&syncState={}"), newestChat, "", ""},
				{"DELETE", to.w.at("/participants/{}"), string(preview3), "", ""},
				{"GET", "/chat/threads?x={}", newestChat, "x-ms-client-request-id", ""},
				{"GET", "/chat/threads", newestChat, "Accept-Language", ""},
				{"GET", "/chat/threads?{}={}", "{}", "", ""},
				{"POST", "/chat/threads", newestChat, "repeatability-request-id", `{"topic":"x"}`},
				{"POST", "/chat/threads", newestChat, "idempotency-token", `{"topic":"x"}`},
				{"POST", "/chat/threads", newestChat, "Content-Type", `{"topic":"x"}`},
				{"DELETE", "/identities/{}", newestIdentity, "", ""},
				{"GET", "/identities/{}", string(identityEntra), "", ""},
				{"POST", "/identities/{}/:issueAccessToken", newestIdentity, "", `{"scopes":["chat"]}`},
			} {
				path, query, _ := strings.Cut(place.path, "?")
				path = strings.ReplaceAll(path, "{}", url.PathEscape(text))
				query = strings.ReplaceAll(query+"&api-version="+place.version, "{}", url.QueryEscape(text))
				r := httptest.NewRequest(place.method, path+"?"+query, strings.NewReader(place.body))
				if strings.HasPrefix(path, "/identities") {
					to.b.bearer(entraToken).authorize(r, nil)
				} else {
					to.w.alice.authorize(r, nil)
				}
				if place.header != "" {
					r.Header[http.CanonicalHeaderKey(place.header)] = []string{text}
				}
				recorder := httptest.NewRecorder()
				to.b.Config.Handler.ServeHTTP(recorder, r)
				if recorder.Code >= 500 {
					t.Errorf("%s: %s %s with %q = %d: %s", engine, place.method, place.path, text, recorder.Code, recorder.Body)
				}
				all = append(all, fmt.Sprint(place.method, place.path, place.header, recorder.Code, volatile.ReplaceAllString(recorder.Body.String(), "…")))
			}
			answers[engine] = volatile.ReplaceAllString(strings.Join(all, "\n"), "…")
		}
		if answers["SQLite"] != answers["Postgres"] {
			t.Errorf("%q: SQLite answers\n%s\nPostgres\n%s", text, answers["SQLite"], answers["Postgres"])
		}
	})
}

// volatile is what differs from world to world.
var volatile = regexp.MustCompile(`19:[\w-]{8,}@thread\.v2|8:acs:[\w-]+|0-cd-d1-[0-9a-f]{32}|\d{13}|"token":"[^"]*"|\d\d:\d\d:\d\d(\.\d+)?|127\.0\.0\.1:\d+|"(value|nextLink)":.*`)

// TestTextComesThroughTheGate reads the other files: what a client sends reaches handlers as text, through call.
func TestTextComesThroughTheGate(t *testing.T) {
	t.Parallel()
	// What these read goes no further than the answer: credentials, origins, media types, hosts, correlation.
	own := []string{"call.go", "serve.go", "state.go", "middleware.go", "decode.go", "links.go", "versions.go"}
	raw := regexp.MustCompile(`\br\.(Header|URL|RequestURI|Host|Form|PostForm|Cookies?|PathValue|FormValue)\b|\bURLParam\(`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || slices.Contains(own, name) {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(source), "\n") {
			code, _, _ := strings.Cut(line, "//")
			if raw.MatchString(code) {
				t.Errorf("%s:%d reads what a client sent past the gate: %s", name, n+1, strings.TrimSpace(line))
			}
		}
	}
}
