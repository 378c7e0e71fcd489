package load

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBucketsHoldTheirNumbers(t *testing.T) {
	t.Parallel()
	for _, ns := range []uint64{0, 1, 63, 64, 65, 127, 128, 129, 1000, 123_456, 1 << 40, 1<<63 - 1} {
		b := bucketOf(ns)
		if upper(b) < ns || b > 0 && upper(b-1) >= ns {
			t.Errorf("%d is in bucket %d, which ends at %d and begins behind %d", ns, b, upper(b), upper(b-1))
		}
		if width := upper(b) - ns; width > ns/fine+1 {
			t.Errorf("bucket of %d ends %d later", ns, width)
		}
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	var halves [2]Histogram
	for i := range 10_000 {
		d := time.Duration(random.ExpFloat64() * float64(time.Millisecond))
		all = append(all, d)
		halves[i%2].Add(d)
	}
	slices.Sort(all)
	h := halves[0]
	h.Merge(&halves[1])
	for _, q := range []float64{0.01, 0.5, 0.99, 1} {
		want := all[int(q*float64(len(all)))-1]
		if got := h.Quantile(q); got < want || float64(got) > float64(want)*1.02 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if h.Count() != 10_000 {
		t.Errorf("count %d", h.Count())
	}
	if got := new(Histogram).Quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing is %v", got)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	pause := func(context.Context) error { time.Sleep(time.Millisecond); return nil }
	r, err := Run(t.Context(), []Op{pause, pause}, 50*time.Millisecond)
	if err != nil || r.Count() < 2 || r.Rate() <= 0 || r.Quantile(0.5) < time.Millisecond {
		t.Errorf("%d done, p50 %v, %v", r.Count(), r.Quantile(0.5), err)
	}
	broken := errors.New("broken")
	if _, err := Run(t.Context(), []Op{pause, func(context.Context) error { return broken }}, time.Hour); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

func TestConn(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 10_000)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer token" || r.Method == "POST" && string(body) != `{"a":1}` {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		switch r.URL.Path {
		case "/long":
			_, _ = io.WriteString(w, long) // in chunks
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "made")
		}
	}))
	defer server.Close()
	c, err := Dial(server.URL, server.Client().Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 { // the connection is good for more
		for _, test := range []struct {
			Request
			status int
			body   string
		}{
			{Request{"POST", "/", "token", `{"a":1}`}, 201, "made"},
			{Request{"GET", "/long", "token", ""}, 200, long},
			{Request{"GET", "/nothing", "token", ""}, 204, ""},
			{Request{"GET", "/", "other", ""}, 400, ""},
		} {
			status, body, err := c.Do(test.Request)
			if status != test.status || string(body) != test.body || err != nil {
				t.Errorf("%v: %d, %d bytes, %v", test.Request, status, len(body), err)
			}
		}
	}
	if _, err := c.Expect(200, Request{Method: "GET", Path: "/"}); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("error %v", err)
	}
}
