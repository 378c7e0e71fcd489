package trouter

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever the SDK, a client that begins anew hears what happens from its first request on, and nothing of what was before. A
// client sends its first message when startRealtimeNotifications() resolves, which is with the configuration.
func TestStartsAtTheFirstRequest(t *testing.T) {
	for name, c := range map[string]struct {
		configure string // the SDK that asks for the configuration, if it does
		epid      string
		old       bool
		polling   bool
		want      []string
	}{
		"browser":               {configure: browserSDK, epid: "e", want: []string{"configured", "allocated", "shaken"}},
		"browser, polling":      {configure: browserSDK, epid: "e", polling: true, want: []string{"configured", "allocated", "shaken"}},
		"phone":                 {configure: phoneSDK, epid: "e", want: []string{"configured", "allocated", "shaken"}},
		"before 1.5.4":          {epid: "e", want: []string{"allocated", "shaken"}},
		"before 1.5.2":          {epid: "e", old: true, want: []string{"allocated", "shaken"}},
		"1.0.0":                 {old: true, want: []string{"allocated", "shaken"}},
		"before 1.5.4, polling": {epid: "e", polling: true, want: []string{"allocated", "shaken"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.sendMessage("before")
				p := w.newClient(bob, c.epid)
				p.old = c.old
				if c.configure != "" {
					p.configure(c.configure)
				}
				w.sendMessage("configured")
				p.allocate()
				w.sendMessage("allocated")
				sid := p.handshake()
				w.sendMessage("shaken")
				synctest.Wait()
				if c.polling {
					packets := p.begin(sid)
					if len(packets) == 0 {
						packets = p.poll(sid)
					}
					w.equal("it hears", texts(p.parse(packets)), c.want)
					return
				}
				connection := p.attach(sid)
				w.equal("it hears", connection.receive(), c.want)
				connection.cut()
				w.sendMessage("later")
				w.equal("then it hears", p.connect().receive(), []string{"later"})
			})
		})
	}
}

// Also in a journal in which nothing is yet.
func TestStartsBeforeTheFirstEvent(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.configure(browserSDK)
		w.sendMessages(1, 2)
		synctest.Wait()
		w.equal("it hears", p.connect().receive(), []string{"1", "2"})
	})
}

// Each step may come to another server, one of which is behind with the journal.
func TestStartsAcrossServers(t *testing.T) {
	twoServers(t, func(a, b *world) {
		b.view.hidden.Store(true)
		a.sendMessages(1, 1)
		p := b.newClient(bob, "e")
		p.configure(browserSDK)
		a.sendMessages(2, 1)
		p.moveTo(a).allocate()
		a.sendMessages(3, 1)
		sid := p.moveTo(b).handshake()
		a.sendMessages(4, 1)
		c := p.moveTo(a).attach(sid)
		a.equal("it hears", c.receive(), []string{"2", "3", "4"})
		c.cut()
		b.view.hidden.Store(false)
		a.sendMessages(5, 1)
		a.equal("then it hears", p.moveTo(b).connect().receive(), []string{"5"})
	})
}

// A server that is behind with the journal still begins at the present, for every SDK.
func TestStartsBehindThePurgedJournal(t *testing.T) {
	for name, sdk := range map[string]string{"browser": browserSDK, "phone": phoneSDK} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.view.hidden.Store(true)
				w.sendMessage("before")
				p := w.newClient(bob, "e")
				p.configure(sdk)
				w.sendMessage("configured")
				w.view.hidden.Store(false)
				w.sendMessage("shown") // so that the hub looks
				w.equal("it hears", p.connect().receive(), []string{"configured", "shown"})
			})
		})
	}
}

// Attempts that fail before the first connection do not move the beginning.
func TestStartPositionSurvivesFailures(t *testing.T) {
	for name, failures := range map[string]func(p *testClient){
		"some":          func(*testClient) {},
		"three of each": func(p *testClient) { p.params = nil }, // then the client allocates at the address that it was given first
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.newClient(bob, "e")
				p.configure(browserSDK)
				w.sendMessages(1, 1)
				p.allocate()
				w.sendMessages(2, 1)
				failures(p)
				p.allocate()
				w.journal.failEvents(errors.New("disk"))
				if a := p.getHandshake(); a.status != http.StatusOK { // the allocation has told where it begins
					t.Errorf("the handshake answers %d", a.status)
				}
				w.journal.failEvents(nil)
				w.sendMessages(3, 1)
				w.equal("it hears", p.connect().receive(), []string{"1", "2", "3"})
			})
		})
	}
}

