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
	"github.com/chatd/chatd/internal/notify"
)

// Config is what the protocol is made of. All but Origins and Log are demanded.
type Config struct {
	Hub     *notify.Hub
	Metrics *notify.Metrics
	// Authenticate tells whose token it is and when it ends; an error says that it is not good (any more).
	Authenticate func(ctx context.Context, token string) (user chat.Identity, expires chat.Time, err error)
	Positions    Positions
	Secret       []byte                       // signs connectparams
	Base         func(r *http.Request) string // "https://host[:port]" by which the client reaches this server
	Origins      []string                     // of web pages that may connect; "*" for all
	Now          func() chat.Time
	Log          *slog.Logger
}

// Positions keeps how far endpoints have read, so that they go on there after a restart.
type Positions interface {
	// EndpointPosition returns the position of an endpoint, 0 when it is not known.
	EndpointPosition(ctx context.Context, user chat.Identity, endpoint string) (int64, error)
	// SaveEndpoints keeps positions.
	SaveEndpoints(ctx context.Context, positions []Position, now chat.Time) error
}

// Position is how far an endpoint has read.
type Position = chat.EndpointPosition

// Limits and times. Heartbeat and close timeouts of a minute and more let the client's own ping, every 40 s, keep the
// connection; hidden browser tabs are throttled to one timer a minute, hence the patience.
const (
	heartbeat    = 150 // seconds, for the client
	patience     = 150 * time.Second
	beatEvery    = 25 * time.Second
	connectTime  = time.Minute        // from allocation to handshake, and from there to the connection
	allocation   = 7 * 24 * time.Hour // validity of connectparams
	maxFrame     = 64 << 10           // of a client
	maxBody      = 256 << 10          // of a client: a poll may bring the answers to all that is outstanding
	maxSockets   = 20_000             // in all
	maxPerUser   = 100                // of one user
	writeTime    = 10 * time.Second   // for one write
	switchTime   = 3 * time.Second    // for the last acknowledgements on a connection that another takes over from
	endpointLife = 2 * time.Hour      // without connection; the position stays in the store

	goodbyes  = 2 * time.Second // over which connections are closed when the server stops, so that not all come back at once
	ackTime   = time.Second     // for the last acknowledgements then
	closeTime = 5 * time.Second // for a client to close
)

// Server speaks the protocol.
type Server struct {
	Config
	saver       *saver
	connections prometheus.Gauge
	queued      prometheus.Gauge
	empty       chan struct{} // holds a token when the last connection has ended

	mu        sync.Mutex
	endpoints map[endpointKey]*endpoint
	grants    map[string]grant    // by allocation
	sessions  map[string]*session // by session id, from handshake until they are used up
	buckets   map[bucketKey]*bucket
	sockets   map[chat.Identity]int
	total     int
	polls     map[string]*polling
}

// New returns a Server.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{
		Config: c, saver: newSaver(c.Positions, c.Now, c.Log), empty: make(chan struct{}, 1),
		connections: c.Metrics.Connections.WithLabelValues(protocol), queued: c.Metrics.QueueBytes.WithLabelValues(protocol),
		endpoints: map[endpointKey]*endpoint{}, grants: map[string]grant{}, sessions: map[string]*session{},
		buckets: map[bucketKey]*bucket{}, sockets: map[chat.Identity]int{}, polls: map[string]*polling{},
	}
}

// Run keeps positions and forgets what has ended, until the context does. Then it waits for the connections, which the hub
// ends, so that what they acknowledge last is kept too.
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
			s.forget()
			s.catchPositions()
		}
	}
	s.wait()
	stop()
	saver.Wait()
}

// wait returns when nobody is connected, or should not be any more.
func (s *Server) wait() {
	timer := time.NewTimer(goodbyes + ackTime + closeTime + time.Second)
	defer timer.Stop()
	for s.connected() {
		select {
		case <-s.empty:
		case <-timer.C:
			return
		}
	}
}

func (s *Server) connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total > 0
}

// catchPositions moves the positions of those on who hear nothing while much goes on elsewhere.
func (s *Server) catchPositions() {
	s.mu.Lock()
	endpoints := slices.Collect(maps.Values(s.endpoints))
	s.mu.Unlock()
	for _, e := range endpoints {
		if sk := e.connection(); sk != nil {
			sk.catchPosition()
		}
	}
}
