//go:build unix

package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatd/chatd/test/cluster"
)

// world is what a history happens in.
type world struct {
	t       *testing.T
	cluster *cluster.Cluster
	http    *http.Client
	tally   tally
	ledger  ledger
	over    chan struct{} // closed when nobody shall begin anything

	observers []*person // take part in all threads, and do nothing
	members   []*person // take part in all threads; each belongs to a worker

	mu     sync.Mutex
	random *rand.Rand
	rooms  []string // ids of threads

	listeners sync.WaitGroup
	listening context.Context
	deafen    context.CancelFunc
	hearing   []*subscriber
	newest    atomic.Int64 // position that somebody has heard
}

func newWorld(t *testing.T, c *cluster.Cluster, seed uint64) *world {
	w := &world{
		t: t, cluster: c, over: make(chan struct{}), random: rand.New(rand.NewPCG(seed, 0)),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}},
	}
	w.listening, w.deafen = context.WithCancel(context.Background())
	t.Cleanup(w.deafen)
	for range 2 {
		w.observers = append(w.observers, w.newPerson())
	}
	for range workers {
		w.members = append(w.members, w.newPerson())
	}
	return w
}

// chance is a random number below n.
func (w *world) chance(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

// within is a random time between two.
func (w *world) within(low, high time.Duration) time.Duration {
	return low + time.Duration(w.chance(int(high-low)))
}

// node is one to ask: seldom one that is known to be in trouble.
func (w *world) node(random *rand.Rand) *cluster.Node {
	first := random.IntN(len(w.cluster.Nodes))
	if n := w.cluster.Nodes[first]; n.Trouble()%2 == 0 || random.IntN(20) == 0 {
		return n
	}
	return w.cluster.Nodes[(first+1)%len(w.cluster.Nodes)]
}

// pause is what a client does upon Retry-After, more impatiently. It reports whether to go on.
func (w *world) pause() bool {
	select {
	case <-w.over:
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}

func (w *world) ended() bool {
	select {
	case <-w.over:
		return true
	default:
		return false
	}
}

// create makes a thread of observers and members, by a token that each repetition has. It repeats until it is told that it
// did, and then once more at another node; there must be one thread. It returns "" when time was up before.
func (w *world) create(by *person, topic string, random *rand.Rand) string {
	var people []any
	for i, p := range slices.Concat(w.observers, w.members) {
		people = append(people, p.participant(fmt.Sprint("steady ", i)))
	}
	in := map[string]any{"topic": topic, "participants": people}
	type answer struct{ ChatThread struct{ ID string } }
	once := func(node *cluster.Node) string {
		var out answer
		status := w.ask(node, by, "POST", "/chat/threads?api-version=2024-03-07", in, &out, "repeatability-request-id", topic)
		w.note("create "+topic, status)
		return out.ChatThread.ID
	}
	for id := ""; ; {
		var both [2]string // at once, as an impatient client does it
		if random.IntN(3) == 0 {
			var all sync.WaitGroup
			for i := range both {
				all.Go(func() { both[i] = once(w.cluster.Nodes[i]) })
			}
			all.Wait()
		} else {
			both[0] = once(w.node(random))
		}
		for _, got := range both {
			switch {
			case got == "":
			case id != "": // again
				if got != id {
					w.t.Errorf("the creation of %q was answered by %s and by %s", topic, id, got)
				}
				w.join(id)
				return id
			default:
				id = got
			}
		}
		if id == "" && !w.pause() {
			return ""
		}
	}
}

func (w *world) join(room string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rooms = append(w.rooms, room)
}

// room is one of the newest threads.
func (w *world) room(random *rand.Rand) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest := w.rooms[max(0, len(w.rooms)-5):]
	return newest[random.IntN(len(newest))]
}
