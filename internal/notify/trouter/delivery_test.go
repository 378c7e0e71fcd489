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
func TestWhoHears(t *testing.T) {
	bubble(t, func(w *world) {
		pages := map[chat.Identity]*conn{}
		for _, who := range []chat.Identity{alice, bob, carol} {
			pages[who] = w.page(who, "e").connect()
		}
		w.say("hello")
		w.tell(chat.Event{Kind: chat.TypingReceived, Actor: alice, At: now(), ThreadID: otherThread, Key: 2})
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
		here, away := w.page(bob, "here"), w.page(bob, "away")
		c := here.connect()
		away.connect().cut()
		w.say("before")
		removed := kinds()["removed"]
		removed.Key = 1
		w.tell(removed)
		after := message("after")
		after.Roster = withoutBob
		w.tell(after)
		synctest.Wait()
		for name, c := range map[string]*conn{"connected": c, "back again": away.connect()} {
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
		c := w.page(bob, "e").connect()
		for _, e := range kinds() {
			w.tell(e)
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
		p := w.page(bob, "e")
		p.connect().cut()
		want := w.messages(1, replayStep+1)
		synctest.Wait()
		w.view.slow = make(chan struct{})
		c := p.connect()
		if got := c.ask(`{"name":"ping"}`); got != `["pong"]` {
			t.Errorf("acknowledged with %q", got)
		}
		w.equal("it hears", c.hear(), nil)
		c.cut()
		if n := w.metric("connections"); n != 0 {
			t.Errorf("%v connections are left", n)
		}
		c = p.connect()
		close(w.view.slow)
		w.equal("it hears", append(c.hear(), c.hear()...), want)
		if lines := w.logs.find("ERROR"); len(lines) != 0 {
			t.Errorf("logged: %q", lines)
		}
	})
}

// An event of a kind that this server does not know is an error in the log, and not one without a number: told at once, and
// read from the journal.
func TestUnknownKind(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		c := p.connect()
		for round := range 2 {
			w.tell(chat.Event{Kind: "chatMessagePinned", Actor: alice, At: now()})
			w.say("next")
			if round == 1 {
				c = p.connect()
			}
			w.equal("events", c.hear(), []string{"next"})
			if lines := w.logs.find("ERROR", "chatMessagePinned"); len(lines) != round+1 {
				w.Errorf("logged: %q", lines)
			}
			c.cut()
		}
	})
}

func TestOrder(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.page(bob, "e").connect()
		want := w.messages(1, 200)
		frames := c.frames()
		w.equal("it hears", texts(frames), want)
		for i, f := range frames {
			if f.ID != int64(i+1) {
				t.Errorf("frame %d has id %d", i, f.ID)
			}
		}
	})
}

// What was not acknowledged is told again after a reconnect, and what was is not.
func TestReconnect(t *testing.T) {
	for name, end := range map[string]func(*conn){"cut": (*conn).cut, "goodbye": (*conn).leave} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.page(bob, "e")
				c := p.connect()
				w.messages(1, 5)
				c.answer(http.StatusOK, c.frames()[:3]...)
				end(c)
				w.messages(6, 3)
				c = p.connect()
				w.equal("it hears", c.hear(), []string{"4", "5", "6", "7", "8"})
				end(c)
				c = p.connect()
				w.messages(9, 1)
				w.equal("then it hears", c.hear(), []string{"9"})
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
		p := w.page(bob, "e")
		c := p.connect()
		w.messages(1, 6)
		frames := c.frames()
		c.answer(http.StatusOK, frames[1], frames[3], frames[4])
		c.cut()
		c = p.connect() // is cut again before it could acknowledge
		w.equal("it hears", texts(c.frames()), []string{"1", "3", "6"})
		c.cut()
		w.messages(7, 1)
		c = p.connect()
		frames = c.frames()
		w.equal("then it hears", texts(frames), []string{"1", "3", "6", "7"})
		c.answer(http.StatusOK, frames[3])
		c.cut()
		w.equal("at last it hears", p.connect().hear(), []string{"1", "3", "6"})
	})
}

// 504 means that an event came before the page listened: it is told again, at once and in its place.
func TestTooEarly(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.page(bob, "e").connect()
		w.messages(1, 3)
		first := c.frames()
		c.answer(http.StatusGatewayTimeout, first...)
		again := c.frames()
		w.equal("it hears again", texts(again), []string{"1", "2", "3"})
		if again[0].ID <= first[2].ID {
			t.Error("an id is given twice")
		}
		c.answer(http.StatusOK, again...)
		w.messages(4, 1)
		w.equal("then it hears", c.hear(), []string{"4"})
		if n := w.metric("acks_total", "status=504"); n != 3 {
			t.Errorf("%v answers 504", n)
		}
	})
}

