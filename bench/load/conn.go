package load

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"
)

// Conn is a connection to an HTTP/1.1 server for one request at a time. It does as little as can be, since the generator
// shares the machine with what it measures: net/http's client costs as much as a fast server.
type Conn struct {
	host string
	net  net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

// ioTimeout is how long connecting, and then each request with its answer, may take.
const ioTimeout = 30 * time.Second

// Dial connects to an origin, http://host:port or https://host:port.
func Dial(origin string, secure *tls.Config) (*Conn, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, err
	}
	c := &Conn{host: u.Host}
	dialer := &net.Dialer{Timeout: ioTimeout}
	if u.Scheme == "https" {
		c.net, err = tls.DialWithDialer(dialer, "tcp", u.Host, secure)
	} else {
		c.net, err = dialer.Dial("tcp", u.Host)
	}
	if err != nil {
		return nil, err
	}
	c.in = bufio.NewReaderSize(c.net, 16<<10)
	return c, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.net.Close() }

// Request is what is asked of a server.
type Request struct {
	Method, Path string
	Token        string // bearer; empty: none
	Body         string // JSON; empty: none
}

// Do sends a request. The body of the answer is valid until the next call.
func (c *Conn) Do(r Request) (status int, body []byte, err error) {
	c.out = append(append(append(c.out[:0], r.Method...), ' '), r.Path...)
	c.out = append(append(c.out, " HTTP/1.1\r\nHost: "...), c.host...)
	if r.Token != "" {
		c.out = append(append(c.out, "\r\nAuthorization: Bearer "...), r.Token...)
	}
	if r.Body != "" {
		c.out = append(c.out, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		c.out = strconv.AppendInt(c.out, int64(len(r.Body)), 10)
	}
	c.out = append(append(c.out, "\r\n\r\n"...), r.Body...)
	if err := c.net.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		return 0, nil, err
	}
	if _, err := c.net.Write(c.out); err != nil {
		return 0, nil, err
	}
	return c.answer()
}

// Expect is Do for an answer of a certain status.
func (c *Conn) Expect(want int, r Request) ([]byte, error) {
	status, body, err := c.Do(r)
	if err == nil && status != want {
		err = fmt.Errorf("%s %s: status %d, want %d: %.300s", r.Method, r.Path, status, want, body)
	}
	return body, err
}

var errAnswer = errors.New("answer is not HTTP/1.1")

func (c *Conn) answer() (status int, body []byte, err error) {
	line, err := c.line()
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, errAnswer
	}
	length, chunked := 0, false
	for {
		if line, err = c.line(); err != nil {
			return 0, nil, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, errAnswer
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	c.body = c.body[:0]
	if chunked {
		err = c.chunks()
	} else {
		err = c.take(length)
	}
	return status, c.body, err
}

// line reads a line without its end.
func (c *Conn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// take appends n bytes to the body.
func (c *Conn) take(n int) error {
	at := len(c.body)
	if need := at + n; need > cap(c.body) {
		c.body = append(make([]byte, 0, 2*need), c.body...)
	}
	c.body = c.body[:at+n]
	_, err := io.ReadFull(c.in, c.body[at:])
	return err
}

func (c *Conn) chunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return errAnswer
		}
		if err := c.take(int(n)); err != nil {
			return err
		}
		if _, err := c.line(); err != nil || n == 0 {
			return err
		}
	}
}
