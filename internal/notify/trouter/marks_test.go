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

// What a client received and could not acknowledge is not sent again; what did not arrive is.
func TestClientIsAskedForMarks(t *testing.T) {
	for name, end := range map[string]func(*world, *clientConn){
		"cut":     func(_ *world, c *clientConn) { c.cut() },
		"crash":   func(w *world, _ *clientConn) { w.crash() },
		"restart": func(w *world, _ *clientConn) { w.restart() },
		"dead":    func(*world, *clientConn) {}, // the next connection finds it unresponsive
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.markingClient(bob, "e")
				c := p.connect()
				want := w.sendMessages(1, 3)
				synctest.Wait()
				c.dropping.Store(true)
				want = append(want, w.sendMessages(4, 2)...)
				synctest.Wait()
				end(w, c)
				want = append(want, w.sendMessages(6, 1)...)
				p.connect()
				time.Sleep(switchTimeout + time.Millisecond)
				w.equal("it knows", p.deliveredTexts(), want)
				w.crash()
				want = append(want, w.sendMessages(7, 1)...)
				p.connect()
				w.equal("at last it knows", p.deliveredTexts(), want)
			})
		})
	}
}

// What was told before several connections of which none came as far as to tell anything is known all the same, as far back
// as clients are asked.
func TestClientIsAskedForMarksAfterFailedConnections(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.markingClient(bob, "e")
		p.connect()
		want := w.sendMessages(1, 3)
		synctest.Wait()
		w.crash()
		for range maxPreviousTags - 1 {
			p.allocate()
		}
		p.connect()
		w.equal("it knows", p.deliveredTexts(), want)
	})
}

// When the response to the query is lost, the events are sent again: a missing one would be worse.
func TestMarksAnswerIsLost(t *testing.T) {
	for name, end := range map[string]func(*world, *clientConn){
		"cut":   func(_ *world, c *clientConn) { c.cut() },
		"crash": func(w *world, _ *clientConn) { w.crash() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.markingClient(bob, "e")
				c := p.connect()
				w.sendMessages(1, 2)
				synctest.Wait()
				c.dropping.Store(true)
				w.sendMessages(3, 1)
				synctest.Wait()
				end(w, c)
				p.marks.silent = true
				p.allocate()
				ws, _, err := p.upgrade(p.handshake())
				w.must(err)
				for asked := false; !asked; { // and gets no further
					_, data, err := ws.Read(w.Context())
					w.must(err)
					asked = strings.Contains(string(data), "message_loss")
					p.handle(string(data))
				}
				_ = ws.CloseNow()
				synctest.Wait()
				p.marks.silent = false
				p.connect()
				w.equal("it knows", p.deliveredTexts(), []string{"1", "2", "1", "2", "3"})
				w.crash()
				p.connect()
				w.equal("then it knows", p.deliveredTexts(), []string{"1", "2", "1", "2", "3"})
			})
		})
	}
}

// When the store was emptied, as that of a server for development is by a restart, the same positions mean other events.
func TestMarksOfAnotherJournal(t *testing.T) {
	for name, end := range map[string]func(*world, *clientConn){
		"cut":   func(_ *world, c *clientConn) { c.cut() },
		"crash": func(w *world, _ *clientConn) { w.crash() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.markingClient(bob, "e")
				p.connect()
				want := w.sendMessages(1, 5)
				synctest.Wait()
				w.listener.cut()
				w.stop()
				w.journal.empty()
				w.start()
				c := p.connect()
				want = append(want, w.sendMessages(11, 2)...)
				synctest.Wait()
				c.dropping.Store(true)
				want = append(want, w.sendMessages(13, 2)...)
				synctest.Wait()
				end(w, c)
				p.connect()
				w.equal("it knows", p.deliveredTexts(), want)
			})
		})
	}
}

// A client that does not answer at all is waited for a little while.
func TestClientDoesNotAnswerForMarks(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		p.connect().cut()
		first := p.connect()
		w.sendMessages(1, 1)
		first.frames()
		first.cut()
		p.allocate()
		ws, _, err := p.upgrade(p.handshake())
		w.must(err)
		start := time.Now()
		for {
			_, data, err := ws.Read(w.Context())
			w.must(err)
			if strings.Contains(string(data), "3:::") {
				break
			}
		}
		if took := time.Since(start); took != markTimeout {
			t.Errorf("told again after %v", took)
		}
	})
}

