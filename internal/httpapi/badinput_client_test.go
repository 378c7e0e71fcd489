package httpapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

func withBodyTimeout(d time.Duration) option { return func(s *setup) { s.BodyTimeout = d } }

// rawConnection is a connection without a client behind it.
type rawConnection struct {
	net.Conn
	b      *bench
	reader *bufio.Reader
}

func (b *bench) dial() *rawConnection {
	b.Helper()
	conn := must((&net.Dialer{}).DialContext(b.Context(), "tcp", b.Listener.Addr().String()))(b)
	b.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		b.Fatal(err)
	}
	return &rawConnection{Conn: conn, b: b, reader: bufio.NewReader(conn)}
}

// send writes lines of a request as they are.
func (w *rawConnection) send(text string) {
	w.b.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		w.b.Fatal(err)
	}
}

// receive reads an answer to a request like r.
func (w *rawConnection) receive(r *http.Request) *answer {
	w.b.Helper()
	return w.b.read(r, must(http.ReadResponse(w.reader, r))(w.b))
}

// head is the head of a request as a caller would send it, with a length of the body.
func head(r *http.Request, length string) string {
	lines := []string{r.Method + " " + r.URL.RequestURI() + " HTTP/1.1", "Host: " + r.URL.Host, length}
	for name, values := range r.Header {
		lines = append(lines, name+": "+values[0])
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// A client that sends half a body and stops gets an answer, or finds the connection closed; nobody else waits for it.
func TestHalfABody(t *testing.T) {
	t.Parallel()
	b := newBench(t, withBodyTimeout(50*time.Millisecond))
	w := newWorld(b)
	for _, r := range []*http.Request{
		w.alice.request("POST", w.at("/messages"), `{"content":"hello"}`),
		b.nobody().request("POST", w.at("/messages"), `{"content":"hello"}`),
		b.owner().request("POST", "/identities", `{"createTokenWithScopes":["chat"]}`),
	} {
		for name, start := range map[string]string{
			"with a length": head(r, "Content-Length: 1000") + `{"content":`,
			"chunked":       head(r, "Transfer-Encoding: chunked") + "b\r\n{\"content\":\r\n",
			"nothing":       head(r, "Content-Length: 1000"),
			"half a chunk":  head(r, "Transfer-Encoding: chunked") + "ff\r\n{",
		} {
			conn := b.dial()
			conn.send(start)
			b.alive()
			status := http.StatusRequestTimeout
			if r.Header.Get("Authorization") == "" { // whose body is only waited for, by net/http
				status = http.StatusUnauthorized
			}
			conn.receive(r).empty(status)
			if _, err := conn.reader.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("%s: %v follows the answer, want the end of the connection", name, err)
			}
		}
	}
	b.alive()
}

// A client whose body is over the limit is not waited for either.
func TestHalfABodyOverTheLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, withBodyTimeout(2*time.Second)) // enough for the half that is sent
	w := newWorld(b)
	r := w.alice.request("POST", w.at("/messages"), "x")
	for name, start := range map[string]string{
		"with a length": head(r, "Content-Length: 2000000") + strings.Repeat("x", 1000),
		"chunked":       head(r, "Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n", 2*megabyte) + strings.Repeat("x", megabyte+1),
	} {
		conn := b.dial()
		conn.send(start)
		conn.receive(r).refused(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", anyReason)
		if _, err := conn.reader.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v follows the answer, want the end of the connection", name, err)
		}
	}
	b.alive()
}

// The time for a body is not that for a request or a connection.
func TestBodyTimeoutEndsWithTheBody(t *testing.T) {
	t.Parallel()
	gate := &blockingStore{entered: make(chan struct{}), open: make(chan struct{})}
	b := newBench(t, withBodyTimeout(100*time.Millisecond), withStore(gate.layer))
	w := newWorld(b)
	gate.shut.Store(true)
	r := w.alice.request("POST", w.at("/typing"), `{"senderDisplayName":"Alice"}`)
	conn := b.dial()
	conn.send(head(r, "Content-Length: 29") + `{"senderDisplayName":"Alice"}`)
	<-gate.entered
	time.AfterFunc(200*time.Millisecond, func() { close(gate.open) }) // longer than a body may take
	conn.receive(r).empty(http.StatusOK)
	gate.shut.Store(false)
	conn.send(head(r, "Content-Length: 29") + `{"senderDisplayName":"Alice"}`)
	conn.receive(r).empty(http.StatusOK)
}

func TestHalfABodyOverHTTP2(t *testing.T) {
	t.Parallel()
	b := newBench(t, withTLS, withBodyTimeout(50*time.Millisecond), func(s *setup) {
		s.start = func(server *httptest.Server) { server.EnableHTTP2 = true }
	})
	w := newWorld(b)
	body, writer := io.Pipe()
	defer writer.Close()
	r := w.alice.request("POST", w.at("/messages"), "x")
	r.Body, r.ContentLength = body, 1000
	go func() { _, _ = io.WriteString(writer, `{"content":`) }()
	response := must(b.Client().Do(r))(t)
	if response.ProtoMajor != 2 {
		t.Fatalf("protocol is %s, want HTTP/2", response.Proto)
	}
	b.read(r, response).empty(http.StatusRequestTimeout)
	b.alive()
}

