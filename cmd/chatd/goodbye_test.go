package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/internal/server"
)

// A server that stops tells the clients of each protocol, and waits no longer than for their answer.
func TestGoodbye(t *testing.T) {
	t.Parallel()
	for name, listen := range map[string]func(p *process, token string) (goodbye func()){
		"native": (*process).listenNative, "trouter": (*process).listenTrouter, "trouter, long polling": (*process).listenPolling,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			shared := []string{"--config-dir", dir, "--store", "sqlite:" + filepath.Join(dir, "chatd.db"), "--resource-id", resource}
			installed(t, shared...)
			_, token := mint(t, shared...)
			p := spawn(t, append([]string{"serve", "--listen", "off", "--http-listen", "127.0.0.1:0", "--access-key", ownKey}, shared...)...)
			t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // should it not have stopped
			goodbye := listen(p, token)
			begun := time.Now()
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			goodbye()
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("the process ended with %v", err)
			}
			if took := time.Since(begun); took >= server.DrainTimeout {
				t.Errorf("stopped after %s", took)
			}
			if strings.Contains(p.stderr.String(), "cut off") {
				t.Errorf("stderr: %s", p.stderr)
			}
		})
	}
}

func (p *process) listenNative(token string) (goodbye func()) {
	p.t.Helper()
	c, err := client.Dial(p.t.Context(), p.url, token, client.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	return func() {
		var closed *client.CloseError
		if _, err := c.Next(p.t.Context()); !errors.As(err, &closed) || closed.Code != client.CodeGoingAway {
			p.t.Errorf("received %v, want close code %d", err, client.CodeGoingAway)
		}
	}
}

func (p *process) listenTrouter(token string) (goodbye func()) {
	p.t.Helper()
	sid, query := p.session(token)
	c, _, err := websocket.Dial(p.t.Context(), p.url+"/socket.io/1/websocket/"+sid+"?"+query, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.CloseNow() })
	p.await(func() string {
		_, text, err := c.Read(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		return string(text)
	})
	return func() {
		if _, text, err := c.Read(p.t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			p.t.Errorf("received %q %v, want close code %d", text, err, websocket.StatusGoingAway)
		}
	}
}

func (p *process) listenPolling(token string) (goodbye func()) {
	p.t.Helper()
	sid, query := p.session(token)
	poll := func() string { return p.ask(http.MethodGet, "/socket.io/1/xhr-polling/"+sid+"?"+query, token) }
	p.await(poll)
	answer := make(chan string, 1)
	waiting := make(chan struct{})
	go func() {
		close(waiting)
		answer <- poll()
	}()
	<-waiting
	return func() {
		if got := <-answer; got != "0::" {
			p.t.Errorf("received %q", got)
		}
	}
}

// await reads until the client is connected.
func (p *process) await(read func() string) {
	p.t.Helper()
	for text := ""; !strings.Contains(text, "trouter.connected"); {
		text = read()
	}
}

// session goes the way of the SDK up to the handshake.
func (p *process) session(token string) (sid, query string) {
	p.t.Helper()
	var allocation struct{ Connectparams map[string]string }
	if err := json.Unmarshal([]byte(p.ask(http.MethodPost, "/v4/a?epid=e", token)), &allocation); err != nil {
		p.t.Fatal(err)
	}
	values := url.Values{"epid": {"e"}}
	for name, value := range allocation.Connectparams {
		values.Set(name, value)
	}
	sid, _, _ = strings.Cut(p.ask(http.MethodGet, "/socket.io/1/?"+values.Encode(), token), ":")
	return sid, values.Encode()
}

// ask returns the body of an answer, which must be 200.
func (p *process) ask(method, path, token string) string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(p.t.Context()), method, p.url+path, nil)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	request.Header.Set("X-Skypetoken", token)
	response, err := p.client.Do(request)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Errorf("%s %s answers %d %v", method, path, response.StatusCode, err)
	}
	return string(body)
}
