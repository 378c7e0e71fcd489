package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/store"
)

// maxScrapes bounds the answers to /metrics that are being written: anybody may ask, and need not read.
const maxScrapes = 10

// ops answers what the operator of a server asks, beside the APIs.
type ops struct {
	registry *prometheus.Registry
	store    func(context.Context) error // whether the store answers
	stopping atomic.Bool
	caPEM    []byte // nil with a given certificate
	keys     *auth.KeySet
}

// handler puts the operator's routes in front of the APIs.
func (o *ops) handler(api http.Handler) http.Handler {
	routes := map[string]http.HandlerFunc{
		"/healthz":               func(w http.ResponseWriter, _ *http.Request) { send(w, "text/plain; charset=utf-8", []byte("ok\n")) },
		"/readyz":                o.readyz,
		"/metrics":               promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}).ServeHTTP,
		"/version":               sendVersion,
		"/ca.pem":                o.ca,
		"/.well-known/jwks.json": o.jwks,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ours := routes[r.URL.Path]
		switch {
		case !ours:
			api.ServeHTTP(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		default:
			h(w, r)
		}
	})
}

func send(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body) // the client may have gone
}

func (o *ops) readyz(w http.ResponseWriter, r *http.Request) {
	if err := o.ready(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	send(w, "text/plain; charset=utf-8", []byte("ready\n"))
}

func (o *ops) ready(ctx context.Context) error {
	if o.stopping.Load() {
		return errors.New("the server is stopping")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	switch err := o.store(ctx); {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrFull):
		return store.ErrFull
	default: // why is for the log of the store: anybody may ask here
		return errors.New("the store does not answer")
	}
}

func sendVersion(w http.ResponseWriter, _ *http.Request) {
	body, _ := json.Marshal(buildInfo()) // strings only
	send(w, "application/json", append(body, '\n'))
}

func (o *ops) jwks(w http.ResponseWriter, _ *http.Request) {
	body, err := o.keys.JWKS(now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, "application/json", body)
}

func (o *ops) ca(w http.ResponseWriter, r *http.Request) {
	if o.caPEM == nil {
		http.NotFound(w, r)
		return
	}
	send(w, "application/x-pem-file", o.caPEM)
}

// newRegistry holds the metrics of the process; the other packages add theirs.
func newRegistry() *prometheus.Registry {
	b := buildInfo()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "chatd_build_info", Help: "What was built; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": b.Go},
	})
	info.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// observeStore times the operations of the store.
func observeStore(r prometheus.Registerer) func(string, time.Duration) {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "chatd_store_operation_seconds", Help: "Time that an operation of the store took, waiting for its turn included.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
	}, []string{"operation"})
	r.MustRegister(h)
	return func(operation string, d time.Duration) { h.WithLabelValues(operation).Observe(d.Seconds()) }
}
