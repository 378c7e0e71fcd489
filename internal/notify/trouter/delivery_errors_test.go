package trouter

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A journal that cannot be read for a while delays events, and loses none.
func TestJournalErrors(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.connect().cut()
		w.sendMessages(1, 3)
		synctest.Wait() // the hub has them
		w.journal.failEvents(errors.New("disk"))
		c := p.connect()
		if got := c.frames(); len(got) != 0 {
			t.Errorf("it hears %+v", got)
		}
		w.journal.failEvents(nil)
		time.Sleep(heartbeatInterval)
		w.equal("it hears", c.receive(), []string{"1", "2", "3"})
	})
}

// Without its position a client would miss events, so it has to try again.
func TestPositionCannotBeRead(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		w.sendMessages(1, 1)
		c.receive()
		c.cut()
		w.sendMessages(2, 2)
		p.allocate()
		sid := p.handshake()
		w.journal.failEndpoints(errors.New("disk"))
		if status := p.refusedUpgrade(sid); status != http.StatusServiceUnavailable {
			t.Errorf("the upgrade answers %d", status)
		}
		if a := p.getHandshake(); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "3" {
			t.Errorf("the handshake answers %d", a.status)
		}
		if a := p.postRegistration(origin, registrationOf("e", "AcsWeb_Chat_2.1", p.surl)); a.status != http.StatusServiceUnavailable {
			t.Errorf("the registrar answers %d", a.status)
		}
		w.journal.failEndpoints(nil)
		w.equal("it hears", p.connect().receive(), []string{"2", "3"})
	})
}

// What cannot be saved is tried again, also when nothing changes any more.
func TestPositionCannotBeSaved(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(bob, "e").connect()
		w.sendMessages(1, 3)
		w.journal.failEndpoints(errors.New("disk"))
		c.receive()
		time.Sleep(time.Minute)
		w.journal.failEndpoints(nil)
		time.Sleep(saveRetry)
		synctest.Wait()
		if got := w.position(bob, "e"); got != 3 {
			t.Errorf("position is %d", got)
		}
	})
}
