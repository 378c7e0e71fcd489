package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

const (
	maxScrapes   = 10              // answers to /metrics that are being written: anyone may ask, and need not read
	readyTimeout = 2 * time.Second // for the store to answer
)

// operations answers what the operator of a server asks, beside the APIs.
type operations struct {
	registry *prometheus.Registry
	store    func(context.Context) error // whether the store answers
	keys     *auth.KeySet
	caPEM    []byte // nil with a given certificate
	build    Build
	now      func() chat.Time
	stopping atomic.Bool
}

// handlers are those of the operations in the table of routes.
func (o *operations) handlers() map[string]http.Handler {
	return map[string]http.Handler{
		"GetHealth":      http.HandlerFunc(o.health),
		"GetReady":       http.HandlerFunc(o.ready),
		"GetMetrics":     promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}),
		"GetVersion":     http.HandlerFunc(o.version),
		"GetCA":          http.HandlerFunc(o.ca),
		"GetSigningKeys": http.HandlerFunc(o.signingKeys),
	}
}

func send(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body) // the client may have gone
}

func (o *operations) health(w http.ResponseWriter, _ *http.Request) {
	send(w, "text/plain; charset=utf-8", []byte("ok\n"))
}

func (o *operations) ready(w http.ResponseWriter, r *http.Request) {
	if err := o.checkReady(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	send(w, "text/plain; charset=utf-8", []byte("ready\n"))
}

func (o *operations) checkReady(ctx context.Context) error {
	if o.stopping.Load() {
		return errors.New("the server is stopping")
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	switch err := o.store(ctx); {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrFull):
		return store.ErrFull
	default: // the reason is in the log of the store: anyone may ask here
		return errors.New("the store does not answer")
	}
}

func (o *operations) version(w http.ResponseWriter, _ *http.Request) {
	body, _ := json.Marshal(o.build) // strings only
	send(w, "application/json", append(body, '\n'))
}

func (o *operations) signingKeys(w http.ResponseWriter, _ *http.Request) {
	body, err := o.keys.JWKS(o.now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, "application/json", body)
}

func (o *operations) ca(w http.ResponseWriter, r *http.Request) {
	if o.caPEM == nil {
		http.NotFound(w, r)
		return
	}
	send(w, "application/x-pem-file", o.caPEM)
}
