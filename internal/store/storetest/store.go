package storetest

import (
	"context"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

// Store is all that chatd wants of a store, together with the interfaces that chat and auth declare. What is promised is
// said there, and at package store.
type Store interface {
	chat.Store
	auth.KeyStore
	auth.UserStore

	After(ctx context.Context, position chat.Position, limit int) ([]chat.Event, error)
	Head(ctx context.Context) (chat.Position, error)
	Oldest(ctx context.Context) (chat.Position, error)
	Audience(ctx context.Context, thread chat.ThreadKey, roster chat.RosterVersion) ([]chat.Participant, error)
	Watch() (changed <-chan struct{}, stop func())

	Endpoint(ctx context.Context, user chat.Identity, id string) (delivery.Endpoint, error)
	ConnectEndpoint(ctx context.Context, c delivery.Connection) (delivery.Endpoint, error)
	TakeEndpoint(ctx context.Context, user chat.Identity, id string, number int64) (delivery.Endpoint, error)
	SaveEndpoints(ctx context.Context, positions []delivery.Acknowledged, now chat.Time) error
	RegisterEndpoint(ctx context.Context, user chat.Identity, id, dialect string, now chat.Time) error
	EndEndpoint(ctx context.Context, user chat.Identity, id string) error
	ReleaseEndpoints(ctx context.Context) error

	Secret(ctx context.Context, name string) ([]byte, error)
	Ready(ctx context.Context) error
	Close() error
}
