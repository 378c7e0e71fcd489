package httpapi

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const long = 10_000

// badThreads are ids that no thread has, as they stand in a path.
var badThreads = map[string]string{
	"unknown":              "19:00000000000000000000000000000000@thread.v2",
	"Android suite":        "invalid_chat_thread_id",
	"CLI suite":            "sanitized",
	"10,000 characters":    "19:" + strings.Repeat("a", long) + "@thread.v2",
	"257 characters":       "19:" + strings.Repeat("a", 257-len("19:@thread.v2")) + "@thread.v2",
	"escaped NUL":          "19:%00@thread.v2",
	"invalid UTF-8":        "19:%ff%c3@thread.v2",
	"line break":           "19:a%0d%0aX-Injected:%201@thread.v2",
	"slash":                "19:a%2Fb@thread.v2",
	"dots":                 "..",
	"escaped dots":         "%2e%2e%2f%2e%2e",
	"escape of an escape":  "19%253A00000000000000000000000000000000%2540thread.v2",
	"percent":              "19:%25@thread.v2",
	"quotes":               "19:'%22;--@thread.v2",
	"another kind":         "19:abc@unq.gbl.spaces",
	"empty":                "19:@thread.v2",
	"space":                "%20",
	"plus":                 "19:a+b@thread.v2",
	"characters of Europe": "19:%C3%A9@thread.v2",
}

// Malformed and unknown ids have the same answer (recordings of the CLI suite since December 2022).
func TestBadThreadIDs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for name, id := range badThreads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := *w
			w.b = b.in(t)
			for _, s := range samples {
				if !strings.HasPrefix(s.path, "/chat/threads/{thread}") || s.version() != newestChat {
					continue
				}
				s.path = strings.Replace(s.path, "{thread}", id, 1)
				message := ""
				if s.operation == "GetThread" {
					message = "The specified thread id was not found."
				}
				s.by(&w, w.alice.in(t)).refused(http.StatusNotFound, "NotFound", message)
			}
			w.b.alive()
		})
	}
}

// Recorded by the Android suite.
func TestBadMessageIDs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for raw, id := range map[string]string{
		"invalid_chat_message_id": "invalid_chat_message_id",
		"-1":                      "-1",
		"+1":                      "+1",
		"1.5":                     "1.5",
		"1e3":                     "1e3",
		"0x10":                    "0x10",
		"9223372036854775808":     "9223372036854775808",
		"1%002":                   "1\ufffd2",
		"%ff":                     "\ufffd",
		"%D9%A1":                  "١",
		"1%2F2":                   "1/2",
		"%201":                    " 1",
		strings.Repeat("9", long): strings.Repeat("9", long),
	} {
		path := w.at("/messages/" + raw)
		message := "Value for MessageId (" + id + ") is not valid."
		w.alice.get(path).refused(http.StatusBadRequest, "BadRequest", message)
		w.alice.patch(path, `{"content":"hey"}`).refused(http.StatusBadRequest, "BadRequest", message)
		w.alice.delete(path).refused(http.StatusBadRequest, "BadRequest", message)
	}
	b.alive()
}

func TestLongIDsInBodies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for _, id := range []string{strings.Repeat("x", long), "8:acs:" + resource + "_" + strings.Repeat("a", long), "4:+" + strings.Repeat("1", long)} {
		message := "Identifier format is invalid (" + id + ")."
		body := encoded(map[string]any{"topic": "lunch", "participants": []any{map[string]any{"communicationIdentifier": map[string]any{"rawId": id}}}})
		w.alice.post("/chat/threads", body).refused(http.StatusBadRequest, "BadRequest", message)
		w.alice.post(w.at("/participants/:add"), body).refused(http.StatusBadRequest, "BadRequest", message)
		w.alice.post(w.at("/participants/:remove"), encoded(map[string]any{"rawId": id})).refused(http.StatusBadRequest, "BadRequest", message)
	}
	nines := strings.Repeat("9", long)
	w.alice.receipt(w.thread, nines).refused(http.StatusBadRequest, "BadRequest", "Value for MessageId ("+nines+") is not valid.")
	b.alive()
}

// lists are the operations with pages, and which numbers they read.
func lists(w *world) map[string][]string {
	return map[string][]string{
		"/chat/threads":       {"maxPageSize"},
		w.at("/messages"):     {"maxPageSize"},
		w.at("/participants"): {"maxPageSize", "skip"},
		w.at("/readReceipts"): {"maxPageSize", "skip"},
	}
}

func TestBadNumbers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for target, names := range lists(w) {
		for _, name := range names {
			bad := []string{"-1", "-9223372036854775809", "9223372036854775808", strings.Repeat("9", long), "ten", "1.5", "1e2", "0x10", "%201", "1,2", "%00", "%FF", "NaN", "٣"}
			if name == "maxPageSize" {
				bad = append(bad, "0", "-0")
			}
			for _, value := range bad {
				w.alice.get(target+"?"+name+"="+value).refused(http.StatusBadRequest, "BadRequest", anyReason)
			}
			w.alice.get(target + "?" + name + "=").is(http.StatusOK)
			w.alice.get(target + "?" + name + "=2147483647").is(http.StatusOK)
		}
	}
	b.alive()
}

