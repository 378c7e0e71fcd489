package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/notify/native"
	"github.com/chatd/chatd/internal/notify/trouter"
)

// realtime is the hub and the protocols by which clients receive its events.
type realtime struct {
	hub     *notify.Hub
	trouter *trouter.Server
	native  *native.Server
	group   group
}

// newRealtime makes the hub and both protocols, which share what they know of tokens: one that is refused by REST is refused there.
func (s *Server) newRealtime(ctx context.Context, base func(*http.Request) string, cors func(*http.Request) (string, error)) (*realtime, error) {
	db, log := s.config.Store, s.config.Log
	metrics, err := notify.NewMetrics(s.config.Registry)
	if err != nil {
		return nil, err
	}
	hub, err := notify.NewHub(ctx, db, metrics, log)
	if err != nil {
		return nil, err
	}
	secret, err := db.Secret(ctx, "trouter")
	if err != nil {
		return nil, err
	}
	if err := db.ReleaseEndpoints(ctx); err != nil {
		return nil, err
	}
	hub.Ended = s.identities.Forget
	authenticate := func(ctx context.Context, token string) (trouter.Caller, error) {
		p, err := s.identities.Authenticate(ctx, token)
		if err == nil && !p.Can(auth.Converse) {
			err = &chat.Error{Kind: chat.Forbidden, Reason: "token scope does not allow chat"}
		}
		return trouter.Caller{User: p.Identity, Issued: p.Issued, Expires: p.Expires, Key: string(p.Key) + "." + p.SignedBy}, err
	}
	revalidate := func(ctx context.Context, c trouter.Caller) error {
		keyID, signedBy, _ := strings.Cut(c.Key, ".")
		return s.identities.Revalidate(ctx, auth.Principal{
			Identity: c.User, Issued: c.Issued, Key: auth.KeyID(keyID), SignedBy: signedBy,
		})
	}
	return &realtime{
		hub: hub,
		trouter: trouter.New(trouter.Config{
			Hub: hub, Metrics: metrics, Authenticate: authenticate, Revalidate: revalidate, Endpoints: db, Secret: secret,
			Base: base, CORS: cors, Clock: s.config.Clock, Log: log,
		}),
		native: native.New(native.Config{
			Hub: hub, Metrics: metrics, CORS: cors, Clock: s.config.Clock, Log: log,
			Authenticate: func(ctx context.Context, token string) (chat.Identity, chat.Time, error) {
				c, err := authenticate(ctx, token)
				return c.User, c.Expires, err
			},
		}),
	}, nil
}
