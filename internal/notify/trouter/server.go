package trouter

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/delivery"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/web"
)

// Config has what the server uses. All but Log are required.
type Config struct {
	Hub     *notify.Hub
	Metrics *notify.Metrics
	// Authenticate returns the user of a token. An error of kind Unauthorized or Forbidden refuses the token, any other is answered
	// 503.
	Authenticate func(ctx context.Context, token string) (Caller, error)
	// Revalidate returns an error when a token that was accepted has been revoked since; expiry is not looked at.
	Revalidate func(ctx context.Context, c Caller) error
	Endpoints  Endpoints
	Secret     []byte                       // signs connectparams and sessions; the same on all servers of a store
	Base       func(r *http.Request) string // "https://host[:port]" by which the client reaches this server
	// CORS decides whether the web page that a request comes from may call.
	CORS web.OriginPolicy
	// Clock is what tokens, sessions, idle endpoints and rate limits go by. Deadlines that protect a connection (reads, writes,
	// heartbeats, acknowledgements, closing) use the real time, so that a clock that a test moves cannot cut a healthy one.
	Clock clock.Clock
	Log   *slog.Logger
}

// Now returns the present of the clock, in milliseconds.
func (c *Config) Now() chat.Time { return chat.TimeOf(c.Clock.Now()) }

// Caller is the owner of a token, with what Revalidate needs. It is no secret.
type Caller struct {
	User            chat.Identity
	Issued, Expires chat.Time
	Key             string // id of the access key that asked for the token, in characters for URLs; "" when none did
}

// Endpoints is the part of the store that knows endpoints, for all servers.
type Endpoints interface {
	// Endpoint returns an endpoint; one that is not known has no arrivals.
	Endpoint(ctx context.Context, user chat.Identity, id string) (delivery.Endpoint, error)
	// ConnectEndpoint records a connection. One whose number does not follow the last one is NotFound. It becomes the owner when there is
	// none or when it replaces one of the same server; otherwise EndpointChanged is written to the journal.
	ConnectEndpoint(ctx context.Context, a delivery.Connection) (delivery.Endpoint, error)
	// TakeEndpoint makes a connection the owner in any case. One that is not the newest is NotFound.
	TakeEndpoint(ctx context.Context, user chat.Identity, id string, number int64) (delivery.Endpoint, error)
	// SaveEndpoints saves how far endpoints have acknowledged; those of another owner are skipped.
	SaveEndpoints(ctx context.Context, positions []delivery.Acknowledged, now chat.Time) error
	// RegisterEndpoint saves the format of an endpoint, if that is known, and revokes an end that came late. A change is written to
	// the journal as EndpointChanged.
	RegisterEndpoint(ctx context.Context, user chat.Identity, id, format string, now chat.Time) error
	// EndEndpoint has the next connection start at the present.
	EndEndpoint(ctx context.Context, user chat.Identity, id string) error
}

// Limits and times. Heartbeat and close timeouts of a minute and more let the client's own ping, every 40 s, keep the connection.
// Browsers throttle the timers of hidden tabs to one a minute, hence readTimeout.
const (
	heartbeatSeconds  = 150 // sent to the client
	readTimeout       = 150 * time.Second
	heartbeatInterval = 25 * time.Second
	stepLife          = time.Minute        // from allocation to handshake, and from there to the connection
	clockSkew         = time.Hour          // by which clocks of servers may differ: what one has signed, another has to take
	allocationLife    = 7 * 24 * time.Hour // validity of connectparams
	maxFrame          = 64 << 10           // of a client
	maxBody           = 256 << 10          // of a client: a poll may bring the responses to all unacknowledged frames
	maxConnections    = 20_000             // in all
	maxPerUser        = 100                // of one user
	writeTimeout      = 10 * time.Second   // for one write
	switchTimeout     = 3 * time.Second    // for the last acknowledgements on a connection that another takes over from
	handoverTimeout   = 5 * time.Second    // for another server to release an endpoint: reading of it (a second at most), switchTimeout, and saving
	endpointIdleLife  = 2 * time.Hour      // without connection; what matters stays in the store

	goodbyeSpread = 2 * time.Second // over which connections are closed when the server stops, so that not all clients reconnect at once
	ackTimeout    = time.Second     // for the last acknowledgements then
	closeTimeout  = 5 * time.Second // for a client to close
)

// Server speaks the protocol.
type Server struct {
	Config
	ctx              context.Context // ends when Run returns, and all connections with it
	cancel           func()
	saver            *saver
	connectionsGauge prometheus.Gauge
	queuedGauge      prometheus.Gauge
	empty            chan struct{} // holds a token when the last connection has ended

	mu             sync.Mutex
	stopping       bool // no more connections
	endpoints      map[endpointKey]*endpoint
	buckets        map[bucketKey]*bucket
	perUser        map[chat.Identity]int
	total          int
	polls          map[string]*polling
	startPositions map[chat.Identity]string // see startposition.go
}

// New returns a Server. It sets Hub.EndpointChanged, so it must be called before the hub runs.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		ctx: ctx, cancel: cancel,
		Config: c, saver: newSaver(c.Endpoints, c.Now, c.Log), empty: make(chan struct{}, 1),
		connectionsGauge: c.Metrics.Connections.WithLabelValues(protocol), queuedGauge: c.Metrics.QueueBytes.WithLabelValues(protocol),
		endpoints: map[endpointKey]*endpoint{}, buckets: map[bucketKey]*bucket{}, perUser: map[chat.Identity]int{},
		polls: map[string]*polling{}, startPositions: map[chat.Identity]string{},
	}
	c.Hub.EndpointChanged = s.endpointChanged
	return s
}

// Run saves positions and sweeps the caches until the context ends. Then the server takes no more connections, and Run waits
// for those that are open: the hub, which is stopped at the same time, ends their subscriptions, and what their clients still
// acknowledge is saved too. After 9 seconds it cuts those that are left. When it returns, no connection is open. It is called
// once.
func (s *Server) Run(ctx context.Context) {
	saving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var saver sync.WaitGroup
	saver.Go(func() { s.saver.run(saving) })
	ticker := s.Clock.NewTicker(time.Minute)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C():
			s.sweep()
			s.advancePositions()
		}
	}
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.waitForConnections(goodbyeSpread + ackTimeout + closeTimeout + time.Second)
	s.cancel() // cuts those that are left
	s.waitForConnections(time.Second)
	stop()
	saver.Wait()
}

// stopped answers 503 when the server takes no more connections: a client that was disconnected would reconnect here otherwise.
func (s *Server) stopped(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		s.refuse(w, r, http.StatusServiceUnavailable, string(notify.Stopping), nil)
	}
	return s.stopping
}

// waitForConnections returns when no client is connected, or when the time is up.
func (s *Server) waitForConnections(timeout time.Duration) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for s.anyConnection() {
		select {
		case <-s.empty:
		case <-timer.C:
			return
		}
	}
}

func (s *Server) anyConnection() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total > 0
}

// advancePositions moves the positions of clients that get no events while there are many of others.
func (s *Server) advancePositions() {
	s.mu.Lock()
	endpoints := slices.Collect(maps.Values(s.endpoints))
	s.mu.Unlock()
	for _, e := range endpoints {
		if c := e.currentConnection(); c != nil {
			c.advancePosition()
		}
	}
}
