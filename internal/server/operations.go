package server

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
	"github.com/chatd/chatd/internal/web"
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

// handlers are those of the operators' routes, by path.
func (o *operations) handlers() map[string]http.Handler {
	handlers := map[string]http.Handler{
		"/healthz":               http.HandlerFunc(o.health),
		"/readyz":                http.HandlerFunc(o.ready),
		"/metrics":               promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}),
		"/version":               http.HandlerFunc(o.version),
		"/ca.pem":                http.HandlerFunc(o.ca),
		"/.well-known/jwks.json": http.HandlerFunc(o.signingKeys),
	}
	for path, h := range handlers {
		handlers[path] = readOnly(h)
	}
	return handlers
}

// readOnly answers GET and HEAD.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// health answers as long as the process can answer: who restarts it by this must not do so because of the store.
func (o *operations) health(w http.ResponseWriter, _ *http.Request) {
	web.Send(w, "text/plain; charset=utf-8", []byte("ok\n"))
}

// ready answers 503 when the server should get no requests, with the reason.
func (o *operations) ready(w http.ResponseWriter, r *http.Request) {
	if err := o.checkReady(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	web.Send(w, "text/plain; charset=utf-8", []byte("ready\n"))
}

// checkReady returns why the server should get no requests. Its errors name no user, address or path.
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

// version answers what is running, so that a roll-out can be followed.
func (o *operations) version(w http.ResponseWriter, _ *http.Request) {
	web.SendJSON(w, o.build)
}

// signingKeys answers the public keys of user tokens as a JSON Web Key Set (RFC 7517), for others that verify tokens.
func (o *operations) signingKeys(w http.ResponseWriter, _ *http.Request) {
	body, err := o.keys.JWKS(o.now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	web.Send(w, "application/json", body)
}

// ca answers the root to trust, for devices on which the file of the server cannot be read.
func (o *operations) ca(w http.ResponseWriter, r *http.Request) {
	if o.caPEM == nil {
		http.NotFound(w, r)
		return
	}
	web.Send(w, "application/x-pem-file", o.caPEM)
}
