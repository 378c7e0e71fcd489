package trouter

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
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

// Serves reports whether the path is one of this protocol.
func Serves(path string) bool {
	path = clean(path)
	return path == configPath || path == allocatePath || strings.HasPrefix(path, handshakePath) || registrations(path)
}

const (
	configPath    = "/chat/config/realTimeNotifications"
	allocatePath  = "/v4/a"
	handshakePath = "/socket.io/1/"
)

// clean makes single slashes: endpoints end in one, and clients add paths that begin with one.
func clean(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// registrations reports whether the path is the registrar's: below the configured URL, or where older SDKs have it.
func registrations(path string) bool {
	path = strings.ToLower(strings.TrimPrefix(path, "/registrar/prod"))
	return path == "/v3/registrations" || strings.HasPrefix(path, "/v3/registrations/")
}

// ServeHTTP routes by path. Answers carry CORS headers whatever they are.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.cors(w, r)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch path := clean(r.URL.Path); {
	case path == configPath && r.Method == http.MethodGet:
		s.config(w, r)
	case path == allocatePath && r.Method == http.MethodPost:
		s.allocate(w, r)
	case path == handshakePath && r.Method == http.MethodGet:
		s.handshake(w, r)
	case strings.HasPrefix(path, handshakePath+"websocket/"):
		s.websocket(w, r, strings.TrimPrefix(path, handshakePath+"websocket/"))
	case strings.HasPrefix(path, handshakePath+"xhr-polling/"):
		s.polling(w, r, strings.TrimPrefix(path, handshakePath+"xhr-polling/"))
	case registrations(path):
		s.registrar(w, r, path)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// cors echoes an allowed origin: SDKs up to 1.2.0 send credentials with the handshake, for which "*" does not do.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	h := w.Header()
	h.Add("Vary", "Origin")
	if origin == "" || !s.allows(r, origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
		h.Set("Access-Control-Allow-Headers", "authorization, content-type, accept, x-skypetoken, x-ms-client-request-id, x-ms-useragent")
		h.Set("Access-Control-Max-Age", "7200")
	}
}

// allows reports whether pages of the origin may connect. Those of the server's own may: they need no permission for REST,
// but a websocket names its origin always.
func (s *Server) allows(r *http.Request, origin string) bool {
	return slices.Contains(s.Origins, "*") || slices.Contains(s.Origins, origin) || origin == s.Base(r)
}

// refuse answers without a body; the reason is for the log.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, reason string, err error) {
	s.Log.Info("realtime request refused", "method", r.Method, "step", step(r.URL.Path), "status", status, "reason", reason, "error", err)
	w.WriteHeader(status)
}

// step names a path without the session id in it, which is a secret.
func step(path string) string {
	path = clean(path)
	for _, known := range []string{handshakePath + "websocket", handshakePath + "xhr-polling"} {
		if strings.HasPrefix(path, known) {
			return known
		}
	}
	return path
}

// caller authenticates by a header that holds the token, or answers 401. Anything else than a bad token is 503: three 401s
// in a row stop the client for good.
func (s *Server) caller(w http.ResponseWriter, r *http.Request, token string) (user chat.Identity, expires chat.Time, ok bool) {
	user, expires, err := s.Authenticate(r.Context(), token)
	if err == nil {
		return user, expires, true
	}
	status := statusOf(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	s.refuse(w, r, status, "token", err)
	return "", 0, false
}

// config tells where the services are: here.
func (s *Server) config(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	if _, _, ok := s.caller(w, r, token); !ok {
		return
	}
	base := s.Base(r)
	sendJSON(w, map[string]string{"trouterServiceUrl": base, "registrarServiceUrl": base, "cloudType": "public"})
}

func sendJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

func plainText(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
}

func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(writeTime)) // a test recorder has no deadlines
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}