func TestTooEarlyAndCut(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		c := p.connect()
		w.messages(1, 2)
		frames := c.frames()
		c.answer(http.StatusGatewayTimeout, frames[0])
		c.answer(http.StatusOK, frames[1])
		c.cut()
		w.equal("it hears", p.connect().hear(), []string{"1"})
	})
}

// A client that is always too early is not told for ever.
func TestAlwaysTooEarly(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		c := p.connect()
		w.messages(1, 1)
		n := 0
		for frames := c.frames(); len(frames) > 0; frames = c.frames() {
			n += len(frames)
			c.answer(http.StatusGatewayTimeout, frames...)
		}
		if n != maxAttempts || w.metric("dropped_total", "reason=too early") != 1 || len(w.logs.find("WARN", "status=504", "position=1")) != 1 {
			t.Errorf("told %d times, logged %q", n, w.logs.find("WARN"))
		}
		c.cut()
		w.messages(2, 1)
		w.equal("it hears", p.connect().hear(), []string{"2"})
	})
}

// 404 is what the SDK answers when the page's own handler throws, when it has none, and when it cannot read a payload. It is
// not better the second time, and no failure of the server: a warning.
func TestNotHandled(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		c := p.connect()
		w.messages(1, 2)
		frames := c.frames()
		c.answer(http.StatusNotFound, frames[0])
		c.answer(http.StatusInternalServerError, frames[1])
		c.answer(http.StatusNotFound, frames...) // it repeats itself
		if got := c.frames(); len(got) != 0 {
			t.Errorf("told again: %+v", got)
		}
		c.cut()
		w.messages(3, 1)
		w.equal("it hears", p.connect().hear(), []string{"3"})
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
		c := w.page(bob, "e").connect()
		want := w.messages(1, maxOutstanding+10)
		frames := c.frames()
		w.equal("at first it hears", texts(frames), want[:maxOutstanding])
		c.answer(http.StatusOK, frames[7])
		w.equal("then it hears", texts(c.frames()), want[maxOutstanding:maxOutstanding+1])
		c.answer(http.StatusOK, frames[:3]...)
		w.equal("then it hears", texts(c.frames()), want[maxOutstanding+1:maxOutstanding+4])
	})
}

func TestWindowInBytes(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.page(bob, "e").connect()
		large := strings.Repeat("x", 28<<10)
		for range 50 {
			w.say(large)
		}
		bytes, total := 0, 0
		frames := c.frames()
		for _, f := range frames {
			bytes += len(f.Body)
		}
		if bytes > maxFlight+30<<10 || bytes < maxFlight/2 {
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
		p := w.page(bob, "e")
		c := p.connect()
		want := w.messages(1, 5000)
		first := c.frames()
		w.equal("at first it hears", texts(first), want[:maxOutstanding])
		if held := w.metric("queue_bytes"); held > maxBytes+2000 || held == 0 {
			t.Errorf("%v bytes are held", held)
		}
		var got []string
		for frames := first; len(frames) > 0; frames = c.frames() {
			got = append(got, texts(frames)...)
			c.answer(http.StatusOK, frames...)
			if len(got) == 20*maxOutstanding {
				want = append(want, w.messages(5001, 500)...) // it goes on while it catches up
			}
			if held := w.metric("queue_bytes"); held > 2*maxBytes {
				t.Fatalf("%v bytes are held", held)
			}
		}
		want = append(want, w.messages(len(want)+1, 100)...)
		got = append(got, c.hear()...)
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
		p := w.page(bob, "e")
		c := p.connect()
		want := w.messages(1, 3000)
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
func TestTooMuch(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		p.connect().cut()
		w.messages(1, maxReplay+2000)
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
		w.messages(1, 1)
		w.equal("then it hears", c.hear(), []string{"1"})
		c.cut()
		w.messages(2, 1)
		w.equal("and after a reconnect", p.connect().hear(), []string{"2"})
	})
}

// A connection may fall behind as often as it likes: nothing is given up while it lasts.
func TestSlowForLong(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.page(bob, "e").connect()
		var got []string
		next := 1
		for range 13 {
			w.messages(next, 1500)
			next += 1500
			for range 4 {
				got = append(got, c.hear()...)
			}
		}
		for more := c.hear(); len(more) > 0; more = c.hear() {
			got = append(got, more...)
		}
		if len(got) != next-1 || w.metric("dropped_total") != 0 {
			t.Errorf("it hears %d of %d", len(got), next-1)
		}
	})
}