// The address with the beginning in it stays that of the client for its life, also when it drops its connectparams: nothing
// is told twice for that, whether it was acknowledged before or not, and a client that had stopped begins at the present.
func TestStartPositionIsForTheFirstConnection(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.configure(browserSDK)
		w.sendMessages(1, 2)
		c := p.connect()
		w.equal("it hears", c.receive(), []string{"1", "2"})
		c.cut()
		p.params = nil
		w.sendMessages(3, 1)
		c = p.connect()
		w.equal("without connectparams it hears", c.receive(), []string{"3"})
		c.leave()
		p.unregister()
		w.sendMessages(4, 1)
		synctest.Wait()
		p.allocate()
		w.sendMessages(5, 1)
		c = p.attach(p.handshake())
		w.equal("after a stop it hears", c.receive(), []string{"5"})
		c.leave()
		p.unregister()
		w.sendMessages(6, 1)
		p.params = nil
		p.allocate()
		w.sendMessages(7, 1)
		c = p.attach(p.handshake())
		w.equal("after a stop, without connectparams, it hears", c.receive(), []string{"7"})
	})
}

// A beginning is for its user, for some minutes, and cannot be made up. What is no good is passed over.
func TestForgedStartPositions(t *testing.T) {
	in := func(p *testClient, change func(beginning string) string) {
		before, beginning, ok := strings.Cut(p.service, configPath+"/")
		if !ok {
			p.w.Fatalf("no beginning in %s", p.service)
		}
		p.service = before + configPath + "/" + change(beginning)
	}
	for name, spoil := range map[string]func(w *world, p *testClient){
		"altered": func(_ *world, p *testClient) {
			in(p, func(b string) string { return "0" + b[strings.IndexByte(b, '.'):] })
		},
		"longer": func(_ *world, p *testClient) {
			in(p, func(b string) string { return strings.Replace(b, ".", ".9", 1) })
		},
		"cut": func(_ *world, p *testClient) {
			in(p, func(b string) string { return b[:strings.LastIndexByte(b, '.')] })
		},
		"rubbish": func(_ *world, p *testClient) { in(p, func(string) string { return "x" }) },
		"somebody else's": func(w *world, p *testClient) {
			other := w.newClient(alice, "f")
			other.configure(browserSDK)
			p.service = other.service
		},
		"too old": func(w *world, _ *testClient) { w.clock.Advance(startLife + clockSkew + time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.sendMessages(1, 1)
				p := w.newClient(bob, "e")
				p.configure(browserSDK)
				spoil(w, p)
				w.sendMessages(2, 1)
				synctest.Wait()
				c := p.connect()
				w.sendMessages(3, 1)
				w.equal("it hears", c.receive(), []string{"3"})
			})
		})
	}
}

// One behind the present is of another journal, as after a restored backup.
func TestStartPositionOfAnotherJournal(t *testing.T) {
	bubble(t, func(w *world) {
		w.sendMessages(1, 9)
		p := w.newClient(bob, "e")
		p.configure(browserSDK)
		w.stop()
		w.journal.empty()
		w.start()
		w.sendMessages(1, 2)
		synctest.Wait()
		c := p.connect()
		w.sendMessages(3, 1)
		w.equal("it hears", c.receive(), []string{"3"})
	})
}

// Of phones only the address is not known to be kept as it is: theirs has no path, and what is noted instead is for one
// allocation, and bounded.
func TestStartPositionOfPhones(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.configure(phoneSDK)
		if p.service != origin {
			t.Errorf("the service is at %s", p.service)
		}
		w.sendMessages(1, 1)
		w.equal("it hears", p.connect().receive(), []string{"1"})
		w.equal("another hears", w.newClient(bob, "f").connect().receive(), nil)
		p.configure(phoneSDK)
		w.clock.Advance(startLife + clockSkew + time.Second)
		time.Sleep(2 * time.Minute)
		w.server.mu.Lock()
		defer w.server.mu.Unlock()
		if n := len(w.server.startPositions); n != 0 {
			t.Errorf("%d beginnings are kept", n)
		}
	})
}
