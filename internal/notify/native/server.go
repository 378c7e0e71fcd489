package native

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/clock"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/web"
)

// Config is what the server is made of. Hub, Metrics, Authenticate, CORS and Clock are required.
type Config struct {
	Hub     *notify.Hub
	Metrics *notify.Metrics
	// Authenticate returns whose token it is and when it ends. A token that is refused is a *chat.Error of kind
	// Unauthorized or Forbidden, whose Reason is in the close frame.
	Authenticate func(ctx context.Context, token string) (user chat.Identity, expires chat.Time, err error)
	// CORS decides whether the web page that a request comes from may call. Browsers send no preflight before a websocket, only the
	// origin.
	CORS web.OriginPolicy
	Log  *slog.Logger
	// Clock is what the expiry of tokens goes by. Pings and the deadlines of reads and writes protect a connection and use the
	// real time.
	Clock clock.Clock

	MaxPerUser   int           // connections; 0 for 50
	MaxTotal     int           // connections; 0 for 20,000
	WriteTimeout time.Duration // for a client to take what is written; 0 for 10 s
	Ping         time.Duration // between pings; a client that answers none for twice as long is cut off; 0 for 30 s
}

// Server serves GET /realtime.
type Server struct {
	Config
	queuedGauge prometheus.Gauge
	empty       chan struct{} // holds a token when the last connection has ended
	writers     sync.Pool     // of *bufio.Writer, in use only while something is written

	mu       sync.Mutex
	stopping bool
	open     map[*connection]bool // true: its start message has come
	users    map[chat.Identity]int
}

// New returns the handler.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.MaxPerUser, c.MaxTotal = cmp.Or(c.MaxPerUser, 50), cmp.Or(c.MaxTotal, 20_000)
	c.WriteTimeout, c.Ping = cmp.Or(c.WriteTimeout, 10*time.Second), cmp.Or(c.Ping, 30*time.Second)
	s := &Server{Config: c, queuedGauge: c.Metrics.QueueBytes.WithLabelValues(protocol), users: map[chat.Identity]int{}, open: map[*connection]bool{}, empty: make(chan struct{}, 1)}
	s.writers.New = func() any { return bufio.NewWriterSize(nil, writeBytes) }
	return s
}

// protocol is the label of metrics.
const protocol = "native"

// writeBytes is how much of what is queued goes into one write.
const writeBytes = 16 << 10

// ServeHTTP takes a connection over and returns when it is ready and has caught up. A client that does not resume gets what happens
// from its request on: it need not wait for the answer to its start message.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.Hub.Position()
	if q := r.URL.Query(); q.Has("token") || q.Has("access_token") {
		http.Error(w, "a token in a URL ends up in logs: send it in the header Authorization or in the start message", http.StatusBadRequest)
		return
	}
	if _, err := s.CORS(r); err != nil {
		s.Log.Info("realtime request refused", "step", r.URL.Path, "status", http.StatusForbidden, "reason", err.Error())
		http.Error(w, "origin is not allowed", http.StatusForbidden)
		return
	}
	if s.isStopping() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, string(notify.Stopping), http.StatusServiceUnavailable)
		return
	}
	c, err := s.upgrade(w, r)
	if err != nil {
		s.Log.Debug("no websocket", "error", err) // the client has its answer
		return
	}
	if err := s.add(c); err != nil {
		c.reject(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // the request's would keep all of the request
	defer cancel()
	c.cancel = cancel
	token, _ := web.BearerToken(r)
	from, position, err := c.start(token, start)
	if err != nil {
		c.reject(err)
		s.remove(c)
		return
	}
	go c.read()
	c.catchUp(ctx, from, position)
}

func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) (*connection, error) {
	c := &connection{server: s}
	l := &smallBuffers{ResponseWriter: w, timeout: s.WriteTimeout}
	var err error
	c.ws, err = websocket.Accept(l, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // CORS has looked
		OnPongReceived:     c.pong,
	})
	if err != nil {
		return nil, err
	}
	c.net = l.conn
	c.ws.SetReadLimit(-1) // receive has its own, with a code of its own
	return c, nil
}

// smallBuffers gives the websocket library small buffers, since all that goes through them is what clients send and answers to
// pings: those of net/http hold 8 KiB for as long as the connection is open.
type smallBuffers struct {
	http.ResponseWriter
	timeout time.Duration
	conn    net.Conn
}

// Hijack takes the connection over.
func (l *smallBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(l.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	l.conn = deadlineConn{conn, l.timeout}
	early := rw.Reader.Buffered() // sent with the request; the library goes on with what is buffered, and the connection
	r := bufio.NewReaderSize(io.LimitReader(rw.Reader, int64(early)), max(early, 512))
	_, err = r.Peek(early)
	return l.conn, bufio.NewReadWriter(r, bufio.NewWriterSize(l.conn, 256)), err
}

// deadlineConn is a connection on which each write has its time.
type deadlineConn struct {
	net.Conn
	timeout time.Duration
}

// Write writes within the time.
func (t deadlineConn) Write(p []byte) (int, error) {
	if err := t.SetWriteDeadline(time.Now().Add(t.timeout)); err != nil {
		return 0, err
	}
	return t.Conn.Write(p)
}

// add counts a connection, if there is room for it.
func (s *Server) add(c *connection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return closeReasonFor(notify.Stopping)
	case len(s.open) >= s.MaxTotal:
		return closeReason{CloseTooMany, "too many connections"}
	}
	_ = c.net.SetReadDeadline(time.Now().Add(startTimeout)) // fails on a closed connection, as reading will
	s.open[c] = false
	s.Metrics.Connections.WithLabelValues(protocol).Inc()
	return nil
}

// started says that the start message of a connection has come, or will not. It reports whether the server is stopping.
func (s *Server) started(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = true
	return s.stopping
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// addUser counts it for its user, likewise.
func (s *Server) addUser(user chat.Identity) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[user] >= s.MaxPerUser {
		return false
	}
	s.users[user]++
	return true
}

// remove undoes both; the user of a connection that was not authenticated is empty.
func (s *Server) remove(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[c.user]--; s.users[c.user] <= 0 {
		delete(s.users, c.user)
	}
	delete(s.open, c)
	s.Metrics.Connections.WithLabelValues(protocol).Dec()
	if len(s.open) == 0 {
		select {
		case s.empty <- struct{}{}:
		default:
		}
	}
}

// Run waits until the context ends. Then the server takes no more connections, and Run waits for those that are open: the hub,
// which is stopped at the same time, ends their subscriptions. After 8 seconds it cuts those that are left. When it returns, no
// connection is open. It is called once.
func (s *Server) Run(ctx context.Context) {
	<-ctx.Done()
	s.stop()
	s.waitForConnections(goodbyeSpread + closeTimeout + time.Second)
	s.cut()
	s.waitForConnections(time.Second)
}

// waitForConnections returns when no connection is open, or when the time is up.
func (s *Server) waitForConnections(timeout time.Duration) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for s.connections() > 0 {
		select {
		case <-s.empty:
		case <-timer.C:
			return
		}
	}
}

func (s *Server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// cut closes all connections without a close frame. Their readers clean up.
func (s *Server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		_ = c.net.Close() // it may be closed already
	}
}

func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for c, started := range s.open {
		if started {
			continue
		}
		_ = c.net.SetReadDeadline(time.Now()) // start says why; it fails on a closed connection, as reading will
	}
}
