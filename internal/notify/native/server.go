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
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/web"
)

// Config is what the server is made of. Hub, Metrics, Authenticate, CORS and Now are required.
type Config struct {
	Hub     *notify.Hub
	Metrics *notify.Metrics
	// Authenticate returns whose token it is and when it ends. A token that is refused is a *chat.Error of kind
	// Unauthorized or Forbidden, whose Reason the client is told.
	Authenticate func(ctx context.Context, token string) (user chat.Identity, expires chat.Time, err error)
	// CORS tells why the web page that a request comes from may not call, if so. Browsers do not ask before a websocket as they
	// do before other requests, they only say who wants it.
	CORS web.OriginPolicy
	Log  *slog.Logger
	Now  func() chat.Time

	MaxPerUser   int           // connections; 0 for 50
	MaxTotal     int           // connections; 0 for 20,000
	WriteTimeout time.Duration // for a client to take what is written; 0 for 10 s
	Ping         time.Duration // between pings; who answers none until the next is gone; 0 for 30 s
}

// Server serves GET /realtime.
type Server struct {
	Config
	queuedGauge prometheus.Gauge
	writers     sync.Pool // of *bufio.Writer, in use only while something is written

	mu       sync.Mutex
	changed  sync.Cond // a connection has ended
	stopping bool
	starting map[*connection]struct{} // whose start message has not come
	total    int
	users    map[chat.Identity]int
}

// New returns the handler.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.MaxPerUser, c.MaxTotal = cmp.Or(c.MaxPerUser, 50), cmp.Or(c.MaxTotal, 20_000)
	c.WriteTimeout, c.Ping = cmp.Or(c.WriteTimeout, 10*time.Second), cmp.Or(c.Ping, 30*time.Second)
	s := &Server{Config: c, queuedGauge: c.Metrics.QueueBytes.WithLabelValues(protocol), users: map[chat.Identity]int{}, starting: map[*connection]struct{}{}}
	s.changed.L = &s.mu
	s.writers.New = func() any { return bufio.NewWriterSize(nil, writeBytes) }
	return s
}

// protocol is the label of metrics.
const protocol = "native"

// writeBytes is how much of what is queued goes into one write.
const writeBytes = 16 << 10

// ServeHTTP takes a connection over and returns when it is ready and has caught up. A client that begins is told what happens
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
		s.remove(c.user)
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
	case s.total >= s.MaxTotal:
		return closeReason{CloseTooMany, "too many connections"}
	}
	_ = c.net.SetReadDeadline(time.Now().Add(startTimeout)) // fails on a closed connection, as reading will
	s.total++
	s.starting[c] = struct{}{}
	s.Metrics.Connections.WithLabelValues(protocol).Inc()
	return nil
}

// started says that the start message of a connection has come, or will not. It reports whether the server is stopping.
func (s *Server) started(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.starting, c)
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

// remove undoes both; user is empty for one who was not admitted.
func (s *Server) remove(user chat.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[user]--; s.users[user] <= 0 {
		delete(s.users, user)
	}
	s.total--
	s.Metrics.Connections.WithLabelValues(protocol).Dec()
	s.changed.Broadcast()
}

// Run waits until the context ends. Then it takes no more connections and waits for those that there are, which the hub ends
// when they have started.
func (s *Server) Run(ctx context.Context) {
	<-ctx.Done()
	timer := time.NewTimer(goodbyeSpread + closeTimeout + time.Second)
	defer timer.Stop()
	s.stop()
	empty := make(chan struct{})
	go func() {
		defer close(empty)
		s.waitForConnections()
	}()
	select {
	case <-empty:
	case <-timer.C: // the program ends
	}
}

// waitForConnections returns when no connection is open.
func (s *Server) waitForConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.total > 0 {
		s.changed.Wait()
	}
}

func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for c := range s.starting {
		_ = c.net.SetReadDeadline(time.Now()) // start says why; it fails on a closed connection, as reading will
	}
}
