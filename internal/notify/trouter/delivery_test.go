package trouter

import (
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

func (w *world) equal(what string, got, want []string) {
	w.Helper()
	if !slices.Equal(got, want) {
		if len(want) > 20 || len(got) > 20 {
			w.Fatalf("%s: %d, want %d; first %.10q, want %.10q", what, len(got), len(want), got, want)
		}
		w.Fatalf("%s: %q, want %q", what, got, want)
	}
}

// All who take part hear an event, the originator too; each is named in what they get, and the url ends in the kind.
func TestAudience(t *testing.T) {
	bubble(t, func(w *world) {
		pages := map[chat.Identity]*clientConn{}
		for _, who := range []chat.Identity{alice, bob, carol} {
			pages[who] = w.newClient(who, "e").connect()
		}
		w.sendMessage("hello")
		w.addEvent(chat.Event{Kind: chat.TypingReceived, Actor: alice, At: now(), ThreadID: otherThread, Key: 2})
		for who, want := range map[chat.Identity][]string{
			alice: {"chatMessageReceived", "typingIndicatorReceived"}, bob: {"chatMessageReceived"}, carol: {"typingIndicatorReceived"},
		} {
			var kinds []string
			for _, f := range pages[who].frames() {
				kinds = append(kinds, f.URL[strings.LastIndexByte(f.URL, '/')+1:])
				if f.payload["recipientMri"] != string(who) {
					t.Errorf("%s gets what is for %v", who, f.payload["recipientMri"])
				}
			}
			w.equal(string(who), kinds, want)
		}
	})
}

// Who is removed hears what came before, that he was removed, and nothing of what came after: connected or not.
func TestRemovedParticipant(t *testing.T) {
	bubble(t, func(w *world) {
		here, away := w.newClient(bob, "here"), w.newClient(bob, "away")
		c := here.connect()
		away.connect().cut()
		w.sendMessage("before")
		removed := kinds()["removed"]
		removed.Key = 1
		w.addEvent(removed)
		after := message("after")
		after.Roster = withoutBob
		w.addEvent(after)
		synctest.Wait()
		for name, c := range map[string]*clientConn{"connected": c, "back again": away.connect()} {
			var got []string
			for _, f := range c.frames() {
				got = append(got, f.URL[strings.LastIndexByte(f.URL, '/')+1:])
			}
			w.equal(name+" he hears", got, []string{"chatMessageReceived", "participantsRemoved"})
		}
	})
}

func TestAllKindsAreSent(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(bob, "e").connect()
		for _, e := range kinds() {
			w.addEvent(e)
			frames := c.frames()
			if len(frames) != 1 || !strings.HasSuffix(frames[0].URL, "/"+string(e.Kind)) {
				t.Errorf("%s is told as %+v", e.Kind, frames)
			}
		}
	})
}

// A client that waits for the journal to be read is acknowledged meanwhile what it says, and can leave.
func TestWaitingForTheJournal(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.connect().cut()
		want := w.sendMessages(1, replayStep+1)
		synctest.Wait()
		w.view.slow = make(chan struct{})
		c := p.connect()
		if got := c.emit(`{"name":"ping"}`); got != `["pong"]` {
			t.Errorf("acknowledged with %q", got)
		}
		w.equal("it hears", c.receive(), nil)
		c.cut()
		if n := w.metric("connections"); n != 0 {
			t.Errorf("%v connections are left", n)
		}
		c = p.connect()
		close(w.view.slow)
		w.equal("it hears", append(c.receive(), c.receive()...), want)
		if lines := w.logs.find("ERROR"); len(lines) != 0 {
			t.Errorf("logged: %q", lines)
		}
	})
}

// An event of a kind that this server does not know is an error in the log, and not one without a number: told at once, and
// read from the journal.
func TestUnknownKind(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		for round := range 2 {
			w.addEvent(chat.Event{Kind: "chatMessagePinned", Actor: alice, At: now()})
			w.sendMessage("next")
			if round == 1 {
				c = p.connect()
			}
			w.equal("events", c.receive(), []string{"next"})
			if lines := w.logs.find("ERROR", "chatMessagePinned"); len(lines) != round+1 {
				w.Errorf("logged: %q", lines)
			}
			c.cut()
		}
	})
}

func TestOrder(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(bob, "e").connect()
		want := w.sendMessages(1, 200)
		frames := c.frames()
		w.equal("it hears", texts(frames), want)
		for i, f := range frames {
			if f.ID != int64(i+1) {
				t.Errorf("frame %d has id %d", i, f.ID)
			}
		}
	})
}

