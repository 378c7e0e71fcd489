// Package delivery says where a client is: its endpoint, the connection that delivers to it, and the position up to which the
// client has acknowledged the journal.
package delivery

import "github.com/chatd/chatd/internal/chat"

// Endpoint is a client of a user that may be disconnected for a while and then goes on where it was, on any server. Its
// connections are numbered in the order in which they come. One of them owns the endpoint and delivers its events: a later one
// waits until the owner's server has released it.
type Endpoint struct {
	User     chat.Identity
	ID       string
	Newest   int64         // number of the newest connection
	Owner    int64         // number of the connection that delivers, 0 when none does
	Position chat.Position // up to which the client has acknowledged the journal
	Ended    int64         // number of the connection after which the client unregistered; 0: it goes on
	Format   string        // in which the client reads events
}

// Connection is a new connection of an endpoint.
type Connection struct {
	User     chat.Identity
	Endpoint string
	Number   int64
	Previous int64         // number of a connection of the same server which this one replaces without waiting; 0: there was none
	Position chat.Position // where it begins if the endpoint is new, or had ended
	At       chat.Time
}

// Acknowledged is how far the client of an endpoint has acknowledged the journal over a connection.
type Acknowledged struct {
	User     chat.Identity
	Endpoint string
	Owner    int64
	Position chat.Position
	Released bool // the connection has ended, and the next one need not wait
}

// EndpointChanged tells the servers themselves, and no client, that an endpoint has a new connection that waits for one of
// another server, or that its format is another one. It is journaled, since the journal reaches every server and says of each
// event whether it comes before or after.
const EndpointChanged chat.EventKind = "endpointChanged"

// Changed returns the event of a changed endpoint. The number names the connection that waits, 0 when none does.
func Changed(user chat.Identity, endpoint string, number int64, now chat.Time) chat.Event {
	return chat.Event{Kind: EndpointChanged, At: now, Version: number, Actor: user, ActorName: endpoint}
}
