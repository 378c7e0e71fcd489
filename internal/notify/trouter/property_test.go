package trouter

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/chatd/chatd/internal/chat"
)

// action is something that happens in a story; whom and how many it concerns are drawn with it.
type action struct {
	Kind   string
	Client int
	N      int
}

func actions(kinds []string, many int) *rapid.Generator[action] {
	few := rapid.IntRange(1, 5)
	return rapid.Custom(func(rt *rapid.T) action {
		return action{
			Kind:   rapid.SampledFrom(kinds).Draw(rt, "does"),
			Client: rapid.IntRange(0, 2).Draw(rt, "page"),
			N:      rapid.OneOf(few, few, few, few, few, few, few, rapid.IntRange(maxUnacked, many)).Draw(rt, "n"),
		}
	})
}

// Whatever happens to connections and to the two servers: in the end each client has acknowledged each event of its user exactly
// once, those of one thread in their order. Pages acknowledge in the order of arrival, as the SDK does.
func TestEachEventOnceInOrder(t *testing.T) {
	t.Parallel()
	runStories(t, false, maxUnacked+maxPending+500, "say", "say", "say", "acknowledge", "acknowledge", "connect", "connect", "move", "cut", "too early", "wait", "restart", "crash")
}

// A client that keeps marks gets each event exactly once, whether it could acknowledge it or not.
func TestEachEventOnceForMarkingClients(t *testing.T) {
	t.Parallel()
	runStories(t, true, maxUnacked+50, "say", "say", "say", "acknowledge", "connect", "connect", "move", "cut", "lose", "wait", "restart", "crash")
}