// A client that goes away in the middle of its body leaves nothing behind.
func TestClientThatDisconnects(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	for i, start := range []string{
		"Content-Length: 19\r\n\r\n" + `{"content":"hel`,
		"Transfer-Encoding: chunked\r\n\r\n" + "f\r\n" + `{"content":"hel` + "\r\n",
		"Transfer-Encoding: chunked\r\n\r\n" + "zz\r\n",
	} {
		id := fmt.Sprintf("client-%d-went-away", i)
		r := w.alice.request("POST", w.at("/messages"), "", "x-ms-client-request-id: "+id)
		conn := b.dial()
		conn.send(strings.TrimSuffix(head(r, "Content-Type: application/json"), "\r\n") + start)
		conn.Close()
		line := b.log.find(t, id)
		if line["status"] != 400.0 || !strings.Contains(line["reason"].(string), "body broke off") {
			t.Errorf("the log has %v, want a body that broke off", line)
		}
		b.alive()
	}
	w.alice.get(w.at("/messages")).holds("value.*.sequenceId", "3", "2", "1")
}

// A client that goes away while it is served ends its own request only.
func TestClientThatDoesNotWait(t *testing.T) {
	t.Parallel()
	gate := &blockingStore{entered: make(chan struct{}), open: make(chan struct{})}
	b := newBench(t, withStore(gate.layer))
	w := newWorld(b)
	gate.shut.Store(true)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-gate.entered
		leave()
	}()
	r := w.alice.request("POST", w.at("/typing"), "", "x-ms-client-request-id: it-did-not-wait")
	response, err := b.Client().Do(r.WithContext(ctx))
	if err == nil {
		response.Body.Close()
		t.Errorf("answered %d, want the client gone", response.StatusCode)
	}
	line := b.log.find(t, "it-did-not-wait")
	if line["status"] != 499.0 || line["level"] != "INFO" { // 5xx would count it as a failure of the server
		t.Errorf("the log has %v, want 499", line)
	}
	gate.shut.Store(false)
	b.alive()
}

// What is no HTTP is refused before it reaches us, and does no harm.
func TestBytesThatAreNoHTTP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, text := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"POST /chat/threads HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /chat/threads HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 2<<20),
	} {
		conn := b.dial()
		_, _ = io.WriteString(conn, text) // the server may hang up before it has read all
		if tcp, ok := conn.Conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		if response, err := http.ReadResponse(conn.reader, nil); err == nil {
			response.Body.Close()
			if response.StatusCode < 400 {
				t.Errorf("%.40q = %d", text, response.StatusCode)
			}
		}
		conn.Close()
	}
	b.alive()
}

// A proxy sends targets in absolute form (RFC 9112, 3.2.2), and may ask before it sends a body.
func TestUnusualButGoodRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := newWorld(b)
	r := w.alice.request("GET", "/chat/threads", "")
	conn := b.dial()
	conn.send(strings.Replace(head(r, "X-None: 1"), "GET /", "GET http://chat.example.com/", 1))
	conn.receive(r).is(http.StatusOK).holds("value.*.id", string(w.thread))

	owner := b.owner().request("POST", "/identities", "")
	conn.send(strings.Replace(head(owner, "Content-Length: 0"), "POST /", "POST "+b.URL+"/", 1))
	conn.receive(owner).is(http.StatusCreated)

	sent := w.alice.request("POST", w.at("/messages"), `{"content":"hello"}`)
	conn.send(head(sent, "Content-Length: 19\r\nExpect: 100-continue"))
	if status := must(conn.reader.ReadString('\n'))(t); status != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, want 100", status)
	}
	must(conn.reader.ReadString('\n'))(t)
	conn.send(`{"content":"hello"}`)
	conn.receive(sent).is(http.StatusCreated)
}

// blockingStore holds calls of the store back.
type blockingStore struct {
	chat.Store
	shut    atomic.Bool
	entered chan struct{}
	open    chan struct{}
}

func (g *blockingStore) layer(s chat.Store) chat.Store {
	g.Store = s
	return g
}

// Note waits at the gate, while it is shut, until it opens or the caller goes away.
func (g *blockingStore) Note(ctx context.Context, e chat.Event) error {
	if !g.shut.Load() {
		return g.Store.Note(ctx, e)
	}
	g.entered <- struct{}{}
	select {
	case <-g.open:
		return g.Store.Note(ctx, e)
	case <-ctx.Done():
		return ctx.Err()
	}
}
