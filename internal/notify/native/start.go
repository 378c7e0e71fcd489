package native

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/notify"
)

const (
	startTimeout = 10 * time.Second // for a client to send its first message, and for its token to be looked at
	maxThreads   = 100              // in a filter
	maxReplay    = 1_000_000        // events of the journal that are searched for what a client missed
	replayStep   = 4096             // of those, after which the client gets its position
)

// startMessage is the first message of a client.
type startMessage struct {
	Version int             `json:"version"`
	Token   string          `json:"token"`
	Threads []chat.ThreadID `json:"threads"`
	After   *string         `json:"after"`
	from    chat.Position   // After as a number
}

// parseMessage returns the type of a message.
func parseMessage(data []byte) (string, error) {
	var m struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &m); err != nil || m.Type == "" {
		return "", badFrame("want a JSON object with a type")
	}
	return m.Type, nil
}

func parseStart(data []byte) (*startMessage, error) {
	kind, err := parseMessage(data)
	if err != nil {
		return nil, err
	}
	var m startMessage
	switch {
	case kind != "start":
		return nil, badFrame("the first message must be start")
	case json.Unmarshal(data, &m) != nil:
		return nil, badFrame("malformed start message")
	case m.Version != Version:
		return nil, badFrame(fmt.Sprintf("version is not supported, want %d", Version))
	case len(m.Threads) > maxThreads:
		return nil, badFrame(fmt.Sprintf("too many threads, at most %d", maxThreads))
	}
	for _, id := range m.Threads {
		if !id.WellFormed() {
			return nil, badFrame("malformed thread id")
		}
	}
	if m.After != nil {
		n, err := strconv.ParseUint(*m.After, 10, 63)
		if err != nil {
			return nil, badFrame("malformed position")
		}
		m.from = chat.Position(n)
	}
	return &m, nil
}

// start waits for the first message, authenticates and subscribes. The client gets the events behind from up to position first; one
// that does not resume those since its request. The error is a closeReason, unless the client is gone.
func (c *connection) start(token string, start chat.Position) (from, position chat.Position, err error) {
	m, err := c.first()
	stopping := c.server.started(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = c.net.SetReadDeadline(time.Time{}) // or the client's close frame could not be read
		err = closeReason{CloseSlow, "no start message"}
		if stopping {
			err = closeReasonFor(notify.Stopping)
		}
	}
	if err != nil {
		return 0, 0, err
	}
	token = cmp.Or(m.Token, token)
	user, expires, err := c.authenticate(token)
	if err != nil {
		return 0, 0, err
	}
	if !c.server.addUser(user) {
		return 0, 0, closeReason{CloseTooMany, "too many connections of this user"}
	}
	c.user = user
	if m.After == nil {
		m.from = start
	}
	return c.subscribe(m, token, expires)
}

// first reads the first message.
func (c *connection) first() (*startMessage, error) {
	kind, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return nil, err
	}
	data, err := message(kind, r)
	if err != nil {
		return nil, err
	}
	return parseStart(data)
}

func (c *connection) authenticate(token string) (chat.Identity, chat.Time, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	user, expires, err := c.server.Authenticate(ctx, token)
	var e *chat.Error
	switch {
	case err == nil:
		return user, expires, nil
	case errors.As(err, &e) && (e.Kind == chat.Unauthorized || e.Kind == chat.Forbidden):
		return "", 0, closeReason{CloseUnauthorized, fmt.Sprintf("%.120s", e.Reason)}
	default:
		c.server.Log.Error("token cannot be checked", "error", err)
		return "", 0, closeReason{CloseInternal, "try again"}
	}
}

