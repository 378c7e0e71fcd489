package trouter

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

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
	heartbeat   = 150 // seconds, for the client
	patience    = 150 * time.Second
	beatEvery   = 25 * time.Second
	sessionLife = 30 * time.Second   // from handshake to connection
	allocation  = 7 * 24 * time.Hour // validity of connectparams
	maxFrame    = 64 << 10           // from a client
	maxSockets  = 20_000             // in all
	maxPerUser  = 100                // of one user
	allocBurst  = 20                 // allocations of one endpoint at once
	allocEvery  = time.Second        // and then one each
	writeTime   = 10 * time.Second   // for one write
	registerTTL = 2 * time.Hour
)

// Server speaks the protocol.
type Server struct {
	Config
	saver *saver

	mu        sync.Mutex
	endpoints map[endpointKey]*endpoint
	sessions  map[string]*session // by session id, from handshake until they are used up
	buckets   map[endpointKey]*bucket
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
		Config: c, saver: newSaver(c.Positions, c.Now, c.Log),
		endpoints: map[endpointKey]*endpoint{}, sessions: map[string]*session{}, buckets: map[endpointKey]*bucket{},
		sockets: map[chat.Identity]int{}, polls: map[string]*polling{},
	}
}

// Run keeps positions and forgets what has ended, until the context does.
func (s *Server) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.saver.run(ctx)
	}()
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			s.forget()
		}
	}
	<-done
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
	if origin == "" || !s.allows(origin) {
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

func (s *Server) allows(origin string) bool {
	return slices.Contains(s.Origins, "*") || slices.Contains(s.Origins, origin)
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
	switch chat.KindOf(err) {
	case chat.Unauthorized, chat.Forbidden:
		s.refuse(w, r, http.StatusUnauthorized, "token", err)
	default:
		if err == nil {
			return user, expires, true
		}
		w.Header().Set("Retry-After", "1")
		s.refuse(w, r, http.StatusServiceUnavailable, "token cannot be checked", err)
	}
	return "", 0, false
}

// config tells where the services are: here.
func (s *Server) config(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
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

func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(writeTime)) // a test recorder has no deadlines
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxFrame))
}
