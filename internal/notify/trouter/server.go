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
	"github.com/chatd/chatd/internal/delivery"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/web"
)

// Config is what the protocol is made of. All but Log are required.
type Config struct {
	Hub     *notify.Hub
	Metrics *notify.Metrics
	// Authenticate tells whose token it is; an error says that it is not good (any more).
	Authenticate func(ctx context.Context, token string) (Caller, error)
	// Revalidate tells whether a token that was good is no worse since, but for its end.
	Revalidate func(ctx context.Context, c Caller) error
	Endpoints  Endpoints
	Secret     []byte                       // signs connectparams and sessions; all servers have the same
	Base       func(r *http.Request) string // "https://host[:port]" by which the client reaches this server
	// CORS tells why the web page that a request comes from may not call, if so.
	CORS web.OriginPolicy
	Now  func() chat.Time
	Log  *slog.Logger
}

// Caller is who has a token. What is kept of it tells whether it is still good, and is no secret.
type Caller struct {
	User            chat.Identity
	Issued, Expires chat.Time
	Key             string // by which the token was asked for, in characters for URLs; "" when by none
}

// Endpoints keeps what is to be known of endpoints when they connect again, to whichever server.
type Endpoints interface {
	// Endpoint returns an endpoint; one that is not known has no arrivals.
	Endpoint(ctx context.Context, user chat.Identity, id string) (delivery.Endpoint, error)
	// ConnectEndpoint notes a connection. One that has not the number after that of the last is NotFound. It is the teller when none is,
	// or when it takes over from one of the same server; else EndpointChanged comes into the journal.
	ConnectEndpoint(ctx context.Context, a delivery.Connection) (delivery.Endpoint, error)
	// TakeEndpoint makes a connection the teller in any case. One that is not the newest is NotFound.
	TakeEndpoint(ctx context.Context, user chat.Identity, id string, number int64) (delivery.Endpoint, error)
	// SaveEndpoints keeps how far endpoints have been told; what is not of the teller is passed over.
	SaveEndpoints(ctx context.Context, positions []delivery.Acknowledged, now chat.Time) error
	// RegisterEndpoint keeps the dialect of an endpoint, if that is known, and takes an end back that came late.
	// EndpointChanged comes into the journal when that is news.
	RegisterEndpoint(ctx context.Context, user chat.Identity, id, dialect string, now chat.Time) error
	// EndEndpoint has the next connection begin at the present.
	EndEndpoint(ctx context.Context, user chat.Identity, id string) error
}

// Limits and times. Heartbeat and close timeouts of a minute and more let the client's own ping, every 40 s, keep the
// connection; hidden browser tabs are throttled to one timer a minute, hence the patience.
const (
	heartbeatSeconds  = 150 // seconds, for the client
	readTimeout       = 150 * time.Second
	heartbeatInterval = 25 * time.Second
	stepLife          = time.Minute        // from allocation to handshake, and from there to the connection
	clockSkew         = time.Hour          // by which clocks of servers may differ: what one has signed, another has to take
	allocationLife    = 7 * 24 * time.Hour // validity of connectparams
	maxFrame          = 64 << 10           // of a client
	maxBody           = 256 << 10          // of a client: a poll may bring the answers to all that is outstanding
	maxConnections    = 20_000             // in all
	maxPerUser        = 100                // of one user
	writeTimeout      = 10 * time.Second   // for one write
	switchTimeout     = 3 * time.Second    // for the last acknowledgements on a connection that another takes over from
	handoverTimeout   = 5 * time.Second    // for another server to let go of an endpoint: to hear of it (a second at most), switchTime, and saving
	endpointIdleLife  = 2 * time.Hour      // without connection; what matters stays in the store

	goodbyeSpread = 2 * time.Second // over which connections are closed when the server stops, so that not all come back at once
	ackTimeout    = time.Second     // for the last acknowledgements then
	closeTimeout  = 5 * time.Second // for a client to close
)

// Server speaks the protocol.
type Server struct {
	Config
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

// New returns a Server, which is told of endpoints by the hub.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		Config: c, saver: newSaver(c.Endpoints, c.Now, c.Log), empty: make(chan struct{}, 1),
		connectionsGauge: c.Metrics.Connections.WithLabelValues(protocol), queuedGauge: c.Metrics.QueueBytes.WithLabelValues(protocol),
		endpoints: map[endpointKey]*endpoint{}, buckets: map[bucketKey]*bucket{}, perUser: map[chat.Identity]int{},
		polls: map[string]*polling{}, startPositions: map[chat.Identity]string{},
	}
	c.Hub.EndpointChanged = s.endpointChanged
	return s
}

// Run keeps positions and forgets what has ended, until the context does. Then it takes no more connections, and waits for
// those that there are, which the hub ends, so that what they acknowledge last is kept too.
func (s *Server) Run(ctx context.Context) {
	saving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var saver sync.WaitGroup
	saver.Go(func() { s.saver.run(saving) })
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			s.sweep()
			s.advancePositions()
		}
	}
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.waitForConnections()
	stop()
	saver.Wait()
}

// stopped answers 503 when the server takes no more connections: a client that was let go would come back here otherwise.
func (s *Server) stopped(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		s.refuse(w, r, http.StatusServiceUnavailable, string(notify.Stopping), nil)
	}
	return s.stopping
}

// waitForConnections returns when nobody is connected, or should not be any more.
func (s *Server) waitForConnections() {
	timer := time.NewTimer(goodbyeSpread + ackTimeout + closeTimeout + time.Second)
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

// advancePositions moves the positions of those on who hear nothing while much goes on elsewhere.
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