// More than a client can be asked about is sent again, in order, and nothing is missing.
func TestManyUncertainEvents(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.markingClient(bob, "e")
		c := p.connect()
		before := w.journal.saved()
		var want []string
		for range 15 {
			want = append(want, w.sendMessages(len(want)+1, 100)...)
			c.receive()
		}
		w.listener.cut()
		w.stop()
		w.journal.restore(before) // the server had no time at all to save
		w.start()
		c = p.connect()
		for len(c.receive()) > 0 { //nolint:revive // it does all in its condition
		}
		w.equal("it knows", p.deliveredTexts(), append(want, want[maxPairs:]...))
	})
}

// Marks come in the same message as the events. A native client, of which nobody knows what it makes of them, has none, and
// a message for each event.
func TestMarks(t *testing.T) {
	for client, marked := range map[string]bool{"": true, "acs-chat-ios": false} {
		t.Run(client, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := w.newClient(bob, "e")
				p.client = client
				p.allocate()
				ws, _, err := p.upgrade(p.handshake())
				w.must(err)
				synctest.Wait()
				large := strings.Repeat("x", 10<<10)
				for range 20 {
					w.sendMessage(large)
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
		p := w.markingClient(alice, "e")
		p.allocate()
		sid := p.handshake()
		p.begin(sid)
		w.sendMessages(1, 3)
		synctest.Wait()
		var answers []string
		for _, packet := range p.poll(sid) {
			answers = append(answers, p.handle(packet)...)
		}
		p.postPackets(sid, answers...)
		w.crash()
		w.sendMessages(4, 1)
		p.allocate()
		sid = p.handshake()
		for !slices.Equal(p.deliveredTexts(), []string{"1", "2", "3", "4"}) {
			answers = nil
			for _, packet := range p.poll(sid) {
				answers = append(answers, p.handle(packet)...)
			}
			if len(answers) > 0 {
				p.postPackets(sid, answers...)
			}
			if len(p.deliveredTexts()) > 4 {
				t.Fatalf("it knows %q", p.deliveredTexts())
			}
		}
	})
}

// Marks that were not asked for, or are malformed, change nothing.
func TestMarksWithoutQuery(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.newClient(bob, "e")
		c := p.connect()
		w.sendMessages(1, 2)
		frames := c.frames()
		for _, args := range []string{``, `,"args":[]`, `,"args":{}`, `,"args":[7]`, `,"args":[{"droppedIndicators":7}]`, `,"args":[{"droppedIndicators":[{"tag":7}]}]`, `,"args":[{"droppedIndicators":[{"tag":"` + p.params.Get("tags") + `","etag":"1"}]}]`} {
			c.emit(`{"name":"trouter.processed_message_loss"` + args + `}`)
		}
		c.answer(http.StatusOK, frames[1])
		c.cut()
		w.equal("it hears", p.connect().receive(), []string{"1"})
	})
}

// Tags come from clients, and go into what other connections are sent: those that are not ours are passed over.
func TestForeignTags(t *testing.T) {
	bubble(t, func(w *world) {
		for _, tags := range []string{"", "x", "AAAAAAAAAA.x", `AAAAAAAAAA."`, strings.Repeat("AAAAAAAAAA.", 9) + "AAAAAAAAAA", "none"} {
			p := w.newClient(bob, "e"+strconv.Itoa(len(tags)))
			p.allocate()
			p.params.Set("tags", tags)
			c := p.attach(p.handshake())
			w.sendMessage("hello")
			w.equal("with tags "+tags+" it hears", c.receive(), []string{"hello"})
			if p.allocate(); !tagShape.MatchString(p.params.Get("tags")) {
				t.Errorf("after %q come %q", tags, p.params.Get("tags"))
			}
			c.cut()
			time.Sleep(time.Second)
		}
	})
}
