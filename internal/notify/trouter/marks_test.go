package trouter

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// What a page was told and could not acknowledge is not told again; what did not arrive is.
func TestPageIsAsked(t *testing.T) {
	for name, end := range map[string]func(*world, *conn){
		"cut":     func(_ *world, c *conn) { c.cut() },
		"crash":   func(w *world, _ *conn) { w.crash() },
		"restart": func(w *world, _ *conn) { w.restart() },
		"dead":    func(*world, *conn) {}, // the next connection finds it unresponsive
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.remembering(bob, "e")
				c := p.connect()
				want := w.messages(1, 3)
				synctest.Wait()
				c.deaf.Store(true)
				want = append(want, w.messages(4, 2)...)
				synctest.Wait()
				end(w, c)
				want = append(want, w.messages(6, 1)...)
				p.connect()
				time.Sleep(switchTime + time.Millisecond)
				w.equal("it knows", p.knows(), want)
				w.crash()
				want = append(want, w.messages(7, 1)...)
				p.connect()
				w.equal("at last it knows", p.knows(), want)
			})
		})
	}
}

// What was told before several connections of which none came as far as to tell anything is known all the same, as far back
// as pages are asked.
func TestPageIsAskedAfterFailedConnections(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.remembering(bob, "e")
		p.connect()
		want := w.messages(1, 3)
		synctest.Wait()
		w.crash()
		for range maxPriors - 1 {
			p.allocate()
		}
		p.connect()
		w.equal("it knows", p.knows(), want)
	})
}

// A page whose answer is lost is told again: that something is missing would be worse.
func TestAnswerOfPageIsLost(t *testing.T) {
	for name, end := range map[string]func(*world, *conn){
		"cut":   func(_ *world, c *conn) { c.cut() },
		"crash": func(w *world, _ *conn) { w.crash() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.remembering(bob, "e")
				c := p.connect()
				w.messages(1, 2)
				synctest.Wait()
				c.deaf.Store(true)
				w.messages(3, 1)
				synctest.Wait()
				end(w, c)
				p.memory.mute = true
				p.allocate()
				ws, _, err := p.upgrade(p.shake())
				w.must(err)
				for asked := false; !asked; { // and gets no further
					_, data, err := ws.Read(w.Context())
					w.must(err)
					asked = strings.Contains(string(data), "message_loss")
					p.handle(string(data))
				}
				_ = ws.CloseNow()
				synctest.Wait()
				p.memory.mute = false
				p.connect()
				w.equal("it knows", p.knows(), []string{"1", "2", "1", "2", "3"})
				w.crash()
				p.connect()
				w.equal("then it knows", p.knows(), []string{"1", "2", "1", "2", "3"})
			})
		})
	}
}

// When the store was emptied, as that of a server for development is by a restart, the same positions mean other events.
func TestPageKnowsAnotherJournal(t *testing.T) {
	for name, end := range map[string]func(*world, *conn){
		"cut":   func(_ *world, c *conn) { c.cut() },
		"crash": func(w *world, _ *conn) { w.crash() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.remembering(bob, "e")
				p.connect()
				want := w.messages(1, 5)
				synctest.Wait()
				w.listener.cut()
				w.stop()
				w.journal.empty()
				w.start()
				c := p.connect()
				want = append(want, w.messages(11, 2)...)
				synctest.Wait()
				c.deaf.Store(true)
				want = append(want, w.messages(13, 2)...)
				synctest.Wait()
				end(w, c)
				p.connect()
				w.equal("it knows", p.knows(), want)
			})
		})
	}
}

// A client that does not answer at all is waited for a little while.
func TestPageDoesNotAnswer(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		p.connect().cut()
		first := p.connect()
		w.messages(1, 1)
		first.frames()
		first.cut()
		p.allocate()
		ws, _, err := p.upgrade(p.shake())
		w.must(err)
		start := time.Now()
		for {
			_, data, err := ws.Read(w.Context())
			w.must(err)
			if strings.Contains(string(data), "3:::") {
				break
			}
		}
		if took := time.Since(start); took != askTime {
			t.Errorf("told again after %v", took)
		}
	})
}