// After a reconnect the client gets again what it did not acknowledge, and nothing else.
func TestReconnect(t *testing.T) {
	for name, end := range map[string]func(*clientConn){"cut": (*clientConn).cut, "goodbye": (*clientConn).leave} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.newClient(bob, "e")
				c := p.connect()
				w.sendMessages(1, 5)
				c.answer(http.StatusOK, c.frames()[:3]...)
				end(c)
				w.sendMessages(6, 3)
				c = p.connect()
				w.equal("it hears", c.receive(), []string{"4", "5", "6", "7", "8"})
				end(c)
				c = p.connect()
				w.sendMessages(9, 1)
				w.equal("then it hears", c.receive(), []string{"9"})
				if n := w.metric("reconnects_total", "protocol=trouter"); n != 2 {
					t.Errorf("%v reconnects", n)
				}
			})
		})
	}
}

// An acknowledgement holds, also when an earlier event was not acknowledged.
func TestAcknowledgedOutOfOrder(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		w.sendMessages(1, 6)
		frames := c.frames()
		c.answer(http.StatusOK, frames[1], frames[3], frames[4])
		c.cut()
		c = p.connect() // is cut again before it could acknowledge
		w.equal("it hears", texts(c.frames()), []string{"1", "3", "6"})
		c.cut()
		w.sendMessages(7, 1)
		c = p.connect()
		frames = c.frames()
		w.equal("then it hears", texts(frames), []string{"1", "3", "6", "7"})
		c.answer(http.StatusOK, frames[3])
		c.cut()
		w.equal("at last it hears", p.connect().receive(), []string{"1", "3", "6"})
	})
}

// 504 means that an event came before the client listened: it is sent again, at once and in its place.
func TestTooEarly(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(bob, "e").connect()
		w.sendMessages(1, 3)
		first := c.frames()
		c.answer(http.StatusGatewayTimeout, first...)
		again := c.frames()
		w.equal("it hears again", texts(again), []string{"1", "2", "3"})
		if again[0].ID <= first[2].ID {
			t.Error("an id is given twice")
		}
		c.answer(http.StatusOK, again...)
		w.sendMessages(4, 1)
		w.equal("then it hears", c.receive(), []string{"4"})
		if n := w.metric("acks_total", "status=504"); n != 3 {
			t.Errorf("%v answers 504", n)
		}
	})
}

func TestTooEarlyAndCut(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		w.sendMessages(1, 2)
		frames := c.frames()
		c.answer(http.StatusGatewayTimeout, frames[0])
		c.answer(http.StatusOK, frames[1])
		c.cut()
		w.equal("it hears", p.connect().receive(), []string{"1"})
	})
}

// A client that is always too early is not told for ever.
func TestAlwaysTooEarly(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		w.sendMessages(1, 1)
		n := 0
		for frames := c.frames(); len(frames) > 0; frames = c.frames() {
			n += len(frames)
			c.answer(http.StatusGatewayTimeout, frames...)
		}
		if n != maxAttempts || w.metric("dropped_total", "reason=too early") != 1 || len(w.logs.find("WARN", "status=504", "position=1")) != 1 {
			t.Errorf("told %d times, logged %q", n, w.logs.find("WARN"))
		}
		c.cut()
		w.sendMessages(2, 1)
		w.equal("it hears", p.connect().receive(), []string{"2"})
	})
}

// 404 is what the SDK answers when the client's own handler throws, when it has none, and when it cannot read a payload. It is
// not better the second time, and no failure of the server: a warning.
func TestNotHandled(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		w.sendMessages(1, 2)
		frames := c.frames()
		c.answer(http.StatusNotFound, frames[0])
		c.answer(http.StatusInternalServerError, frames[1])
		c.answer(http.StatusNotFound, frames...) // it repeats itself
		if got := c.frames(); len(got) != 0 {
			t.Errorf("told again: %+v", got)
		}
		c.cut()
		w.sendMessages(3, 1)
		w.equal("it hears", p.connect().receive(), []string{"3"})
		if got := w.logs.find("WARN", "a page did not handle an event", "kind=chatMessageReceived", "status=404", "position=1", string(bob)); len(got) != 1 {
			t.Errorf("logged are %q", w.logs.find("WARN"))
		}
		if got := w.logs.find("ERROR"); len(got) != 0 {
			t.Errorf("logged as our failure: %q", got)
		}
		for status, want := range map[string]float64{"404": 1, "500": 1, "200": 1} {
			if n := w.metric("acks_total", "status="+status); n != want {
				t.Errorf("%v answers %s", n, status)
			}
		}
	})
}

