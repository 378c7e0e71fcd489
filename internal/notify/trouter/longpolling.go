package trouter

import (
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
	sk   *socket
	turn chan struct{} // holds a token while a GET is answered: one at a time
	idle *time.Timer
}

func (s *Server) polling(w http.ResponseWriter, r *http.Request, id string) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	p, err := s.poll(r, id)
	if err != nil {
		s.refuse(w, r, statusOf(err), "poll", err)
		return
	}
	plainText(w)
	if r.Method == http.MethodGet {
		p.give(w, r)
	} else {
		p.accept(w, r)
	}
}

// poll finds the connection of a session, or begins it with the first GET.
func (s *Server) poll(r *http.Request, id string) (*polling, error) {
	s.mu.Lock()
	p := s.polls[id]
	s.mu.Unlock()
	if p != nil {
		asker, err := s.asker(r)
		if err == nil && asker != "" && asker != p.sk.e.key.user {
			err = errSession
		}
		return p, err
	}
	if r.Method != http.MethodGet {
		return nil, errSession
	}
	sk, err := s.begin(r, id)
	if err != nil {
		return nil, err
	}
	return s.beginPolling(id, sk), nil
}

func (s *Server) beginPolling(id string, sk *socket) *polling {
	p := &polling{sk: sk, turn: make(chan struct{}, 1), idle: time.AfterFunc(pollIdle, sk.close)}
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
	return p
}

func (p *polling) give(w http.ResponseWriter, r *http.Request) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-r.Context().Done():
		return
	}
	p.idle.Reset(pollIdle)
	groups, told, end := p.sk.next(r.Context(), pollWait)
	if r.Context().Err() != nil { // nobody is there to take them; they are told again after the next connect
		p.sk.close()
		return
	}
	packets := slices.Concat(groups...)
	switch {
	case end && p.sk.ending() == string(notify.Stopping): // a websocket closes: here the client would ask on, and be refused
		packets = append(packets, string(disconnectPacket)+"::")
	case len(packets) == 0:
		packets = []string{string(noopPacket) + "::"}
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(writeTime)) // until net/http sets it for the next request; a test recorder has none
	_, err := w.Write([]byte(joinPackets(packets)))
	if err == nil {
		err = control.Flush()
	}
	p.sk.delivered(told)
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
	_, _ = w.Write([]byte("1")) // the client may have gone
}
