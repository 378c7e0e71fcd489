package trouter

import (
	"net/http"
	"testing"
	"time"
)

// A second connection of an endpoint takes over: from then on the first is told nothing, and no event is told twice.
func TestTakeover(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		first := p.connect()
		w.sendMessages(1, 3)
		w.equal("the first hears", first.receive(), []string{"1", "2", "3"})
		second := p.connect()
		w.sendMessages(4, 3)
		w.equal("the second hears", second.receive(), []string{"4", "5", "6"})
		w.equal("the first hears", first.receive(), nil)
		if got := first.emit(`{"name":"ping"}`); got != `["pong"]` { // the client keeps it for a minute
			t.Errorf("the first is acknowledged with %q", got)
		}
		first.leave()
		w.sendMessages(7, 1)
		w.equal("the second hears", second.receive(), []string{"7"})
		if n := w.metric("connections"); n != 1 {
			t.Errorf("%v connections", n)
		}
	})
}

// What the first connection was told it may still acknowledge, for a moment; the client is connected meanwhile.
func TestTakeoverWaitsForAcknowledgements(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		first := p.connect()
		w.sendMessages(1, 3)
		frames := first.frames()
		second := p.connect() // checks the greeting
		w.sendMessages(4, 1)
		w.equal("the second hears", second.receive(), nil)
		first.answer(http.StatusOK, frames...)
		w.equal("then it hears", second.receive(), []string{"4"})
		if first.err() != nil {
			t.Errorf("the first ended with %v", first.err())
		}
	})
}

// What waited on the first connection waits on the second, and on that one only.
func TestTakeoverOfPendingEvents(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		first := p.connect()
		want := w.sendMessages(1, maxUnacked+100)
		frames := first.frames()
		second := p.connect()
		first.answer(http.StatusOK, frames...)
		w.equal("the second hears", second.receive(), want[maxUnacked:])
		if held := w.metric("queue_bytes"); held != 0 || first.err() != nil {
			t.Errorf("%v bytes are held, the first ended with %v", held, first.err())
		}
	})
}

// A first connection that answers nothing is dead: the network took it.
func TestTakeoverFromDeadConnection(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		first := p.connect()
		w.sendMessages(1, 3)
		first.answer(http.StatusOK, first.frames()[0])
		second := p.connect()
		w.sendMessages(4, 1)
		time.Sleep(switchTimeout + time.Millisecond)
		w.equal("the second hears", second.receive(), []string{"2", "3", "4"})
		if first.err() == nil {
			t.Error("the first goes on")
		}
	})
}

// One that was not ready for an event on its first connection gets it on the second.
func TestTakeoverOfEventsThatCameTooEarly(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		first := p.connect()
		w.sendMessages(1, 2)
		frames := first.frames()
		second := p.connect()
		first.answer(http.StatusGatewayTimeout, frames[0])
		first.answer(http.StatusOK, frames[1])
		w.equal("the second hears", second.receive(), []string{"1"})
		w.equal("the first hears", first.receive(), nil)
	})
}

// A client on a bad network connects again and again before anything could be acknowledged. Each time it is greeted at once,
// and the last connection is told all, after the patience that one dead connection is given.
func TestManyTakeovers(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		var last *clientConn
		var want []string
		for i := range 15 {
			if last != nil {
				last.dropping.Store(true) // the network took it
			}
			last = p.connect() // checks the greeting
			want = append(want, w.sendMessages(i+1, 1)...)
			if i%5 == 4 {
				time.Sleep(switchTimeout / 2)
			}
		}
		time.Sleep(switchTimeout)
		want = append(want, w.sendMessages(16, 1)...)
		w.equal("the last hears", last.receive(), want)
		time.Sleep(readTimeout) // those that had nothing to acknowledge are found dead by now
		if n := w.metric("connections"); n != 1 {
			t.Errorf("%v connections", n)
		}
	})
}
