package trouter

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/internal/chat"
)

// websocket carries a connection in text frames, one packet each.
func (s *Server) websocket(w http.ResponseWriter, r *http.Request, id string) {
	if origin := r.Header.Get("Origin"); origin != "" && !s.allows(origin) {
		s.refuse(w, r, http.StatusForbidden, "origin is not allowed", nil)
		return
	}
	se, err := s.open(r.Context(), id)
	if err != nil {
		s.refuse(w, r, statusOf(err), "session", err)
		return
	}
	// The origin was checked against the same list as REST; compression costs more than it saves (measured on small events).
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		s.giveBack(id, se) // the client now tries long polling with the same session
		return
	}
	defer c.CloseNow() //nolint:errcheck // it is closed or broken already
	sk, err := s.connect(r.Context(), se)
	if err != nil {
		_ = c.Close(websocket.StatusTryAgainLater, "too many connections")
		return
	}
	defer sk.close()
	c.SetReadLimit(maxFrame)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	go func() {
		defer sk.close()
		readAllFrames(ctx, c, sk)
	}()
	writeFrames(ctx, c, sk)
}

// statusOf is 401 for a token that is no good, 404 for a session that is not there.
func statusOf(err error) int {
	if chat.KindOf(err) == chat.NotFound {
		return http.StatusNotFound
	}
	return http.StatusUnauthorized
}

func readAllFrames(ctx context.Context, c *websocket.Conn, sk *socket) {
	for {
		deadline, cancel := context.WithTimeout(ctx, patience)
		kind, data, err := c.Read(deadline)
		cancel()
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			_ = c.Close(websocket.StatusUnsupportedData, "text only")
			return
		}
		if err := sk.receive(string(data)); err != nil {
			_ = c.Close(websocket.StatusPolicyViolation, err.Error())
			return
		}
	}
}

func writeFrames(ctx context.Context, c *websocket.Conn, sk *socket) {
	for {
		packets, end := sk.next(ctx, beatEvery)
		if len(packets) == 0 && !end {
			packets = []string{"2::"}
		}
		for _, p := range packets {
			deadline, cancel := context.WithTimeout(ctx, writeTime)
			err := c.Write(deadline, websocket.MessageText, []byte(p))
			cancel()
			if err != nil {
				return
			}
		}
		sk.written()
		if end {
			_ = c.Close(websocket.StatusGoingAway, sk.ending())
			return
		}
	}
}

func (sk *socket) ending() string {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	return string(sk.reason)
}

// polling is a connection carried by long polls: a GET waits for packets, a POST brings some.
type polling struct {
	sk   *socket
	user chat.Identity
	turn sync.Mutex // one GET at a time
	idle *time.Timer
}

const (
	pollWait = 20 * time.Second // an idle poll is answered with a noop then
	pollIdle = 60 * time.Second // without any poll the client is gone
)

func (s *Server) polling(w http.ResponseWriter, r *http.Request, id string) {
	p, err := s.poll(r, id)
	if err != nil {
		s.refuse(w, r, statusOf(err), "poll", err)
		return
	}
	p.idle.Reset(pollIdle)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	switch r.Method {
	case http.MethodGet:
		p.give(w, r)
	case http.MethodPost:
		p.accept(w, r)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// poll finds the connection of a session, or begins it with the first GET.
func (s *Server) poll(r *http.Request, id string) (*polling, error) {
	s.mu.Lock()
	p := s.polls[id]
	s.mu.Unlock()
	if p == nil {
		se, err := s.open(r.Context(), id)
		if err != nil {
			return nil, err
		}
		sk, err := s.connect(r.Context(), se)
		if err != nil {
			return nil, err
		}
		p = &polling{sk: sk, user: se.user, idle: time.AfterFunc(pollIdle, sk.close)}
		s.mu.Lock()
		s.polls[id] = p
		s.mu.Unlock()
		go func() {
			<-sk.closed
			p.idle.Stop()
			s.mu.Lock()
			delete(s.polls, id)
			s.mu.Unlock()
		}()
	}
	if token := r.Header.Get("X-Skypetoken"); token != "" {
		if user, _, err := s.Authenticate(r.Context(), token); err != nil || user != p.user {
			return nil, &chat.Error{Kind: chat.Unauthorized, Reason: "poll with a bad token or that of somebody else"}
		}
	}
	return p, nil
}

func (p *polling) give(w http.ResponseWriter, r *http.Request) {
	p.turn.Lock()
	defer p.turn.Unlock()
	packets, end := p.sk.next(r.Context(), pollWait)
	if r.Context().Err() != nil { // nobody is there to take them; they are told again after the next connect
		p.sk.close()
		return
	}
	if len(packets) == 0 {
		packets = []string{string(noopPacket) + "::"}
	}
	_, err := w.Write([]byte(joinPackets(packets)))
	p.sk.written()
	if end || err != nil {
		p.sk.close()
	}
}

func (p *polling) accept(w http.ResponseWriter, r *http.Request) {
	body, err := readAll(w, r)
	var packets []string
	if err == nil {
		packets, err = splitPackets(string(body))
	}
	for _, text := range packets {
		if err == nil && strings.TrimSpace(text) != "" {
			err = p.sk.receive(text)
		}
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		p.sk.close()
		return
	}
	_, _ = w.Write([]byte("1"))
}
