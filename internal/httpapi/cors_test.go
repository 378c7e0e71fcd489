package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func withOrigins(origins ...string) option { return func(s *setup) { s.CORS = pagesOf(origins...) } }

// pagesOf allows pages of these origins, as the program does.
func pagesOf(origins ...string) func(*http.Request) (string, error) {
	return func(r *http.Request) (string, error) {
		page := r.Header.Get("Origin")
		switch {
		case slices.Contains(origins, "*"):
			return "*", nil
		case page == "" || slices.Contains(origins, page):
			return page, nil
		default:
			return "", errors.New("page is not allowed")
		}
	}
}

const (
	page      = "https://app.example.com"
	otherPage = "https://evil.example.com"

	// asked is what azure-communication-identity for JavaScript sends in browsers.
	asked = "authorization,content-type,x-ms-client-request-id,x-ms-content-sha256,x-ms-date,x-ms-useragent"
)

// preflight asks as a browser does: without credentials and api-version.
func (b *bench) preflight(target, method, origin string, headers ...string) *answer {
	b.Helper()
	return b.nobody().at("").do("OPTIONS", target, "", append([]string{"Origin: " + origin, "Access-Control-Request-Method: " + method}, headers...)...)
}

// Every call of a browser is preflighted, and a redirect or refusal breaks it.
func TestPreflightOnEveryRoute(t *testing.T) {
	t.Parallel()
	for name, origins := range map[string][]string{"all": {"*"}, "listed": {"https://other.example.com", page}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, withOrigins(origins...))
			w := newWorld(b)
			targets := []string{"/", "/unknown", "/chat/config/realTimeNotifications", "//chat/config/realTimeNotifications", "//chat/threads", "/chat/threads/"}
			for _, s := range samples {
				targets = append(targets, strings.NewReplacer("{thread}", string(w.thread), "{message}", w.message, "{bob}", w.bob.id, "{image}", "x").Replace(s.path))
			}
			for _, target := range targets {
				for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
					a := b.preflight(target, method, page, "Access-Control-Request-Headers: "+asked)
					a.empty(http.StatusNoContent)
					allows(t, a, name == "all", method)
					if got := a.header.Get("Access-Control-Allow-Headers"); got != asked {
						t.Errorf("%s: allows the headers %q, want those that were asked for", a.name(), got)
					}
				}
			}
		})
	}
}

// allows fails the test unless a preflight of the page allows the method.
func allows(t *testing.T, a *answer, all bool, method string) {
	t.Helper()
	origin := page
	if all {
		origin = "*"
	}
	if got := a.header.Get("Access-Control-Allow-Origin"); got != origin {
		t.Errorf("%s: allows the origin %q, want %q", a.name(), got, origin)
	}
	if !all && !slices.Contains(a.header.Values("Vary"), "Origin") {
		t.Errorf("%s: Vary is %q, want Origin, since another page is answered otherwise", a.name(), a.header.Values("Vary"))
	}
	if got := strings.Split(a.header.Get("Access-Control-Allow-Methods"), ", "); !slices.Contains(got, method) {
		t.Errorf("%s: allows the methods %q, want %s among them", a.name(), got, method)
	}
	if got := a.header.Get("Access-Control-Max-Age"); got == "" || got == "0" {
		t.Errorf("%s: Access-Control-Max-Age is %q, want some time", a.name(), got)
	}
}

// "*" as the allowed headers does not cover authorization, so all that SDKs send are named.
func TestPreflightThatNamesNoHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t, withOrigins("*"))
	got := strings.Split(b.preflight("/chat/threads", "POST", page).header.Get("Access-Control-Allow-Headers"), ", ")
	for _, name := range append(strings.Split(asked, ","), "repeatability-request-id", "idempotency-token", "accept", "accept-language", "traceparent") {
		if !slices.Contains(got, name) {
			t.Errorf("allows the headers %q, want %s among them", got, name)
		}
	}
}

// Without CORS headers on an error a page sees a network error instead of the answer.
func TestAnswersCarryCORSHeaders(t *testing.T) {
	t.Parallel()
	for name, origins := range map[string][]string{"*": {"*"}, page: {page}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, withOrigins(origins...))
			alice := b.user()
			const from = "Origin: " + page
			for _, a := range []*answer{
				alice.get("/chat/threads", from).is(http.StatusOK),
				alice.post("/chat/threads", `{"topic":"x"}`, from).is(http.StatusCreated),
				alice.post("/chat/threads", `{}`, from).is(http.StatusBadRequest),
				alice.at("2019-01-01").get("/chat/threads", from).is(http.StatusBadRequest),
				b.nobody().get("/chat/threads", from).is(http.StatusUnauthorized),
				b.user("voip").get("/chat/threads", from).is(http.StatusForbidden),
				alice.get("/chat/threads/x", from).is(http.StatusNotFound),
				alice.get("/unknown", from).is(http.StatusNotFound),
				alice.do("PUT", "/chat/threads", "", from).is(http.StatusMethodNotAllowed),
				alice.post("/chat/threads", `{}`, from, "Content-Type: text/plain").is(http.StatusUnsupportedMediaType),
				b.owner().post("/identities", "", from).is(http.StatusCreated),
				b.nobody().post("/identities", "", from).is(http.StatusUnauthorized),
				alice.do("OPTIONS", "/chat/threads", "", from).is(http.StatusMethodNotAllowed), // no preflight
			} {
				if got := a.header.Get("Access-Control-Allow-Origin"); got != name {
					t.Errorf("%s = %d: allows the origin %q, want %q", a.name(), a.status, got, name)
				}
				if got := a.header.Get("Access-Control-Expose-Headers"); got != "*" { // as recorded since 2023
					t.Errorf("%s = %d: exposes the headers %q, want *", a.name(), a.status, got)
				}
			}
		})
	}
}

