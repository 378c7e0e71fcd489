package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/chatd/chatd/bench/load"
)

// Size of what is stored before anything is measured.
type Size struct {
	Threads  int
	Messages int // in each thread
}

// World is a chatd with something in it.
type World struct {
	*Node
	Chatd    Chatd    // how it was started
	Members  []User   // of every thread; the first has made them all
	Crowd    []User   // others
	Threads  []Thread // full of messages
	Hot      string   // a thread for all to write to
	Big      string   // a thread with as many participants as can be
	Audience string   // a thread of the first member and the listeners
}

// Thread is a thread that was filled.
type Thread struct {
	ID          string // escaped for a path
	First, Last int64  // ids of its messages: all numbers between are one
	Older       string // path of a page of 50 messages that nobody has read or written lately
}

const (
	// Version is the api-version of all requests.
	Version = "?api-version=2025-03-15"

	members   = 10
	crowd     = 240
	listeners = 100 // of the crowd; more connections are several of one user
	helpers   = 16  // clients that fill a world
)

// Listeners are the users who receive the messages of the thread Audience.
func (w *World) Listeners() []User { return w.Crowd[:listeners] }

// grower multiplies what is in a store while no chatd has it open.
type grower func(ctx context.Context, times int) error

// NewWorld starts chatd on an empty store and fills it: with what an app would send, of which most is then multiplied in
// the store itself, since to send millions takes hours.
func NewWorld(ctx context.Context, c Chatd, size Size, grow grower) (_ *World, err error) {
	w := &World{Chatd: c}
	if w.Node, err = c.Start(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Stop())
		}
	}()
	users, err := w.users(ctx, members+crowd)
	if err != nil {
		return nil, err
	}
	w.Members, w.Crowd = users[:members], users[members:]
	w.Threads = make([]Thread, size.Threads)
	if err := w.inParallel(len(w.Threads), func(c *load.Conn, i int) error {
		return w.fill(c, &w.Threads[i], size.Messages)
	}); err != nil {
		return nil, err
	}
	if err := w.Stop(); err != nil {
		return nil, err
	}
	if err := grow(ctx, size.Messages-1); err != nil {
		return nil, err
	}
	if w.Node, err = c.Start(ctx); err != nil {
		return nil, err
	}
	return w, w.settle()
}

// settle makes the threads that are not multiplied, and looks for pages far behind.
func (w *World) settle() error {
	c, err := load.Dial(w.Plain, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	if w.Hot, err = w.create(c, w.Members); err != nil {
		return err
	}
	if w.Audience, err = w.create(c, append([]User{w.Members[0]}, w.Listeners()...)); err != nil {
		return err
	}
	if w.Big, err = w.create(c, append([]User{w.Members[0]}, w.Crowd[:150]...)); err != nil { // as many as one call takes, about
		return err
	}
	rest := append(append([]User{}, w.Crowd[150:]...), w.Members[1:]...)
	body, err := json.Marshal(map[string]any{"participants": participants(rest)})
	if err != nil {
		return err
	}
	if _, err = c.Expect(201, load.Request{
		Method: http.MethodPost, Path: "/chat/threads/" + w.Big + "/participants/:add" + Version, Token: w.Members[0].Token, Body: string(body),
	}); err != nil {
		return err
	}
	return w.inParallel(min(len(w.Threads), 1000), func(c *load.Conn, i int) error { return w.lookBack(c, &w.Threads[i]) })
}

func participants(in []User) []map[string]any {
	out := make([]map[string]any, len(in))
	for i, u := range in {
		out[i] = map[string]any{"communicationIdentifier": map[string]any{"communicationUser": map[string]string{"id": u.ID}}, "displayName": fmt.Sprintf("User %d", i)}
	}
	return out
}

// create makes a thread, of which the first participant is the creator, and returns its id, escaped.
func (w *World) create(c *load.Conn, in []User) (string, error) {
	body, err := json.Marshal(map[string]any{"topic": "benchmark", "participants": participants(in)})
	if err != nil {
		return "", err
	}
	data, err := c.Expect(201, load.Request{Method: http.MethodPost, Path: "/chat/threads" + Version, Token: in[0].Token, Body: string(body)})
	if err != nil {
		return "", err
	}
	var answer struct{ ChatThread struct{ ID string } }
	err = json.Unmarshal(data, &answer)
	return url.QueryEscape(answer.ChatThread.ID), err
}

// fill makes a thread with one message, of which there will be so many.
func (w *World) fill(c *load.Conn, t *Thread, messages int) (err error) {
	if t.ID, err = w.create(c, w.Members); err != nil {
		return err
	}
	data, err := c.Expect(201, w.Send(t.ID, w.Members[0]))
	if err != nil {
		return err
	}
	var answer struct {
		ID int64 `json:",string"`
	}
	err = json.Unmarshal(data, &answer)
	t.First, t.Last = answer.ID, answer.ID+int64(messages)-1
	return err
}

var text = strings.Repeat("All work and no play. ", 12)[:256]

// Send is the request that sends a message.
func (w *World) Send(thread string, from User) load.Request {
	return load.Request{
		Method: http.MethodPost, Path: "/chat/threads/" + thread + "/messages" + Version, Token: from.Token,
		Body: `{"content":"` + text + `","type":"text","senderDisplayName":"Margaret"}`,
	}
}

// lookBack finds a page that is further back than a server would keep in memory.
func (w *World) lookBack(c *load.Conn, t *Thread) error {
	path := "/chat/threads/" + t.ID + "/messages" + Version
	data, err := c.Expect(200, load.Request{Method: http.MethodGet, Path: path + "&maxPageSize=200", Token: w.Members[0].Token})
	if err != nil {
		return err
	}
	var answer struct{ NextLink string }
	if err := json.Unmarshal(data, &answer); err != nil {
		return err
	}
	if answer.NextLink == "" { // too few messages
		t.Older = path + "&maxPageSize=50"
		return nil
	}
	next, err := url.Parse(answer.NextLink)
	if err != nil {
		return err
	}
	q := next.Query()
	q.Set("maxPageSize", "50")
	t.Older = next.EscapedPath() + "?" + q.Encode()
	return nil
}

// inParallel calls do for each i below n, on several connections at the same time.
func (w *World) inParallel(n int, do func(c *load.Conn, i int) error) error {
	errs := make([]error, helpers)
	var all sync.WaitGroup
	for h := range helpers {
		all.Go(func() {
			c, err := load.Dial(w.Plain, nil)
			if err != nil {
				errs[h] = err
				return
			}
			defer c.Close()
			for i := h; i < n && errs[h] == nil; i += helpers {
				errs[h] = do(c, i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