// No more than so many frames are on the way; each that is acknowledged makes room for one.
func TestWindow(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(bob, "e").connect()
		want := w.sendMessages(1, maxUnacked+10)
		frames := c.frames()
		w.equal("at first it hears", texts(frames), want[:maxUnacked])
		c.answer(http.StatusOK, frames[7])
		w.equal("then it hears", texts(c.frames()), want[maxUnacked:maxUnacked+1])
		c.answer(http.StatusOK, frames[:3]...)
		w.equal("then it hears", texts(c.frames()), want[maxUnacked+1:maxUnacked+4])
	})
}

func TestWindowInBytes(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(bob, "e").connect()
		large := strings.Repeat("x", 28<<10)
		for range 50 {
			w.sendMessage(large)
		}
		bytes, total := 0, 0
		frames := c.frames()
		for _, f := range frames {
			bytes += len(f.Body)
		}
		if bytes > maxUnackedBytes+30<<10 || bytes < maxUnackedBytes/2 {
			t.Errorf("%d bytes are on the way", bytes)
		}
		for ; len(frames) > 0; frames = c.frames() {
			total += len(frames)
			c.answer(http.StatusOK, frames...)
		}
		if total != 50 {
			t.Errorf("it hears %d", total)
		}
	})
}

// A client that acknowledges nothing for a while misses nothing, though what waits for it is bounded.
func TestOverflow(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		want := w.sendMessages(1, 5000)
		first := c.frames()
		w.equal("at first it hears", texts(first), want[:maxUnacked])
		if held := w.metric("queue_bytes"); held > maxHeldBytes+2000 || held == 0 {
			t.Errorf("%v bytes are held", held)
		}
		var got []string
		for frames := first; len(frames) > 0; frames = c.frames() {
			got = append(got, texts(frames)...)
			c.answer(http.StatusOK, frames...)
			if len(got) == 20*maxUnacked {
				want = append(want, w.sendMessages(5001, 500)...) // it goes on while it catches up
			}
			if held := w.metric("queue_bytes"); held > 2*maxHeldBytes {
				t.Fatalf("%v bytes are held", held)
			}
		}
		want = append(want, w.sendMessages(len(want)+1, 100)...)
		got = append(got, c.receive()...)
		w.equal("in all it hears", got, want)
		if held := w.metric("queue_bytes"); held != 0 {
			t.Errorf("%v bytes are held for nobody", held)
		}
		if n := w.metric("dropped_total"); n != 0 {
			t.Errorf("%v dropped", n)
		}
	})
}

// The same when it is cut in between.
func TestOverflowAndCut(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		want := w.sendMessages(1, 3000)
		var got []string
		for i := 0; len(got) < len(want); i++ {
			frames := c.frames()
			if len(frames) == 0 {
				t.Fatalf("after %d there is nothing more", len(got))
			}
			got = append(got, texts(frames)...)
			c.answer(http.StatusOK, frames...)
			if i%4 == 3 {
				c.frames() // of these it knows nothing
				c.cut()
				time.Sleep(time.Second)
				c = p.connect()
			}
		}
		w.equal("in all it hears", got, want)
	})
}

// After a very long absence the oldest are told and the rest is given up, with a word in the log.
func TestTooMuchToReplay(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.connect().cut()
		w.sendMessages(1, maxReplay+2000)
		synctest.Wait() // for the hub
		c := p.connect()
		n := 0
		for frames := c.frames(); len(frames) > 0; frames = c.frames() {
			n += len(frames)
			c.answer(http.StatusOK, frames...)
		}
		if n > maxReplay || n < maxReplay-replayStep || len(w.logs.find("WARN", "given up")) != 1 || w.metric("dropped_total", "reason=too long away") != 1 {
			t.Errorf("it hears %d, logged are %q", n, w.logs.find("WARN"))
		}
		w.sendMessages(1, 1)
		w.equal("then it hears", c.receive(), []string{"1"})
		c.cut()
		w.sendMessages(2, 1)
		w.equal("and after a reconnect", p.connect().receive(), []string{"2"})
	})
}