func TestBadStartTimes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for _, target := range []string{"/chat/threads", w.at("/messages")} {
		for _, value := range []string{
			"yesterday", "0", "1647345600", "2022-13-01", "2022-02-30", "2022-01-01T25:00:00Z", "10000-01-01T00:00:00Z", "-2022-01-01T00:00:00Z",
			"13%2F1%2F1970%2012:00:00%20AM%20%2B00:00", "%00", "%FF", "2022-01-01T00:00:00Z%00", strings.Repeat("9", long), "Z", "%20", "+", "++",
		} {
			w.alice.get(target+"?startTime="+value).refused(http.StatusBadRequest, "BadRequest", anyReason)
		}
		for _, value := range []string{"", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"} {
			w.alice.get(target + "?startTime=" + value).is(http.StatusOK)
		}
	}
	b.alive()
}

// A continuation is good for the list, the thread and the user that it was given for, as it was given.
func TestBadContinuations(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	other := w.alice.newThread(w.bob.id)
	good := linkQuery(t, w.alice.get(w.at("/messages?maxPageSize=1")).text("nextLink")).Get("syncState")
	ofThreads := linkQuery(t, w.alice.get("/chat/threads?maxPageSize=1").text("nextLink")).Get("syncState")
	raw := must(base64.RawURLEncoding.DecodeString(good))(t)

	bad := map[string]string{
		"no base64":     "!!!!",
		"padded":        good + "==",
		"shorter":       good[:len(good)-4],
		"longer":        good + "AAAA",
		"repeated":      good + good,
		"of threads":    ofThreads,
		"NUL":           "%00",
		"invalid UTF-8": "%FF",
		"long":          strings.Repeat("A", long),
		"zeros":         base64.RawURLEncoding.EncodeToString(make([]byte, len(raw))),
		"blank":         "%20",
	}
	for i := range raw {
		tampered := slices.Clone(raw)
		tampered[i] ^= 1
		bad["byte "+strconv.Itoa(i)] = base64.RawURLEncoding.EncodeToString(tampered)
	}
	for name, state := range bad {
		a := w.alice.get(w.at("/messages?maxPageSize=1&syncState=" + state))
		if a.status != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", name, a.status)
		}
		a.refused(http.StatusBadRequest, "BadRequest", anyReason)
	}
	w.bob.get(w.at("/messages?syncState="+good)).refused(http.StatusBadRequest, "BadRequest", anyReason)
	w.alice.get(other.path("/messages?syncState="+good)).refused(http.StatusBadRequest, "BadRequest", anyReason)
	w.alice.get("/chat/threads?syncState="+good).refused(http.StatusBadRequest, "BadRequest", anyReason)
	w.bob.get("/chat/threads?syncState="+ofThreads).refused(http.StatusBadRequest, "BadRequest", anyReason)
	newBench(t).user().get("/chat/threads?syncState="+ofThreads).refused(http.StatusBadRequest, "BadRequest", anyReason)

	w.alice.get(w.at("/messages?syncState=" + good)).is(http.StatusOK)
	w.alice.get(w.at("/messages?syncState=")).is(http.StatusOK).holds("value.*.sequenceId", "3", "2", "1")
	b.alive()
}

// Every path answers the methods that it has not with 405, and says which it has.
func TestUnsupportedMethods(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for _, s := range samples {
		if strings.Contains(s.path, "{image}") {
			continue
		}
		u := must(url.Parse(s.target(w)))(t)
		want := map[string]bool{}
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			if rowFor(method, u) != nil {
				want[method] = true
			}
		}
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get"} {
			if want[method] {
				continue
			}
			for _, who := range []caller{w.alice, b.nobody()} {
				a := who.do(method, u.Path, "")
				a.empty(http.StatusMethodNotAllowed)
				allow := slices.Sorted(slices.Values(a.header.Values("Allow")))
				if wanted := slices.Sorted(maps.Keys(want)); !slices.Equal(allow, wanted) {
					t.Errorf("%s %s: Allow is %q, want %q", method, s.path, allow, wanted)
				}
			}
		}
	}
	b.alive()
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for _, path := range []string{
		"/", "/chat", "/chat/", "/chat/thread", "/chat/threads/x/y", "/chat/threads/x/messages/1/2", "/chat/threads/x/participants/:adds/x",
		"/CHAT/threads", "/Chat/Threads", "/identities/x/:unknown", "/identities/x/y/z", "/teamsUser", "/teamsUser/:x", "/favicon.ico", "/..", "/%2e%2e/etc/passwd",
		"/%00", "/%ff", "/" + strings.Repeat("a", long), "/" + strings.Repeat("a/", 2000), "/chat%2Fthreads", "/chat/threads;x=y",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "HEAD", "PROPFIND"} {
			w.alice.do(method, path, "").empty(http.StatusNotFound)
			b.nobody().do(method, path, "").empty(http.StatusNotFound)
		}
	}
	b.alive()
}