func TestPagesThatAreNotAllowed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		origins []string
		origin  string
	}{
		"another page":      {[]string{page}, otherPage},
		"another scheme":    {[]string{page}, strings.Replace(page, "https", "http", 1)},
		"another port":      {[]string{page}, page + ":8443"},
		"longer name":       {[]string{page}, page + ".evil.example.com"},
		"no page":           {[]string{page}, "null"},
		"no origin":         {[]string{page}, ""},
		"no pages allowed":  {nil, page},
		"empty among those": {[]string{"", page}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := &countingUsers{}
			b := newBench(t, withOrigins(test.origins...), withUsers(users))
			alice := b.user()
			made := users.added.Load()
			from := "Origin: " + test.origin
			answers := []*answer{
				b.preflight("/chat/threads", "GET", test.origin),
				alice.get("/chat/threads", from),
				alice.post("/chat/threads", `{"topic":"x"}`, from),
				alice.post("/chat/threads", `{"topic":"x"}`, from, "Content-Type: text/plain"), // no preflight by its form
				b.owner().post("/identities", "", from),
				b.nobody().get("/chat/threads", from),
			}
			if test.origin != "" { // nothing was done
				for _, a := range answers {
					a.empty(http.StatusForbidden)
				}
				if n := users.added.Load(); n != made || len(alice.get("/chat/threads").texts("value.*.id")) != 0 {
					t.Errorf("%d users and the threads %s were made", n-made, alice.get("/chat/threads").body)
				}
				if line := b.log.of(t, answers[1]); line["reason"] != "page is not allowed" || line["level"] != "INFO" {
					t.Errorf("the log says %v", line)
				}
			}
			for _, a := range answers {
				for header := range a.header {
					if strings.HasPrefix(header, "Access-Control-") {
						t.Errorf("%s: answers with %s", a.name(), header)
					}
				}
				if !slices.Contains(a.header.Values("Vary"), "Origin") {
					t.Errorf("%s: Vary is %q, want Origin, since another page is answered otherwise", a.name(), a.header.Values("Vary"))
				}
			}
		})
	}
}

// TestFormsOfPaths: connection strings end in a slash and SDKs add paths that begin with one; colons and at signs come
// escaped or not, as the SDK does (recordings of the suites for JavaScript, Java and the CLI). A redirect would break
// preflights, so there is none.
func TestFormsOfPaths(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	id := string(w.thread)
	bare := strings.TrimSuffix(strings.TrimPrefix(id, "19:"), "@thread.v2")
	every := ""
	for _, c := range []byte(id) {
		every += "%" + strings.ToUpper(string("0123456789abcdef"[c>>4])) + string("0123456789abcdef"[c&15])
	}
	for _, form := range []string{
		id, url.PathEscape(id), strings.Replace(id, ":", "%3A", 1), strings.Replace(id, ":", "%3a", 1), strings.Replace(id, "@", "%40", 1),
		"19%3A" + bare + "%40thread.v2", "19%3a" + bare + "%40thread%2Ev2", every,
	} {
		for _, target := range []string{
			"/chat/threads/" + form, "//chat/threads/" + form, "/chat//threads///" + form, "/chat/threads/" + form + "/", "///chat/threads/" + form + "//",
		} {
			w.alice.get(target).is(http.StatusOK).holds("id", id)
			w.alice.get(target+"/messages").is(http.StatusOK).holds("value.0.id", w.message)
			w.alice.get(target+"/messages/"+w.message+"/").is(http.StatusOK).holds("id", w.message)
			for _, add := range []string{":add", "%3Aadd", "%3aadd", ":add/", "/:add"} {
				w.alice.post(target+"/participants/"+add, `{"participants":[]}`).is(http.StatusCreated)
			}
		}
	}
	for _, form := range []string{w.bob.id, strings.ReplaceAll(w.bob.id, ":", "%3A"), strings.ReplaceAll(w.bob.id, ":", "%3a"), url.PathEscape(w.bob.id)} {
		for _, target := range []string{"/identities/" + form, "//identities/" + form + "/"} {
			b.owner().post(target+"/:issueAccessToken", `{"scopes":["chat"]}`).is(http.StatusOK)
			b.owner().post(target+"/%3AissueAccessToken", `{"scopes":["chat"]}`).is(http.StatusOK)
		}
	}
	w.alice.get("//chat/threads").is(http.StatusOK).holds("value.*.id", id)
	w.alice.get("/chat/threads/").is(http.StatusOK).holds("value.*.id", id)
}

// What is decoded twice names something else.
func TestPathsAreDecodedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	twice := strings.NewReplacer(":", "%253A", "@", "%2540").Replace(string(w.thread))
	w.alice.get("/chat/threads/"+twice).refused(http.StatusNotFound, "NotFound", "The specified thread id was not found.")
	w.alice.get(w.at("/messages/%2531")).refused(http.StatusBadRequest, "BadRequest", "Value for MessageId (%31) is not valid.")
	w.alice.post(w.at("/participants/%253Aadd"), `{"participants":[]}`).empty(http.StatusMethodNotAllowed)
	b.owner().post("/identities/"+strings.ReplaceAll(w.bob.id, ":", "%253A")+"/:issueAccessToken", `{"scopes":["chat"]}`).notOwned()
	// An escaped slash parts nothing.
	w.alice.get("/chat/threads%2F" + string(w.thread)).empty(http.StatusNotFound)
	w.alice.get("/chat/threads/"+string(w.thread)+"%2Fmessages").refused(http.StatusNotFound, "NotFound", "The specified thread id was not found.")
}