// A connection may fall behind as often as it likes: nothing is given up while it lasts.
func TestSlowClientIsNotCutOff(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.newClient(bob, "e").connect()
		var got []string
		next := 1
		for range 13 {
			w.sendMessages(next, 1500)
			next += 1500
			for range 4 {
				got = append(got, c.receive()...)
			}
		}
		for more := c.receive(); len(more) > 0; more = c.receive() {
			got = append(got, more...)
		}
		if len(got) != next-1 || w.metric("dropped_total") != 0 {
			t.Errorf("it hears %d of %d", len(got), next-1)
		}
	})
}

func TestJournalWasPurged(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		w.sendMessages(1, 4)
		c.frames() // not acknowledged
		c.cut()
		w.sendMessages(5, 5)
		w.journal.purge(8)
		c = p.connect()
		w.equal("it hears", c.receive(), []string{"8", "9"})
		if len(w.logs.find("WARN", "given up", "beyond_journal=true")) != 1 {
			t.Errorf("logged are %q", w.logs.find("WARN"))
		}
		c.cut()
		w.sendMessages(10, 1)
		w.equal("then it hears", p.connect().receive(), []string{"10"})
		if got := w.position(bob, "e"); got != 10 {
			t.Errorf("position is %d", got)
		}
	})
}

// That somebody was typing is no news after a while.
func TestOutdatedTyping(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.connect().cut()
		typing := func() { w.addEvent(chat.Event{Kind: chat.TypingReceived, Actor: alice, At: now()}) }
		typing()
		time.Sleep(typingLife + time.Second)
		w.sendMessage("hello")
		typing()
		c := p.connect()
		frames := c.frames()
		if len(frames) != 2 || frames[0].text() != "hello" || frames[1].payload["eventId"] != 245.0 {
			t.Errorf("it hears %+v", frames)
		}
		c.cut() // without having acknowledged
		time.Sleep(typingLife + time.Second)
		c = p.connect()
		w.equal("then it hears", c.receive(), []string{"hello"})
		c.cut()
		if at := w.server.endpoint(endpointKey{bob, "e"}).acknowledged().Position; at != 3 {
			t.Errorf("position is %d", at)
		}
	})
}

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

// Each client of a user gets each event, and acknowledges for itself.
func TestSeveralClients(t *testing.T) {
	bubble(t, func(w *world) {
		var pages []*testClient
		var conns []*clientConn
		for i := range 5 {
			p := w.newClient(bob, fmt.Sprint("e", i))
			pages, conns = append(pages, p), append(conns, p.connect())
		}
		want := w.sendMessages(1, 3)
		for i, c := range conns {
			if i%2 == 0 {
				w.equal("it hears", c.receive(), want)
			} else {
				w.equal("it hears", texts(c.frames()), want)
			}
			c.cut()
		}
		for i, p := range pages {
			if again := p.connect().receive(); i%2 == 0 {
				w.equal("it hears again", again, nil)
			} else {
				w.equal("it hears again", again, want)
			}
		}
	})
}

// The events of two clients of the same endpoint id, of different users, have nothing to do with each other.
func TestSameEndpointIDOfTwoUsers(t *testing.T) {
	bubble(t, func(w *world) {
		hers, his := w.newClient(alice, "e").connect(), w.newClient(bob, "e").connect()
		w.sendMessage("hello")
		w.equal("she hears", hers.receive(), []string{"hello"})
		w.equal("he hears", texts(his.frames()), []string{"hello"})
		his.cut()
		w.equal("he hears again", his.p.connect().receive(), []string{"hello"})
		if hers.err() != nil {
			t.Errorf("her connection ended with %v", hers.err())
		}
	})
}

func TestMetrics(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		time.Sleep(time.Millisecond)
		w.sendMessages(1, 3)
		frames := c.frames()
		for name, want := range map[string]float64{"connections": 1, "delivery_seconds": 3, "reconnects_total": 0, "acks_total": 0, "queue_bytes": 3 * 601} {
			if got := w.metric(name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		c.answer(http.StatusOK, frames[0])
		c.answer(418, frames[1])
		if held, other := w.metric("queue_bytes"), w.metric("acks_total", "status=other"); held != 601 || other != 1 {
			t.Errorf("%v bytes are held, %v other answers", held, other)
		}
		c.cut()
		if n, held := w.metric("connections"), w.metric("queue_bytes"); n != 0 || held != 0 {
			t.Errorf("%v connections, %v bytes", n, held)
		}
		p.connect().receive()
		// How late an event is for somebody who was away says nothing of the server.
		if n := w.metric("delivery_seconds"); n != 3 {
			t.Errorf("%v deliveries", n)
		}
	})
}
