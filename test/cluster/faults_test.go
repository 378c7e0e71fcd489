//go:build unix

package cluster_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/chatd/chatd/test/cluster"
)

// The faults, one at a time.
const (
	kill      = "kill"
	freeze    = "freeze"
	restart   = "restart of Postgres"
	crash     = "crash of Postgres"
	silentCut = "silent cut of the listening"
	lost      = "loss of answers of Postgres"
)

// faults causes one fault after the other for a time d, each kind at least once. counts is how often each was caused.
func (w *world) faults(d, longest time.Duration) (counts map[string]int) {
	counts = map[string]int{}
	do := map[string]func(){
		kill: w.kill, freeze: func() { w.freeze(longest) }, silentCut: w.cluster.Listen.Cut, lost: w.lose,
		restart: func() { w.restart(w.cluster.Postgres.Stop) }, crash: func() { w.restart(w.cluster.Postgres.Kill) },
	}
	begin := time.Now()
	for round := 0; round == 0 || time.Since(begin) < d; round++ {
		names := slices.Sorted(maps.Keys(do))
		w.mu.Lock()
		w.random.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
		w.mu.Unlock()
		for _, name := range names {
			if name == kill && round > 0 && time.Since(begin) > d*2/3 {
				continue // a node that runs until the end shows whether faults leak goroutines
			}
			sleep(w.within(200*time.Millisecond, 3*time.Second))
			at, before := time.Since(begin), w.tally.acknowledged.Load()
			do[name]()
			counts[name]++
			for _, n := range w.cluster.Nodes {
				n.WaitReady()
			}
			w.t.Logf("%v: %s, for %v; %d operations acknowledged", at.Round(time.Millisecond), name,
				(time.Since(begin) - at).Round(time.Millisecond), w.tally.acknowledged.Load()-before)
		}
	}
	return counts
}

// sleep is for how long a fault lasts, which is what the test varies; nothing is waited for.
func sleep(d time.Duration) { time.Sleep(d) }

func (w *world) victim() *cluster.Node { return w.cluster.Nodes[w.chance(len(w.cluster.Nodes))] }

func (w *world) kill() {
	n := w.victim()
	n.Kill()
	sleep(w.within(0, 2*time.Second))
	n.Run()
}

func (w *world) freeze(longest time.Duration) {
	n := w.victim()
	n.Freeze()
	sleep(w.within(time.Second, longest))
	n.Thaw()
}

// restart stops Postgres in one way or the other. All nodes must notice.
func (w *world) restart(stop func(testing.TB)) {
	stop(w.t)
	for _, n := range w.cluster.Nodes {
		cluster.Until(w.t, n.String()+" says that it is not ready", func() bool { return !n.Ready() })
	}
	sleep(w.within(0, 2*time.Second))
	w.cluster.Postgres.Run(w.t)
}

// lose has Postgres do what is requested, and loses the answers.
func (w *world) lose() {
	w.cluster.Store.Mute()
	sleep(w.within(10*time.Millisecond, 500*time.Millisecond))
	w.cluster.Store.Close()
}