func runStories(t *testing.T, marking bool, many int, kinds ...string) {
	rapid.Check(t, func(rt *rapid.T) {
		plot := rapid.SliceOfN(actions(kinds, many), 1, 25).Draw(rt, "plot")
		var wrong string
		synctest.Test(t, func(t *testing.T) { wrong = newStory(t, marking).run(plot) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// story is a world with two clients of alice, who takes part in both threads, and one of carol, who takes part in the other one only.
type story struct {
	*world
	servers [2]*world
	clients []*storyClient
	want    map[chat.Identity][]int // numbers of the messages that each of them is to hear
	last    int
}

func newStory(t *testing.T, marking bool) *story {
	w := newWorld(t)
	s := &story{world: w, servers: [2]*world{w, w.addServer()}, want: map[chat.Identity][]int{}}
	for i, who := range []chat.Identity{alice, alice, carol} {
		r := &storyClient{p: s.servers[i%2].newClient(who, fmt.Sprint("e", i))}
		if marking {
			r.p = r.p.w.markingClient(who, r.p.epid)
		}
		s.clients = append(s.clients, r)
		r.connect()
	}
	return s
}

// run plays the plot and then lets everybody hear the rest. It returns what is wrong, if anything.
func (s *story) run(plot []action) string {
	for _, a := range plot {
		r := s.clients[a.Client]
		switch a.Kind {
		case "say":
			s.send(a.N)
		case "connect":
			r.connect()
		case "move":
			r.p.moveTo(s.other(r.p.w))
			r.connect()
		case "acknowledge":
			r.answer(http.StatusOK, a.N)
		case "too early":
			r.tooEarly()
		case "cut":
			r.cut()
		case "lose":
			r.lose()
		case "wait":
			time.Sleep(time.Duration(a.N%10) * time.Second)
		case "restart":
			r.p.w.restart()
		case "crash":
			r.p.w.crash()
		}
	}
	for _, r := range s.clients {
		r.connects = 0 // it has waited long enough to be let in
		time.Sleep(time.Minute)
		r.connect()
		time.Sleep(handoverTimeout + time.Second)
		for r.answer(http.StatusOK, 1<<30) > 0 { //nolint:revive // it does all in its condition
		}
		if wrong := s.compare(r); wrong != "" {
			return wrong
		}
	}
	for _, w := range s.servers {
		if held, dropped := w.metric("queue_bytes"), w.metric("dropped_total"); held != 0 || dropped != 0 {
			return fmt.Sprintf("%v bytes are held, %v dropped", held, dropped)
		}
	}
	return ""
}

func (s *story) other(w *world) *world {
	if w == s.servers[0] {
		return s.servers[1]
	}
	return s.servers[0]
}

// send has n messages sent, turn by turn in both threads.
func (s *story) send(n int) {
	for range n {
		s.last++
		e := message(strconv.Itoa(s.last))
		s.want[alice] = append(s.want[alice], s.last)
		if s.last%2 == 0 {
			e.ThreadID, e.Key = otherThread, 2
			s.want[carol] = append(s.want[carol], s.last)
		}
		s.addEvent(e)
	}
	synctest.Wait()
}

func (s *story) compare(r *storyClient) string {
	heard, did := slices.Clone(r.acked), "acknowledged"
	if r.p.marks != nil {
		heard, did = nil, "was told"
		for _, text := range r.p.deliveredTexts() {
			number, _ := strconv.Atoi(text)
			heard = append(heard, number)
		}
	}
	slices.SortStableFunc(heard, func(a, b int) int { return cmp.Compare(a%2, b%2) }) // thread by thread
	want := slices.Clone(s.want[r.p.user])
	slices.SortStableFunc(want, func(a, b int) int { return cmp.Compare(a%2, b%2) })
	for i := range max(len(heard), len(want)) {
		if i >= len(heard) || i >= len(want) || heard[i] != want[i] {
			return fmt.Sprintf("page %s %s %d of %d; from the first difference on %v, want %v",
				r.p.epid, did, len(heard), len(want), heard[min(i, len(heard)):min(i+5, len(heard))], want[min(i, len(want)):min(i+5, len(want))])
		}
	}
	return ""
}

// storyClient is a client with all of its connections that may still be open.
type storyClient struct {
	p        *testClient
	conns    []*storyConn
	connects int
	acked    []int // numbers of the messages that were acknowledged
}

// storyConn is a connection with the frames that came and were not answered.
type storyConn struct {
	*clientConn
	frames []frame
	early  int
}

func (r *storyClient) connect() {
	if r.connects++; r.connects > int(endpointRate.burst) {
		return
	}
	r.conns = append(r.conns, &storyConn{clientConn: r.p.connect()})
	if r.p.marks != nil {
		time.Sleep(handoverTimeout + markTimeout) // else one might come after another until none is known any more that told something
	}
}

// answer answers n frames, on older connections first, and returns how many there were.
func (r *storyClient) answer(status, n int) int {
	answered := 0
	for _, l := range r.open() {
		k := min(n-answered, len(l.frames))
		l.answer(status, l.frames[:k]...)
		for _, f := range l.frames[:k] {
			if number, err := strconv.Atoi(f.text()); err == nil && status == http.StatusOK {
				r.acked = append(r.acked, number)
			}
		}
		l.frames = l.frames[k:]
		answered += k
	}
	return answered
}

// tooEarly answers all frames of the newest connection with 504, less often than the server would give up.
func (r *storyClient) tooEarly() {
	lines := r.open()
	if len(lines) == 0 {
		return
	}
	if l := lines[len(lines)-1]; l.early < maxAttempts-1 {
		l.early++
		l.answer(http.StatusGatewayTimeout, l.frames...)
		l.frames = nil
	}
}

func (r *storyClient) cut() {
	if lines := r.open(); len(lines) > 0 {
		lines[len(lines)-1].cut()
	}
}

// lose has all that comes from now on be lost, until the client connects again.
func (r *storyClient) lose() {
	for _, l := range r.open() {
		l.dropping.Store(true)
	}
}

// open returns the connections that are open, with all that came on them.
func (r *storyClient) open() []*storyConn {
	r.conns = slices.DeleteFunc(r.conns, func(l *storyConn) bool { return l.err() != nil })
	for _, l := range r.conns {
		l.frames = append(l.frames, l.clientConn.frames()...)
	}
	return r.conns
}
