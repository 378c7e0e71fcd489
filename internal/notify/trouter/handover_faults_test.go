package trouter

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

// A server that was killed is waited for, not for long; that one which only stopped is not at all.
func TestServerIsKilled(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		c := p.connect()
		a.sendMessages(1, 3)
		c.answer(http.StatusOK, c.frames()[0])
		a.crash()
		c = p.moveTo(b).connect()
		a.sendMessages(4, 1)
		time.Sleep(handoverTimeout - time.Millisecond)
		a.equal("before its time it hears", texts(c.frames()), nil)
		time.Sleep(time.Millisecond)
		a.equal("it hears", c.receive(), []string{"2", "3", "4"})
		b.restart()
		a.equal("back at the first", p.moveTo(a).connect().receive(), nil)
	})
}

// A server that was frozen tells nothing more and saves nothing more when it goes on.
func TestServerIsFrozen(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		first := p.connect()
		a.sendMessages(1, 3)
		frames := first.frames()
		a.view.hidden.Store(true)
		second := p.moveTo(b).connect()
		time.Sleep(handoverTimeout)
		a.equal("the second hears", second.receive(), []string{"1", "2", "3"})
		a.sendMessages(4, 2)
		a.equal("the second hears", texts(second.frames()), []string{"4", "5"})
		first.answer(http.StatusOK, frames...)
		a.view.hidden.Store(false)
		time.Sleep(5 * time.Second)
		a.equal("the first hears", texts(first.frames()), nil)
		if first.err() == nil {
			t.Error("the first goes on")
		}
		if got := a.position(bob, "e"); got != 4 { // the word of the second stands in the journal too
			t.Errorf("position is %d", got)
		}
	})
}

// A server may be behind with the journal when a client comes that heard of more elsewhere.
func TestServerIsBehind(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		c := p.connect()
		b.view.hidden.Store(true)
		a.sendMessages(1, 3)
		c.receive()
		c.cut()
		c = p.moveTo(b).connect()
		b.view.hidden.Store(false)
		a.sendMessages(4, 1)
		time.Sleep(time.Second)
		a.equal("it hears", c.receive(), []string{"4"})
	})
}

// Also when it is new there, or had stopped: it begins at the present.
func TestStartAtServerThatIsBehind(t *testing.T) {
	twoServers(t, func(a, b *world) {
		b.view.hidden.Store(true)
		a.sendMessages(1, 2)
		p := b.newClient(bob, "e")
		c := p.connect()
		a.sendMessages(3, 1)
		c.leave()
		p.unregister()
		a.sendMessages(4, 1)
		c = p.connect()
		a.sendMessages(5, 1)
		b.view.hidden.Store(false)
		time.Sleep(time.Second)
		a.equal("it hears", c.receive(), []string{"5"})
	})
}

// A client of a server that cannot read the store while it waits for another one has to try again.
func TestStoreFailsDuringTakeover(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		first := p.connect()
		a.sendMessages(1, 1)
		first.frames()
		second := p.moveTo(b).connect()
		a.journal.failEndpoints(errors.New("disk"))
		time.Sleep(handoverTimeout)
		if second.err() == nil {
			t.Error("the second goes on")
		}
		a.journal.failEndpoints(nil)
		time.Sleep(handoverTimeout)
		a.equal("it hears", p.connect().receive(), []string{"1"})
	})
}

// A server that could not save that a connection ended tries again by itself: the next one, at another server, waits no
// longer than that takes.
func TestEndCouldNotBeSaved(t *testing.T) {
	twoServers(t, func(a, b *world) {
		p := a.newClient(bob, "e")
		c := p.connect()
		a.sendMessages(1, 2)
		c.receive()
		a.journal.failEndpoints(errors.New("disk"))
		c.cut()
		a.journal.failEndpoints(nil)
		a.sendMessages(3, 1)
		begun := time.Now()
		second := p.moveTo(b).connect()
		time.Sleep(2 * saveRetry)
		a.equal("it hears", second.receive(), []string{"3"})
		if took := time.Since(begun); took >= handoverTimeout {
			t.Errorf("after %s", took)
		}
	})
}

// A store that does not answer holds no goroutine for ever that wants to know the format of an endpoint.
func TestFormatThatCannotBeRead(t *testing.T) {
	bubble(t, func(w *world) {
		w.newClient(bob, "e").connect()
		w.server.Endpoints = silentEndpoints{w.server.Endpoints}
		w.server.endpointChanged(bob, "e", 0)
		time.Sleep(handoverTimeout + time.Second)
		if len(w.logs.find("ERROR", "endpoint cannot be read", context.DeadlineExceeded.Error())) != 1 {
			t.Errorf("logged are %q", w.logs.find("ERROR"))
		}
	})
}

// silentEndpoints is a store that is asked for endpoints in vain.
type silentEndpoints struct{ Endpoints }

func (silentEndpoints) Endpoint(ctx context.Context, _ chat.Identity, _ string) (delivery.Endpoint, error) {
	<-ctx.Done()
	return delivery.Endpoint{}, ctx.Err()
}