// More than a page can be asked about is told again, in order, and nothing is missing.
func TestManyDoubts(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.remembering(bob, "e")
		c := p.connect()
		before := w.journal.saved()
		var want []string
		for range 15 {
			want = append(want, w.messages(len(want)+1, 100)...)
			c.hear()
		}
		w.listener.cut()
		w.stop()
		w.journal.restore(before) // the server had no time at all to save
		w.start()
		c = p.connect()
		for len(c.hear()) > 0 { //nolint:revive // it does all in its condition
		}
		w.equal("it knows", p.knows(), append(want, want[maxPairs:]...))
	})
}

// Marks come in the same message as the events. A native client, of which nobody knows what it makes of them, has none, and
// a message for each event.
func TestMarks(t *testing.T) {
	for client, marked := range map[string]bool{"": true, "acs-chat-ios": false} {
		t.Run(client, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.page(bob, "e")
				p.client = client
				p.allocate()
				ws, _, err := p.upgrade(p.shake())
				w.must(err)
				synctest.Wait()
				large := strings.Repeat("x", 10<<10)
				for range 20 {
					w.say(large)
				}
				for heard := 0; heard < 20; {
					_, data, err := ws.Read(w.Context())
					w.must(err)
					packets := unframed(string(data))
					n := 0
					for _, packet := range packets {
						if strings.HasPrefix(packet, "3:::") {
							n++
						}
					}
					if heard += n; n == 0 {
						continue
					}
					last := packets[len(packets)-1]
					switch {
					case !marked && len(packets) != 1:
						t.Errorf("%d packets in a message", len(packets))
					case marked && (len(packets) != n+1 || strings.Count(last, `"etag"`) != n || !strings.Contains(last, `"etag":"`+strconv.FormatInt(int64(heard), 36)+`"`)):
						t.Errorf("%d events are marked by %s", n, last)
					case len(data) > groupSize+12<<10:
						t.Errorf("a message has %d bytes", len(data))
					}
				}
				_ = ws.Close(websocket.StatusNormalClosure, "")
			})
		})
	}
}

// Long polling has the marks in the same answer.
func TestMarksInPolling(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.remembering(alice, "e")
		p.allocate()
		sid := p.shake()
		p.begin(sid)
		w.messages(1, 3)
		synctest.Wait()
		var answers []string
		for _, packet := range p.poll(sid) {
			answers = append(answers, p.handle(packet)...)
		}
		p.bring(sid, answers...)
		w.crash()
		w.messages(4, 1)
		p.allocate()
		sid = p.shake()
		for !slices.Equal(p.knows(), []string{"1", "2", "3", "4"}) {
			answers = nil
			for _, packet := range p.poll(sid) {
				answers = append(answers, p.handle(packet)...)
			}
			if len(answers) > 0 {
				p.bring(sid, answers...)
			}
			if len(p.knows()) > 4 {
				t.Fatalf("it knows %q", p.knows())
			}
		}
	})
}

// What a page says of marks without having been asked, or does not say rightly, changes nothing.
func TestAnswersWithoutQuestion(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.page(bob, "e")
		c := p.connect()
		w.messages(1, 2)
		frames := c.frames()
		for _, args := range []string{``, `,"args":[]`, `,"args":{}`, `,"args":[7]`, `,"args":[{"droppedIndicators":7}]`, `,"args":[{"droppedIndicators":[{"tag":7}]}]`, `,"args":[{"droppedIndicators":[{"tag":"` + p.params.Get("tags") + `","etag":"1"}]}]`} {
			c.ask(`{"name":"trouter.processed_message_loss"` + args + `}`)
		}
		c.answer(http.StatusOK, frames[1])
		c.cut()
		w.equal("it hears", p.connect().hear(), []string{"1"})
	})
}

// Tags come from clients, and go into what other connections are sent: those that are not ours are passed over.
func TestTagsThatAreNotOurs(t *testing.T) {
	bubble(t, func(w *world) {
		for _, tags := range []string{"", "x", "AAAAAAAAAA.x", `AAAAAAAAAA."`, strings.Repeat("AAAAAAAAAA.", 9) + "AAAAAAAAAA", "none"} {
			p := w.page(bob, "e"+strconv.Itoa(len(tags)))
			p.allocate()
			p.params.Set("tags", tags)
			c := p.attach(p.shake())
			w.say("hello")
			w.equal("with tags "+tags+" it hears", c.hear(), []string{"hello"})
			if p.allocate(); !tagShape.MatchString(p.params.Get("tags")) {
				t.Errorf("after %q come %q", tags, p.params.Get("tags"))
			}
			c.cut()
			time.Sleep(time.Second)
		}
	})
}