func TestJournalWasPurged(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		c := p.connect()
		w.messages(1, 4)
		c.frames() // not acknowledged
		c.cut()
		w.messages(5, 5)
		w.journal.purge(8)
		c = p.connect()
		w.equal("it hears", c.hear(), []string{"8", "9"})
		if len(w.logs.find("WARN", "given up", "beyond_journal=true")) != 1 {
			t.Errorf("logged are %q", w.logs.find("WARN"))
		}
		c.cut()
		w.messages(10, 1)
		w.equal("then it hears", p.connect().hear(), []string{"10"})
		if got := w.position(bob, "e"); got != 10 {
			t.Errorf("position is %d", got)
		}
	})
}

// That somebody was typing is no news after a while.
func TestOldTyping(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		p.connect().cut()
		typing := func() { w.tell(chat.Event{Kind: chat.TypingReceived, Actor: alice, At: now()}) }
		typing()
		time.Sleep(typingLife + time.Second)
		w.say("hello")
		typing()
		c := p.connect()
		frames := c.frames()
		if len(frames) != 2 || frames[0].text() != "hello" || frames[1].payload["eventId"] != 245.0 {
			t.Errorf("it hears %+v", frames)
		}
		c.cut() // without having acknowledged
		time.Sleep(typingLife + time.Second)
		c = p.connect()
		w.equal("then it hears", c.hear(), []string{"hello"})
		c.cut()
		if at := w.server.endpoint(endpointKey{bob, "e"}).told().Position; at != 3 {
			t.Errorf("position is %d", at)
		}
	})
}

// A journal that cannot be read for a while delays events, and loses none.
func TestJournalFails(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		p.connect().cut()
		w.messages(1, 3)
		synctest.Wait() // the hub has them
		w.journal.fail(errors.New("disk"))
		c := p.connect()
		if got := c.frames(); len(got) != 0 {
			t.Errorf("it hears %+v", got)
		}
		w.journal.fail(nil)
		time.Sleep(beatEvery)
		w.equal("it hears", c.hear(), []string{"1", "2", "3"})
	})
}

// Without its position a client would miss events, so it has to try again.
func TestPositionCannotBeRead(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		c := p.connect()
		w.messages(1, 1)
		c.hear()
		c.cut()
		w.messages(2, 2)
		p.allocate()
		sid := p.shake()
		w.journal.lose(errors.New("disk"))
		if status := p.refusedUpgrade(sid); status != http.StatusServiceUnavailable {
			t.Errorf("the upgrade answers %d", status)
		}
		if a := p.getHandshake(); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "3" {
			t.Errorf("the handshake answers %d", a.status)
		}
		if a := p.postRegistration(origin, registrationOf("e", "AcsWeb_Chat_2.1", p.surl)); a.status != http.StatusServiceUnavailable {
			t.Errorf("the registrar answers %d", a.status)
		}
		w.journal.lose(nil)
		w.equal("it hears", p.connect().hear(), []string{"2", "3"})
	})
}

// What cannot be saved is tried again, also when nothing changes any more.
func TestPositionCannotBeSaved(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.page(bob, "e").connect()
		w.messages(1, 3)
		w.journal.lose(errors.New("disk"))
		c.hear()
		time.Sleep(time.Minute)
		w.journal.lose(nil)
		time.Sleep(saveAgain)
		synctest.Wait()
		if got := w.position(bob, "e"); got != 3 {
			t.Errorf("position is %d", got)
		}
	})
}

// Each page of a user hears each event, and acknowledges for itself.
func TestSeveralPages(t *testing.T) {
	bubble(t, func(w *world) {
		var pages []*page
		var conns []*conn
		for i := range 5 {
			p := w.page(bob, fmt.Sprint("e", i))
			pages, conns = append(pages, p), append(conns, p.connect())
		}
		want := w.messages(1, 3)
		for i, c := range conns {
			if i%2 == 0 {
				w.equal("it hears", c.hear(), want)
			} else {
				w.equal("it hears", texts(c.frames()), want)
			}
			c.cut()
		}
		for i, p := range pages {
			if again := p.connect().hear(); i%2 == 0 {
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
		hers, his := w.page(alice, "e").connect(), w.page(bob, "e").connect()
		w.say("hello")
		w.equal("she hears", hers.hear(), []string{"hello"})
		w.equal("he hears", texts(his.frames()), []string{"hello"})
		his.cut()
		w.equal("he hears again", his.p.connect().hear(), []string{"hello"})
		if hers.err() != nil {
			t.Errorf("her connection ended with %v", hers.err())
		}
	})
}

func TestMetrics(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		c := p.connect()
		time.Sleep(time.Millisecond)
		w.messages(1, 3)
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
		p.connect().hear()
		// How late an event is for somebody who was away says nothing of the server.
		if n := w.metric("delivery_seconds"); n != 3 {
			t.Errorf("%v deliveries", n)
		}
	})
}
