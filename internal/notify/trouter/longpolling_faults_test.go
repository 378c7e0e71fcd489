package trouter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// A client that asks by post and fetches nothing is not served without end.
func TestFloodByPost(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		var pings []string
		for i := range maxControl + 1 {
			pings = append(pings, "5:"+number(chat.Time(i))+"+::{}")
		}
		if a := p.post(sid, pings...); a.status != http.StatusBadRequest {
			t.Errorf("answered %d", a.status)
		}
	})
}

// Of two polls at once, as a proxy that tries again makes them, one waits for the other; and goes when nobody waits for it.
func TestTwoPolls(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		heard := make(chan []string, 2)
		for range 2 {
			go func() { heard <- p.poll(sid) }()
		}
		synctest.Wait()
		w.sendMessage("hello")
		if got := texts(p.parse(<-heard)); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("one hears %q", got)
		}
		if got := <-heard; !slices.Equal(got, []string{"8::"}) {
			t.Errorf("the other hears %q", got)
		}
	})
}

func TestAbandonedPoll(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		go p.poll(sid)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.pollURL(sid), nil)
		w.must(err)
		r.Header.Set("X-Skypetoken", p.token)
		if _, err := w.client.Do(r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("answered with %v", err)
		}
		w.sendMessage("hello")
		synctest.Wait()
		w.sendMessage("again")
		if got := texts(p.parse(p.poll(sid))); !slices.Equal(got, []string{"again"}) { // the one that was left goes on
			t.Errorf("it hears %q", got)
		}
	})
}

// A client that does not read the answer to its poll is let go after the time of one write, and told again when it comes back.
func TestPollThatIsNotRead(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		c, err := w.listener.dial(w.Context(), "", "")
		w.must(err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: chat.example.com\r\nX-Skypetoken: %s\r\n\r\n", strings.TrimPrefix(p.pollURL(sid), origin), p.token)
		w.must(err)
		w.sendMessage("hello")
		time.Sleep(writeTimeout + time.Second)
		synctest.Wait()
		if n := w.metric("connections"); n != 0 {
			t.Errorf("%v connections", n)
		}
		if got := p.connect().receive(); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("afterwards it hears %q", got)
		}
	})
}
