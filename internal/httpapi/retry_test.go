package httpapi

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// Every SDK sends a request again by itself when the answer was lost, after 503 or a connection that broke (retry policies of
// azure-core in all languages): the same bytes under the same token, a moment later.
type retryCase struct {
	operation string
	name      string // where an operation has several rows
	header    string // of the request, if any
	oneself   bool   // alice removes herself
	second    int    // status of the second answer; 0: the same
	another   bool   // the body of the second answer is another
	effect    effect
	why       string // where the second answer is not the first
}

// effect is what two requests have done, of which the client knows one.
type effect int

const (
	once  effect = iota // what one has done
	again               // the same, with a newer version or time
	twice               // two things are there
)

// retryCases has a row for each operation. A row whose second answer differs says why; docs/fidelity.md does too.
var retryCases = []retryCase{
	{operation: "CreateThread", name: "with a token, as all SDKs send it", header: "repeatability-request-id: 1"},
	{
		operation: "CreateThread", name: "without a token", effect: twice, another: true,
		why: "nothing tells a repetition from a second thread",
	},
	{operation: "ListThreads"},
	{operation: "GetThread"},
	{operation: "UpdateThread"},
	{operation: "DeleteThread"}, // recordings of the Python suite

	{operation: "SendMessage", effect: twice, another: true, why: "the API has no token for messages"},
	{operation: "ListMessages"},
	{operation: "GetMessage"},
	{operation: "UpdateMessage", effect: again},
	{operation: "DeleteMessage"},

	{operation: "ListParticipants"},
	{operation: "AddParticipants"},
	{operation: "RemoveParticipant", name: "somebody else"},
	{
		operation: "RemoveParticipant", name: "oneself", oneself: true, second: http.StatusForbidden,
		why: "recordings of the CLI suite: who has left is no participant",
	},
	{operation: "UpdateParticipant"},

	{operation: "SendReadReceipt"},
	{operation: "ListReadReceipts"},
	{operation: "SendTyping"},

	{operation: "UploadImage", another: true, why: "the API has no token for images; the first is in no message, and so is seen nowhere"},
	{operation: "GetImage"},
	{operation: "DeleteImage"},

	{
		operation: "CreateIdentity", effect: twice, another: true,
		why: "the API has no token for identities; a customId is one, see TestCustomIdentity",
	},
	{operation: "GetIdentity"},
	{
		operation: "DeleteIdentity", second: http.StatusUnauthorized, another: true,
		why: "what is deleted is not owned, as the service says of all identities that are not there",
	},
	{operation: "RevokeTokens", effect: again},
	{operation: "IssueToken", effect: again, another: true, why: "both tokens are good"},
	{operation: "ExchangeTeamsToken"},
	{operation: "ExchangeEntraToken", effect: again, another: true, why: "both tokens are good, of one identity"},
	{operation: "ExchangeTeamsExtensionToken", effect: again, another: true, why: "both tokens are good, of one identity"},
}

// TestRetryAfterALostAnswer sends each request of each operation and version twice, and looks at what the second answer says
// and at what is there.
func TestRetryAfterALostAnswer(t *testing.T) {
	t.Parallel()
	for i := range routes {
		if !slices.ContainsFunc(retryCases, func(r retryCase) bool { return r.operation == routes[i].operation }) {
			t.Errorf("there is no row of %s", routes[i].operation)
		}
	}
	for _, r := range retryCases {
		t.Run(strings.TrimSpace(r.operation+" "+r.name), func(t *testing.T) {
			t.Parallel()
			base := newWorld(newBench(t))
			tried := 0
			for _, s := range samples {
				for _, version := range s.versions() {
					if s.operation == r.operation && s.good(version) {
						r.try(t, base.renewed(), s, version)
						tried++
					}
				}
			}
			if tried == 0 {
				t.Error("nothing was tried")
			}
			if other := r.second != 0 || r.another; other != (r.why != "") {
				t.Error("a row has a reason if and only if its second answer differs")
			}
		})
	}
}

func (r retryCase) try(t *testing.T, w *world, s sample, version string) {
	t.Helper()
	others := w.alice // looks on
	if r.oneself {
		w.bob = w.alice
		others = w.b.user()
		w.alice.post(w.at("/participants/:add"), encoded(map[string]any{"participants": participants(others.id)})).is(http.StatusCreated)
	}
	var headers []string
	if r.header != "" {
		headers = append(headers, r.header+version+s.method) // alice has many worlds
	}
	request := s.request(w, s.caller(w).at(version), headers...)
	var body []byte
	if request.Body != nil {
		body = must(io.ReadAll(request.Body))(w.b)
	}
	send := func() *answer {
		request.Body = io.NopCloser(bytes.NewReader(body))
		return w.b.send(request.Clone(t.Context()))
	}
	first := send().is(s.status) // is lost
	after := w.look(others)
	w.b.clock.advance(time.Second)
	second := send().is(cmp.Or(r.second, s.status))
	name := version + " " + s.method + " " + s.path
	if same := bytes.Equal(first.body, second.body); r.second == 0 && same == r.another {
		t.Errorf("%s: the second answer is the same: %t:\n%s\n%s", name, same, first.body, second.body)
	}
	if !s.ofChat() {
		return
	}
	got := w.look(others)
	if same := gocmp.Equal(after, got); same != (r.effect == once) {
		t.Errorf("%s: what is there is the same: %t (-after one +after two):\n%s", name, same, gocmp.Diff(after, got))
	}
	if grew := strings.Count(got, `"id"`) > strings.Count(after, `"id"`); grew != (r.effect == twice) {
		t.Errorf("%s: there is more after the second: %t", name, grew)
	}
}

// look returns all that somebody sees of the threads and of the world's.
func (w *world) look(who caller) string {
	w.b.Helper()
	var out strings.Builder
	for _, path := range []string{"/chat/threads?maxPageSize=100", w.at(""), w.at("/messages"), w.at("/participants"), w.at("/readReceipts")} {
		out.Write(who.at(newestChat).get(path).body)
	}
	return out.String()
}
