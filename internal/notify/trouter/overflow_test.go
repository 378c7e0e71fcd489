package trouter

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
