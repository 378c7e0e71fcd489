package limit

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/golang-jwt/jwt/v5"
)

// Address is where the bare server is, as it prints on its standard output.
type Address struct {
	Plain, Secure string // origins
	Certificate   []byte // DER, to be trusted
}

// Serve is the bare server: GET /open answers any request, GET /token one with a token, and POST /send?size=N sends N bytes
// to all listeners at /realtime.
func Serve(out io.Writer) error {
	cert, err := newCertificate()
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.ServeTLS(secure, "", "") }() // it ends with the process
	go func() {                                         // which ends with the one that started it
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := json.NewEncoder(out).Encode(Address{"http://" + plain.Addr().String(), "https://" + secure.Addr().String(), cert.Certificate[0]}); err != nil {
		return err
	}
	return server.Serve(plain)
}

func handler() http.Handler {
	r := chi.NewRouter()
	r.Get("/open", answer)
	r.With(withToken(&tokens{until: map[[sha256.Size]byte]time.Time{}})).Get("/token", answer)
	b := &broadcaster{queues: map[chan []byte]struct{}{}}
	r.Get("/realtime", b.listen)
	r.Post("/send", func(w http.ResponseWriter, r *http.Request) {
		size, err := strconv.Atoi(r.URL.Query().Get("size"))
		text, err2 := io.ReadAll(r.Body)
		if err != nil || err2 != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		b.broadcast(text, size)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"1795263022926"}`) // the client may have gone
	})
	return r
}

func answer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"trouterServiceUrl":"http://127.0.0.1:1","registrarServiceUrl":"http://127.0.0.1:1","cloudType":"public"}`)
}

// tokens remembers tokens that it has seen. Whether they are genuine it does not ask: that is done once, and what is measured
// are the other times.
type tokens struct {
	mu    sync.RWMutex
	until map[[sha256.Size]byte]time.Time
}

func (t *tokens) good(token string) bool {
	key := sha256.Sum256([]byte(token))
	t.mu.RLock()
	until := t.until[key]
	t.mu.RUnlock()
	if !until.IsZero() {
		return time.Now().Before(until)
	}
	var c jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &c); err != nil || c.ExpiresAt == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until[key] = c.ExpiresAt.Time
	return true
}

func withToken(t *tokens) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok || !t.good(token) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
