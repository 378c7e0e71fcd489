package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/httpapi"
	"github.com/chatd/chatd/internal/notify"
	"github.com/chatd/chatd/internal/notify/native"
	"github.com/chatd/chatd/internal/store"
)

const (
	resource = "c4a7d000-0000-4000-8000-000000000000"
	users    = 100 // listeners; a thread has 250 participants at most, so more connections are several of a user
)

func now() chat.Time { return chat.TimeOf(time.Now()) }

// announce says where the server is and serves.
func announce(t target, h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	t.Listen, t.Send = "ws://"+l.Addr().String()+"/realtime", "http://"+l.Addr().String()+"/send"
	if t.Thread != "" {
		t.Send = "http://" + l.Addr().String() + "/chat/threads/" + t.Thread + "/messages?api-version=2025-03-15"
	}
	if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
		return err
	}
	return http.Serve(l, h)
}

// run is one of the servers.
func run(name string, frame int) error {
	mux := http.NewServeMux()
	if name == "bare" {
		b := newBroadcaster(mux, frame)
		mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			b.tell(text)
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"1795263022926"}`)
		})
		return announce(target{}, mux)
	}
	c, err := newChatd(context.Background())
	if err != nil {
		return err
	}
	mux.Handle("/", c.api)
	if name == "chatd" {
		err = c.listen(context.Background(), mux)
	} else {
		b := newBroadcaster(mux, frame)
		mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(text))
			c.api.ServeHTTP(w, r)
			b.tell(text)
		})
		c.Tokens = nil // its listeners need not say who they are
	}
	if err != nil {
		return err
	}
	return announce(c.target, mux)
}

// chatd is chatd as cmd/chatd puts it together, as far as it is needed here.
type chatd struct {
	target
	db       *store.DB
	ids      *auth.Identities
	registry *prometheus.Registry
	api      http.Handler
}

func newChatd(ctx context.Context) (*chatd, error) {
	c := &chatd{registry: prometheus.NewRegistry()}
	var err error
	if c.db, err = store.Open(ctx, "memory:", store.Options{}); err != nil {
		return nil, err
	}
	keys, err := auth.LoadKeySet(ctx, c.db, now())
	if err != nil {
		return nil, err
	}
	c.ids = auth.NewIdentities(resource, keys, c.db, now)
	service := chat.NewService(c.db, now)
	if c.target, err = conversation(ctx, c.ids, service); err != nil {
		return nil, err
	}
	access, err := auth.NewAccessKeys([]string{"YSBrZXkgb2YgdGhlIGJlbmNobWFyayBhbG9uZQ=="}, nil)
	if err != nil {
		return nil, err
	}
	c.api, err = httpapi.New(httpapi.Config{
		Chat: service, Identities: c.ids, AccessKeys: access, CursorKey: []byte("cursor"), Metrics: c.registry, Now: now,
	})
	return c, err
}

// listen adds the native websocket.
func (c *chatd) listen(ctx context.Context, mux *http.ServeMux) error {
	metrics, err := notify.NewMetrics(c.registry)
	if err != nil {
		return err
	}
	hub, err := notify.NewHub(ctx, c.db, metrics, slog.Default())
	if err != nil {
		return err
	}
	go hub.Run(ctx)
	mux.Handle("GET /realtime", native.New(native.Config{
		Hub: hub, Metrics: metrics, Now: now,
		Authenticate: func(ctx context.Context, token string) (chat.Identity, chat.Time, error) {
			p, err := c.ids.Authenticate(ctx, token)
			return p.Identity, p.Expires, err
		},
	}))
	return nil
}

// conversation makes the users and one thread of all of them.
func conversation(ctx context.Context, ids *auth.Identities, service *chat.Service) (target, error) {
	var t target
	in := chat.NewThread{Topic: "benchmark"}
	for i := range users + 1 {
		id, err := ids.Create(ctx)
		if err != nil {
			return t, err
		}
		token, err := ids.Issue(ctx, id, []auth.Scope{auth.ScopeChat}, time.Hour)
		if err != nil {
			return t, err
		}
		in.Participants = append(in.Participants, chat.NewParticipant{Identity: id, DisplayName: fmt.Sprintf("User %d", i)})
		if i > 0 {
			t.Tokens = append(t.Tokens, token.Value)
		} else {
			t.Token = token.Value
		}
	}
	made, err := service.CreateThread(ctx, in.Participants[0].Identity, in)
	t.Thread = string(made.Thread.ID)
	return t, err
}

// broadcaster is what the examples of the websocket library have: a queue and a goroutine for each listener.
type broadcaster struct {
	frame  int // bytes of what is sent
	mu     sync.Mutex
	queues map[chan []byte]struct{}
}

func newBroadcaster(mux *http.ServeMux, frame int) *broadcaster {
	b := &broadcaster{frame: frame, queues: map[chan []byte]struct{}{}}
	mux.HandleFunc("GET /realtime", b.listen)
	return b
}

func (b *broadcaster) listen(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	queue := make(chan []byte, 2*window) // more than is ever on its way
	b.mu.Lock()
	b.queues[queue] = struct{}{}
	b.mu.Unlock()
	ctx := c.CloseRead(context.Background())
	if write(ctx, c, []byte("ready")) != nil {
		return
	}
	for {
		select {
		case text := <-queue:
			if write(ctx, c, text) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func write(ctx context.Context, c *websocket.Conn, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.Write(ctx, websocket.MessageText, text)
}

func (b *broadcaster) tell(text []byte) {
	text = append(text, bytes.Repeat([]byte("x"), max(0, b.frame-len(text)))...)
	b.mu.Lock()
	defer b.mu.Unlock()
	for queue := range b.queues {
		queue <- text
	}
}