// subscribe subscribes to the hub. What it offers from here on waits until catchUp is done.
func (c *connection) subscribe(m *startMessage, token string, expires chat.Time) (from, position chat.Position, err error) {
	for _, id := range m.Threads {
		if c.threads == nil {
			c.threads = map[chat.ThreadID]bool{}
		}
		c.threads[id] = true
	}
	c.writing, c.replaying = true, true
	c.queuedTo = m.from // another server may have sent events that this one has not read
	position, unsubscribe := c.server.Hub.Subscribe(c.user, c)
	from = m.from
	if m.After != nil {
		c.server.Metrics.Reconnects.WithLabelValues(protocol).Inc()
	}
	_, _, err = c.authenticate(token) // again: a revocation since the first time found no subscription to end
	if err == nil && from > position {
		err = c.ahead(from)
	}
	if err != nil {
		unsubscribe()
		c.close(closeReason{CloseGoingAway, ""}) // gives back what was queued
		return 0, 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsubscribe, c.latest = unsubscribe, max(c.latest, position)
	c.expiry = c.server.Clock.AfterFunc(time.Duration(expires-chat.TimeOf(c.server.Clock.Now()))*time.Millisecond, func() { c.End(notify.Expired) })
	c.pingTimer = time.AfterFunc(c.server.Ping, c.ping)
	_ = c.net.SetReadDeadline(time.Now().Add(2 * c.server.Ping))
	return from, position, nil
}

// ahead refuses a position that no server has come to yet.
func (c *connection) ahead(from chat.Position) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	head, err := c.server.Hub.Head(ctx)
	switch {
	case err != nil:
		c.server.Log.Error("end of the journal cannot be read", "error", err)
		return closeReason{CloseInternal, "try again"}
	case from > head:
		return badFrame("position is ahead of this server")
	}
	return nil
}

// reject closes a connection that has not begun.
func (c *connection) reject(err error) {
	var with closeReason
	if !errors.As(err, &with) {
		_ = c.ws.CloseNow() // the client is gone
		return
	}
	c.server.Log.Debug("listener refused", "code", int(with.code), "reason", with.reason)
	_ = c.ws.Close(with.code, with.reason) // closed now, whether the client answered or not
}

// catchUp sends what the client missed, and then what is queued. Events that happen meanwhile are left to the replay, so that a long
// one does not end in a full queue.
func (c *connection) catchUp(ctx context.Context, from, position chat.Position) {
	w := c.writer()
	send(w, positionFrame("ready", from))
	if err := c.replay(ctx, w, from, position); err != nil && ctx.Err() == nil {
		c.server.Log.Error("journal cannot be replayed", "error", err)
		c.close(closeReason{CloseInternal, "try again"})
	}
	c.write(w)
}

// replay sends the events that the client missed, up to the position of its subscription and since. A gap that the journal cannot
// fill comes first. After each step the client gets its position, and what else is queued.
func (c *connection) replay(ctx context.Context, w *bufio.Writer, from, position chat.Position) error {
	if from < position {
		oldest, err := c.server.Hub.Oldest(ctx)
		if err != nil {
			return err
		}
		if oldest = max(oldest, position-maxReplay+1); oldest > from+1 {
			send(w, gapFrame(from, oldest))
			from = oldest - 1
		}
		_ = w.Flush() // reading may take a while; an error stays with the writer
	}
	for to := c.nextStep(from); to > from; to = c.nextStep(from) {
		_, err := c.server.Hub.Replay(ctx, c.user, from, to, func(d notify.Delivery) {
			if ctx.Err() == nil && c.isWanted(d) && send(w, eventFrame(d)) != nil {
				c.cancel()
			}
		})
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		send(w, positionFrame("position", to))
		for _, frame := range c.takeQueued() {
			send(w, frame)
		}
		if w.Flush() != nil {
			c.cancel() // write sees it too
		}
		from = to
	}
	return nil
}

// nextStep returns where the next step of the replay ends. At the end of all it is from, and events are queued from then on.
func (c *connection) nextStep(from chat.Position) chat.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queuedTo = from
	c.replaying = from < c.latest
	return max(from, min(from+replayStep, c.latest))
}

// takeQueued takes what is queued during a replay: pings and answers to them.
func (c *connection) takeQueued() (frames [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.queue {
		frames = append(frames, c.queue[i].frame)
	}
	c.discardQueue()
	return frames
}
