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

// world is the state that workers, subscribers and faults of one test share.
type world struct {
	t        *testing.T
	cluster  *cluster.Cluster
	http     *http.Client
	tally    tally
	outcomes outcomes
	over     chan struct{} // closed when workers have to stop

	observers []*user // take part in all threads, and do nothing
	members   []*user // take part in all threads; each belongs to a worker

	mu      sync.Mutex
	random  *rand.Rand
	threads []string // ids of threads

	listeners   sync.WaitGroup
	listening   context.Context
	unsubscribe context.CancelFunc
	subscribers []*subscriber
	newest      atomic.Int64 // position that a subscriber has received
}

func newWorld(t *testing.T, c *cluster.Cluster, seed uint64) *world {
	w := &world{
		t: t, cluster: c, over: make(chan struct{}), random: rand.New(rand.NewPCG(seed, 0)),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}},
	}
	w.listening, w.unsubscribe = context.WithCancel(context.Background())
	t.Cleanup(w.unsubscribe)
	for range 2 {
		w.observers = append(w.observers, w.newUser())
	}
	for range workers {
		w.members = append(w.members, w.newUser())
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

// pause is what a client does upon Retry-After, but sooner. It reports whether to continue.
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

// create makes a thread of observers and members, by a token that each repetition has. It repeats until an answer says that
// the thread was created, and then once more at another node; there must be one thread. It returns "" when time was up before.
func (w *world) create(by *user, topic string, random *rand.Rand) string {
	var participants []any
	for i, p := range slices.Concat(w.observers, w.members) {
		participants = append(participants, p.participant(fmt.Sprint("permanent ", i)))
	}
	in := map[string]any{"topic": topic, "participants": participants}
	type answer struct{ ChatThread struct{ ID string } }
	once := func(node *cluster.Node) string {
		var out answer
		status := w.ask(node, by, "POST", "/chat/threads?api-version=2024-03-07", in, &out, "repeatability-request-id", topic)
		w.note("create "+topic, status)
		return out.ChatThread.ID
	}
	for id := ""; ; {
		var both [2]string // at the same time, as a client with a short timeout does
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

func (w *world) join(thread string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.threads = append(w.threads, thread)
}

// thread is one of the newest threads.
func (w *world) thread(random *rand.Rand) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest := w.threads[max(0, len(w.threads)-5):]
	return newest[random.IntN(len(newest))]
}
