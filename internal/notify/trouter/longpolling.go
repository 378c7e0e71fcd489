package trouter

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/notify"
)

const (
	pollWait = 20 * time.Second // an idle poll is answered with a noop then
	pollIdle = 60 * time.Second // without any poll the client is gone
)

// polling is a connection carried by long polls: a GET waits for packets, a POST brings some.
type polling struct {
	c    *connection
	slot chan struct{} // holds a token while a GET is answered: one at a time
	idle *time.Timer
}

func (s *Server) polling(w http.ResponseWriter, r *http.Request, id string) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	p, err := s.findPolling(r, id)
	if err != nil {
		s.refuse(w, r, statusOf(err), "poll", err)
		return
	}
	plainText(w)
	if r.Method == http.MethodGet {
		p.get(w, r)
	} else {
		p.post(w, r)
	}
}

// findPolling returns the connection of a session, which the first GET opens.
func (s *Server) findPolling(r *http.Request, id string) (*polling, error) {
	s.mu.Lock()
	p := s.polls[id]
	s.mu.Unlock()
	if p != nil {
		requester, err := s.requester(r)
		if err == nil && requester != "" && requester != p.c.e.key.user {
			err = errSession
		}
		return p, err
	}
	if r.Method != http.MethodGet {
		return nil, errSession
	}
	c, err := s.openConnection(r, id)
	if err != nil {
		return nil, err
	}
	return s.startPolling(id, c), nil
}

func (s *Server) startPolling(id string, c *connection) *polling {
	p := &polling{c: c, slot: make(chan struct{}, 1), idle: time.AfterFunc(pollIdle, c.close)}
	s.mu.Lock()
	s.polls[id] = p
	s.mu.Unlock()
	context.AfterFunc(c.ctx, func() {
		p.idle.Stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.polls, id)
	})
	return p
}

func (p *polling) get(w http.ResponseWriter, r *http.Request) {
	select {
	case p.slot <- struct{}{}:
		defer func() { <-p.slot }()
	case <-r.Context().Done():
		return
	}
	p.idle.Reset(pollIdle)
	groups, sent, end := p.c.next(r.Context(), pollWait)
	if r.Context().Err() != nil { // the client is gone; the next connection sends them again
		p.c.close()
		return
	}
	packets := slices.Concat(groups...)
	switch {
	case end && p.c.endReason() == string(notify.Stopping): // a websocket closes; a client that polls would poll on, and be refused
		packets = append(packets, string(disconnectPacket)+"::")
	case len(packets) == 0:
		packets = []string{string(noopPacket) + "::"}
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(writeTimeout)) // until net/http sets it for the next request; a test recorder has none
	_, err := w.Write([]byte(joinPackets(packets)))
	if err == nil {
		err = control.Flush()
	}
	p.c.observeSent(sent)
	if end || err != nil {
		p.c.close()
	}
}

func (p *polling) post(w http.ResponseWriter, r *http.Request) {
	body, err := readAll(w, r)
	var packets []string
	if err == nil {
		packets, err = splitPackets(string(body))
	}
	for _, text := range packets {
		if err == nil && strings.TrimSpace(text) != "" {
			err = p.c.receive(text)
		}
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		p.c.close()
		return
	}
	_, _ = w.Write([]byte("1")) // the client may have gone
}
