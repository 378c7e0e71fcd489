// Package client receives the events of a chatd server over its native websocket, as docs/realtime.md describes it.
//
// Dial opens one connection. Follow keeps one open: it reconnects whenever a connection ends, and resumes behind the last event,
// so that each event is handled once and in order.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	version    = 1        // of the protocol
	maxMessage = 16 << 20 // message; a thread of many participants with long names has some megabytes

	// serverTimeout is how long a server may say nothing at all. It pings every 30 seconds.
	serverTimeout = 90 * time.Second
)

// Options of a connection. All may be left out.
type Options struct {
	Threads    []string     // get events of these threads only, at most 100; empty: all of the user
	After      string       // the position behind which to resume; empty: events from now on
	HTTPClient *http.Client // for the upgrade; its Timeout must be 0
}

// Conn is a connection. Next may be called by one goroutine at a time.
type Conn struct {
	ws       *websocket.Conn
	alive    *time.Timer
	position atomic.Pointer[string]
}

// Dial connects to the server at an endpoint, which is what the SDKs call so: https://host[:port]. The context bounds the
// connecting only.
func Dial(ctx context.Context, endpoint, token string, o Options) (*Conn, error) {
	c := &Conn{}
	var err error
	var answer *http.Response
	c.ws, answer, err = websocket.Dial(ctx, strings.TrimRight(endpoint, "/")+"/realtime", &websocket.DialOptions{ //nolint:bodyclose // Dial closes it
		HTTPClient:     o.HTTPClient,
		HTTPHeader:     http.Header{"Authorization": {"Bearer " + token}},
		OnPingReceived: func(context.Context, []byte) bool { c.alive.Reset(serverTimeout); return true },
	})
	switch {
	case answer != nil && err != nil:
		return nil, &StatusError{answer.StatusCode, err}
	case err != nil:
		return nil, err
	}
	c.ws.SetReadLimit(maxMessage)
	c.alive = time.AfterFunc(serverTimeout, func() { _ = c.ws.CloseNow() })
	if err := c.start(ctx, o); err != nil {
		c.alive.Stop()
		_ = c.ws.CloseNow()
		return nil, err
	}
	return c, nil
}

// start asks for events and waits for the server to agree.
func (c *Conn) start(ctx context.Context, o Options) error {
	start, err := json.Marshal(struct {
		Type    string   `json:"type"`
		Version int      `json:"version"`
		Threads []string `json:"threads,omitempty"`
		After   string   `json:"after,omitempty"`
	}{"start", version, o.Threads, o.After})
	if err != nil {
		return err
	}
	if err := c.ws.Write(ctx, websocket.MessageText, start); err != nil {
		return closeError(err)
	}
	m, err := c.read(ctx)
	if err == nil && m.Type != "ready" {
		err = fmt.Errorf("server began with %q, want ready", m.Type)
	}
	return err
}

// message is what a server sends.
type message struct {
	Type   string `json:"type"`
	After  string `json:"after"`
	Oldest string `json:"oldest"`
	Event
}

func (c *Conn) read(ctx context.Context) (*message, error) {
	_, data, err := c.ws.Read(ctx)
	if err != nil {
		return nil, closeError(err)
	}
	c.alive.Reset(serverTimeout)
	m := &message{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("message of the server: %w", err)
	}
	if m.Position != "" {
		c.position.Store(&m.Position)
	}
	return m, nil
}

// Next waits for the next event. A context that ends while it waits ends the connection too. When the server has closed
// the connection, the error is a *CloseError.
func (c *Conn) Next(ctx context.Context) (Event, error) {
	for {
		m, err := c.read(ctx)
		switch {
		case err != nil:
			return Event{}, err
		case m.Type == "event":
			return m.Event, nil
		case m.Type == "gap":
			return Event{Kind: Gap, Missed: &Missed{m.After, m.Oldest}}, nil
		}
	}
}

// Position returns the position up to which everything was received. Options.After resumes there.
func (c *Conn) Position() string { return *c.position.Load() }

// Close ends the connection.
func (c *Conn) Close() error {
	c.alive.Stop()
	return c.ws.Close(websocket.StatusNormalClosure, "")
}

// The codes of a CloseError. Connecting again helps after GoingAway, Internal, Slow and TooMany, after a pause, and
// with a new token after Unauthorized.
const (
	CodeGoingAway    = 1001 // the server stops
	CodeInternal     = 1011 // the server failed
	CodeBadFrame     = 4400 // the server did not understand; Options are wrong
	CodeUnauthorized = 4401 // the token is missing, wrong, expired or revoked, or its identity deleted
	CodeSlow         = 4408 // Next was not called often enough
	CodeTooLarge     = 4413 // a message to the server was too large
	CodeTooMany      = 4429 // too many connections, of the user or in all
)

// CloseError says why the server closed the connection.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("server closed the connection: %d %s", e.Code, e.Reason)
}

// StatusError is an answer to the upgrade that is no websocket.
type StatusError struct {
	Status int // of HTTP
	error
}

func (e *StatusError) Unwrap() error { return e.error }

func closeError(err error) error {
	var e websocket.CloseError
	if errors.As(err, &e) {
		return &CloseError{int(e.Code), e.Reason}
	}
	return err
}
