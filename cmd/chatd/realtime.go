package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/notify/native"
	"github.com/chatd/chatd/internal/notify/trouter"
)

// realtime is the hub and the protocols by which it tells clients.
type realtime struct {
	hub     *notify.Hub
	trouter *trouter.Server
	native  *native.Server
}

func newRealtime(ctx context.Context, core *core, front front, log *slog.Logger, registry prometheus.Registerer) (*realtime, error) {
	metrics, err := notify.NewMetrics(registry)
	if err != nil {
		return nil, err
	}
	hub, err := notify.NewHub(ctx, core.db, metrics, log)
	if err != nil {
		return nil, err
	}
	secret, err := core.db.Secret(ctx, "trouter")
	if err != nil {
		return nil, err
	}
	if err := core.db.ReleaseEndpoints(ctx); err != nil {
		return nil, err
	}
	hub.Ended = core.identities.Forget
	authenticate := func(ctx context.Context, token string) (trouter.Caller, error) {
		p, err := core.identities.Authenticate(ctx, token)
		if err == nil && !p.Can(auth.Converse) {
			err = &chat.Error{Kind: chat.Forbidden, Reason: "token scope does not allow chat"}
		}
		return trouter.Caller{User: p.Identity, Issued: p.Issued, Expires: p.Expires, Key: string(p.Key) + "." + p.SignedBy}, err
	}
	revalidate := func(ctx context.Context, c trouter.Caller) error {
		keyID, signedBy, _ := strings.Cut(c.Key, ".")
		return core.identities.Revalidate(ctx, auth.Principal{
			Identity: c.User, Issued: c.Issued, Key: auth.KeyID(keyID), SignedBy: signedBy,
		})
	}
	return &realtime{
		hub: hub,
		trouter: trouter.New(trouter.Config{
			Hub: hub, Metrics: metrics, Authenticate: authenticate, Revalidate: revalidate, Endpoints: core.db, Secret: secret,
			Base: front.base, CORS: front.cors, Clock: clock.System, Log: log,
		}),
		native: native.New(native.Config{
			Hub: hub, Metrics: metrics, CORS: front.cors, Clock: clock.System, Log: log,
			Authenticate: func(ctx context.Context, token string) (chat.Identity, chat.Time, error) {
				c, err := authenticate(ctx, token)
				return c.User, c.Expires, err
			},
		}),
	}, nil
}

// run tells clients until the context ends, says goodbye to them, and waits until they have gone.
func (t *realtime) run(ctx context.Context) {
	var tasks sync.WaitGroup
	tasks.Go(func() { t.hub.Run(ctx) })
	tasks.Go(func() { t.trouter.Run(ctx) })
	tasks.Go(func() { t.native.Run(ctx) })
	tasks.Wait()
}

// handler puts the routes of the protocols in front of the others.
func (t *realtime) handler(rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case trouter.Serves(r.URL.Path):
			t.trouter.ServeHTTP(w, r)
		case r.URL.Path == "/realtime":
			t.native.ServeHTTP(w, r)
		case r.URL.Path == "/" && r.Method == http.MethodGet: // by which clients find out whether the host can be reached
			send(w, "text/plain", []byte("Trouter"))
		default:
			rest.ServeHTTP(w, r)
		}
	})
}
