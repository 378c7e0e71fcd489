//go:build unix

package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/test/cluster"
	"github.com/chatd/chatd/test/process"
)

// TestHistory lets clients do random things at two nodes while nodes, their network and Postgres are broken in all ways, and
// then compares all answers and events with a model. CHATD_SOAK is how long it runs, CHATD_SEED the seed that an earlier run printed.
func TestHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute: not in -short")
	}
	lasts, longest := 15*time.Second, 4*time.Second
	if text := os.Getenv("CHATD_SOAK"); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		longest = 30 * time.Second
	}
	seed := rand.Uint64()
	if text := os.Getenv("CHATD_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)

	c := cluster.Start(t, process.Build(t), 2)
	var idle []int
	for _, n := range c.Nodes {
		idle = append(idle, n.Goroutines())
	}
	w := newWorld(t, c, seed)
	from := w.beginning()
	for i, p := range w.observers {
		w.subscribe(p, fmt.Sprint("observer ", i), from)
	}
	for i, p := range w.members {
		w.subscribe(p, fmt.Sprint("member ", i), from)
	}
	for i := range 3 {
		w.create(w.members[i], fmt.Sprint("thread ", i), w.random)
	}

	var busy sync.WaitGroup
	for i := range workers {
		busy.Go(newWorker(w, i, seed).work)
	}
	busy.Go(w.cutConnections)
	begin := time.Now()
	counts := w.faults(lasts, longest)
	close(w.over)
	busy.Wait()
	took := time.Since(begin)

	x := w.readJournal(from)
	gone, doubled, left, happened := w.checkOperations(x)
	unreceived, repeated := w.checkReceived(x)
	w.unsubscribe()
	w.listeners.Wait()
	w.checkThreads(x)
	w.checkThreadList(x, w.members[0])
	after := w.checkGoroutines(idle)
	t.Logf(`seed %d, %v
operations %d, acknowledged %d, refused with 503 %d, without an answer %d
left open %d, of which %d happened
threads %d, events %d, listeners %d
kills %d, freezes %d, restarts of Postgres %d, crashes of it %d, silent cuts %d, losses of answers %d
goroutines before %v, after %v
lost %d, doubled %d; not received %d, received again %d`,
		seed, took.Round(time.Second),
		w.tally.operations.Load(), w.tally.acknowledged.Load(), w.tally.unavailable.Load(), w.tally.unanswered.Load(), left, happened,
		len(x.threads), x.events, len(w.subscribers),
		counts[kill], counts[freeze], counts[restart], counts[crash], counts[silentCut], counts[lost],
		idle, after, gone, doubled, unreceived, repeated)
}

// beginning is the newest position before the workers start.
func (w *world) beginning() int64 {
	c, err := client.Dial(w.t.Context(), w.cluster.Nodes[0].URL(), w.observers[0].token, client.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	position, err := strconv.ParseInt(c.Position(), 10, 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return position
}
