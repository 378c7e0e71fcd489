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
// page sends its first message when startRealtimeNotifications() resolves, which is with the configuration.
func TestBeginsAtTheFirstRequest(t *testing.T) {
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
				w.say("before")
				p := w.page(bob, c.epid)
				p.old = c.old
				if c.configure != "" {
					p.configure(c.configure)
				}
				w.say("configured")
				p.allocate()
				w.say("allocated")
				sid := p.shake()
				w.say("shaken")
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
				w.equal("it hears", connection.hear(), c.want)
				connection.cut()
				w.say("later")
				w.equal("then it hears", p.connect().hear(), []string{"later"})
			})
		})
	}
}

// Also in a journal in which nothing is yet.
func TestBeginsBeforeAll(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		p.configure(browserSDK)
		w.messages(1, 2)
		synctest.Wait()
		w.equal("it hears", p.connect().hear(), []string{"1", "2"})
	})
}

// Each step may come to another server, one of which is behind with the journal.
func TestBeginsAtSeveralServers(t *testing.T) {
	twoServers(t, func(a, b *world) {
		b.view.hidden.Store(true)
		a.messages(1, 1)
		p := b.page(bob, "e")
		p.configure(browserSDK)
		a.messages(2, 1)
		p.at(a).allocate()
		a.messages(3, 1)
		sid := p.at(b).shake()
		a.messages(4, 1)
		c := p.at(a).attach(sid)
		a.equal("it hears", c.hear(), []string{"2", "3", "4"})
		c.cut()
		b.view.hidden.Store(false)
		a.messages(5, 1)
		a.equal("then it hears", p.at(b).connect().hear(), []string{"5"})
	})
}

// A server that is behind with the journal still begins at the present, for every SDK.
func TestBeginsBehindTheJournal(t *testing.T) {
	for name, sdk := range map[string]string{"browser": browserSDK, "phone": phoneSDK} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.view.hidden.Store(true)
				w.say("before")
				p := w.page(bob, "e")
				p.configure(sdk)
				w.say("configured")
				w.view.hidden.Store(false)
				w.say("shown") // so that the hub looks
				w.equal("it hears", p.connect().hear(), []string{"configured", "shown"})
			})
		})
	}
}

// Attempts that fail before the first connection do not move the beginning.
func TestBeginningSurvivesFailures(t *testing.T) {
	for name, failures := range map[string]func(p *page){
		"some":          func(*page) {},
		"three of each": func(p *page) { p.params = nil }, // then the client allocates at the address that it was given first
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.page(bob, "e")
				p.configure(browserSDK)
				w.messages(1, 1)
				p.allocate()
				w.messages(2, 1)
				failures(p)
				p.allocate()
				w.journal.fail(errors.New("disk"))
				if a := p.getHandshake(); a.status != http.StatusOK { // the allocation has told where it begins
					t.Errorf("the handshake answers %d", a.status)
				}
				w.journal.fail(nil)
				w.messages(3, 1)
				w.equal("it hears", p.connect().hear(), []string{"1", "2", "3"})
			})
		})
	}
}

// The address with the beginning in it stays that of the client for its life, also when it drops its connectparams: nothing
// is told twice for that, whether it was acknowledged before or not, and a client that had stopped begins at the present.
func TestBeginningIsForTheFirstConnection(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		p.configure(browserSDK)
		w.messages(1, 2)
		c := p.connect()
		w.equal("it hears", c.hear(), []string{"1", "2"})
		c.cut()
		p.params = nil
		w.messages(3, 1)
		c = p.connect()
		w.equal("without connectparams it hears", c.hear(), []string{"3"})
		c.leave()
		p.unregister()
		w.messages(4, 1)
		synctest.Wait()
		p.allocate()
		w.messages(5, 1)
		c = p.attach(p.shake())
		w.equal("after a stop it hears", c.hear(), []string{"5"})
		c.leave()
		p.unregister()
		w.messages(6, 1)
		p.params = nil
		p.allocate()
		w.messages(7, 1)
		c = p.attach(p.shake())
		w.equal("after a stop, without connectparams, it hears", c.hear(), []string{"7"})
	})
}

// A beginning is for its user, for some minutes, and cannot be made up. What is no good is passed over.
func TestStrangeBeginnings(t *testing.T) {
	in := func(p *page, change func(beginning string) string) {
		before, beginning, ok := strings.Cut(p.service, configPath+"/")
		if !ok {
			p.w.Fatalf("no beginning in %s", p.service)
		}
		p.service = before + configPath + "/" + change(beginning)
	}
	for name, spoil := range map[string]func(w *world, p *page){
		"altered": func(_ *world, p *page) { in(p, func(b string) string { return "0" + b[strings.IndexByte(b, '.'):] }) },
		"longer":  func(_ *world, p *page) { in(p, func(b string) string { return strings.Replace(b, ".", ".9", 1) }) },
		"cut":     func(_ *world, p *page) { in(p, func(b string) string { return b[:strings.LastIndexByte(b, '.')] }) },
		"rubbish": func(_ *world, p *page) { in(p, func(string) string { return "x" }) },
		"somebody else's": func(w *world, p *page) {
			other := w.page(alice, "f")
			other.configure(browserSDK)
			p.service = other.service
		},
		"too old": func(w *world, _ *page) { w.ahead.Add((beginTime + skew + time.Second).Milliseconds()) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.messages(1, 1)
				p := w.page(bob, "e")
				p.configure(browserSDK)
				spoil(w, p)
				w.messages(2, 1)
				synctest.Wait()
				c := p.connect()
				w.messages(3, 1)
				w.equal("it hears", c.hear(), []string{"3"})
			})
		})
	}
}

// One behind the present is of another journal, as after a restored backup.
func TestBeginningOfAnotherJournal(t *testing.T) {
	bubble(t, func(w *world) {
		w.messages(1, 9)
		p := w.page(bob, "e")
		p.configure(browserSDK)
		w.stop()
		w.journal.empty()
		w.start()
		w.messages(1, 2)
		synctest.Wait()
		c := p.connect()
		w.messages(3, 1)
		w.equal("it hears", c.hear(), []string{"3"})
	})
}

// Of phones only the address is not known to be kept as it is: theirs has no path, and what is noted instead is for one
// allocation, and bounded.
func TestBeginningOfPhones(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		p.configure(phoneSDK)
		if p.service != origin {
			t.Errorf("the service is at %s", p.service)
		}
		w.messages(1, 1)
		w.equal("it hears", p.connect().hear(), []string{"1"})
		w.equal("another hears", w.page(bob, "f").connect().hear(), nil)
		p.configure(phoneSDK)
		w.ahead.Add((beginTime + skew + time.Second).Milliseconds())
		time.Sleep(2 * time.Minute)
		w.server.mu.Lock()
		defer w.server.mu.Unlock()
		if n := len(w.server.begun); n != 0 {
			t.Errorf("%d beginnings are kept", n)
		}
	})
}
