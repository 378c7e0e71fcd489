package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

func withWriteTimeout(d time.Duration) option { return func(s *setup) { s.WriteTimeout = d } }

// reader is a client that takes what it wants: small buffers, so that the server cannot write far ahead.
func (b *bench) reader(h2 bool) *http.Client {
	dial := (&net.Dialer{}).DialContext
	transport := b.Client().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = h2
	transport.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 64 << 10}
	transport.ReadBufferSize = 4 << 10
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(256 << 10)
		}
		return conn, err
	}
	b.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// A client that does not read is cut off; one that reads slowly gets all, however long it takes.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	picture := picture + strings.Repeat("x", chat.MaxImageBytes-len(picture))
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, withTLS, withWriteTimeout(time.Second), func(s *setup) {
				s.start = func(server *httptest.Server) { server.EnableHTTP2 = h2 }
			})
			w := newWorld(b)
			alice := w.alice.at(chatImages)
			image := alice.post(w.at("/images"), picture, "Content-Type: application/octet-stream").is(http.StatusCreated).text("id")
			get := func(id string) *http.Response {
				r := alice.request("GET", w.at("/images/"+image+"/views/original"), "", "x-ms-client-request-id: "+id)
				answer := must(b.reader(h2).Do(r))(t)
				t.Cleanup(func() { answer.Body.Close() })
				if answer.ProtoMajor == 2 != h2 {
					t.Fatalf("protocol is %s", answer.Proto)
				}
				return answer
			}
			stalled := get("does-not-read")
			line := b.log.find(t, "does-not-read")
			if reason, _ := line["reason"].(string); !strings.Contains(reason, "did not take its answer") || line["level"] != "INFO" {
				t.Errorf("the log says %v", line)
			}
			if n, err := io.Copy(io.Discard, stalled.Body); err == nil {
				t.Errorf("it gets all %d bytes later", n)
			}

			slow, start, n := get("reads-slowly"), time.Now(), 0
			buffer := make([]byte, 512<<10)
			for err := error(nil); err == nil; time.Sleep(70 * time.Millisecond) { // as a slow network would
				var read int
				read, err = io.ReadFull(slow.Body, buffer)
				n += read
			}
			if n != chat.MaxImageBytes {
				t.Errorf("it gets %d bytes, want %d", n, chat.MaxImageBytes)
			}
			if took := time.Since(start); took < time.Second {
				t.Errorf("it took %s, which shows nothing", took)
			}
		})
	}
}
