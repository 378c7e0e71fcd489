package httpapi

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// counts returns the counters of requests by their labels: "operation api_version status".
func (b *bench) counts() map[string]int {
	b.Helper()
	out := map[string]int{}
	for _, family := range must(b.metrics.Gather())(b) {
		if family.GetName() != "chatd_http_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			out[fmt.Sprintf("%s %s %s", labels["operation"], labels["api_version"], labels["status"])] = int(m.GetCounter().GetValue())
		}
	}
	return out
}

// settle waits until the requests are counted, which they are after their answers.
func (b *bench) settle(answers ...*answer) {
	b.Helper()
	for _, a := range answers {
		b.log.of(b, a)
	}
	// The line of a request is written before it is counted, by the same goroutine; the server waits for those.
	b.Close()
}

func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	b.settle(
		alice.get("/chat/threads"),
		alice.get("/chat/threads?maxPageSize=1"),
		alice.at("2024-03-07").get("/chat/threads"),
		alice.get("/chat/threads?maxPageSize=0"),
		b.nobody().get("/chat/threads"),
		alice.post("/chat/threads", `{"topic":"lunch"}`),
		b.owner().post("/identities", ""),
		b.nobody().at(newestIdentity).post("/identities", ""),
		alice.get("/unknown"),
		alice.do("PUT", "/chat/threads", ""),
	)
	want := map[string]int{
		"ListThreads 2025-03-15 2xx":    2,
		"ListThreads 2024-03-07 2xx":    1,
		"ListThreads 2025-03-15 4xx":    1,
		"ListThreads  4xx":              1,
		"CreateThread 2025-03-15 2xx":   1,
		"CreateIdentity 2023-10-01 2xx": 1,
		"CreateIdentity  4xx":           1,
		"none  4xx":                     2,
	}
	if diff := cmp.Diff(want, b.counts()); diff != "" {
		t.Errorf("requests by operation, version and status (-want +got):\n%s", diff)
	}
}

func TestTimesAreCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	b.settle(alice.get("/chat/threads"), alice.get("/chat/threads"), alice.get("/unknown"))
	got := map[string]uint64{}
	for _, family := range must(b.metrics.Gather())(b) {
		if family.GetName() == "chatd_http_request_seconds" {
			for _, m := range family.GetMetric() {
				if m.GetHistogram().GetSampleSum() <= 0 {
					t.Errorf("%v took no time", m.GetLabel())
				}
				got[m.GetLabel()[0].GetValue()] = m.GetHistogram().GetSampleCount()
			}
		}
	}
	if diff := cmp.Diff(map[string]uint64{"ListThreads": 2, "none": 1}, got); diff != "" {
		t.Errorf("times by operation (-want +got):\n%s", diff)
	}
}

// Whatever clients send, there are no more labels than operations, versions and statuses.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, withOrigins("*"))
	w := newWorld(b)
	var answers []*answer
	for i := range 20 {
		odd := fmt.Sprint("odd-", i)
		answers = append(answers,
			w.alice.at(odd).get("/chat/threads"),
			w.alice.at("2025-03-15-"+odd).get(w.at("")),
			b.owner().at(odd).post("/identities", ""),
			w.alice.get("/"+odd),
			w.alice.get("/chat/threads/"+odd),
			w.alice.get(w.at("/messages/"+odd)),
			w.alice.do("ODD", "/chat/threads", ""),
			w.alice.do(strings.ToUpper(odd), "/chat/threads", ""),
			b.preflight("/"+odd, "GET", page),
			w.alice.get("/chat/threads?api-version="+odd+"&api-version="+newestChat),
		)
	}
	b.settle(answers...)
	var labels []string
	for label := range b.counts() {
		if strings.Contains(label, "odd") || strings.Contains(label, "ODD") {
			t.Errorf("a client made the labels %s", label)
		}
		labels = append(labels, label)
	}
	sort.Strings(labels)
	want := []string{
		"CreateIdentity  4xx", "CreateThread 2025-03-15 2xx", "GetMessage 2025-03-15 4xx", "GetThread  4xx", "GetThread 2025-03-15 4xx",
		"ListThreads  4xx", "SendMessage 2025-03-15 2xx", "none  2xx", "none  4xx",
	}
	if diff := cmp.Diff(want, labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

// A request that panicked is counted like any other.
func TestPanicsAreCounted(t *testing.T) {
	t.Parallel()
	var s brokenStore
	b := newBench(t, withStore(s.layer))
	w := newWorld(b)
	s.fail(func() error { panic("boom") })
	b.settle(w.alice.get(w.at("")).is(http.StatusInternalServerError))
	if got := b.counts()["GetThread 2025-03-15 5xx"]; got != 1 {
		t.Errorf("counted %d times, want once: %v", got, b.counts())
	}
}
