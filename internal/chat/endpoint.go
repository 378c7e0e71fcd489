package chat

// Endpoint is a client of a user that may be disconnected for a while, and goes on where it was, on whichever server. Its
// connections are numbered as they arrive. One of them tells it of events: a later one has to wait until the server of that
// one has let go of it.
type Endpoint struct {
	User     Identity
	ID       string
	Arrivals int64  // number of the newest connection
	Teller   int64  // number of the one that tells, 0 when none does
	Position int64  // in the journal, up to which everything has been told
	Ended    int64  // number of the connection after which the client wanted no more; 0: it goes on
	Dialect  string // in which it reads events
}

// Arrival is a new connection of an endpoint.
type Arrival struct {
	User     Identity
	Endpoint string
	Number   int64
	Before   int64 // number of a connection of the same server, from which this one takes over by itself; 0: there was none
	Position int64 // where it begins if the endpoint is new, or had ended
	At       Time
}

// EndpointPosition is how far a connection has told its endpoint.
type EndpointPosition struct {
	User     Identity
	Endpoint string
	Teller   int64
	Position int64
	Left     bool // it has ended, and the next one need not wait
}

// EndpointChanged tells the servers themselves, and no client, that an endpoint has a new connection which waits for that of
// another server, or that its dialect is another one. It rides in the journal since that reaches every server, and says of
// each event whether it comes before or after.
const EndpointChanged EventKind = "endpointChanged"

// ChangeOf is the event of a changed endpoint. The number is that of the connection that waits, 0 when none does.
func ChangeOf(user Identity, endpoint string, number int64, now Time) Event {
	return Event{Kind: EndpointChanged, At: now, Version: number, Actor: user, ActorName: endpoint}
}
