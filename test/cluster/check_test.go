//go:build unix

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/test/cluster"
)

const receiptsUpTo = 20 // participants; threads with more keep none

// readJournal sends a last message, and applies all events after a position, up to that message, to a model.
func (w *world) readJournal(after int64) *model {
	w.t.Helper()
	thread, text := w.threads[0], ""
	cluster.Until(w.t, "a last message is accepted", func() bool {
		text += "the end "
		status := w.ask(w.cluster.Nodes[0], w.members[0], "POST", path(thread, "/messages"), map[string]any{"content": text}, nil)
		return w.note("send "+text, status) == done
	})
	end := errors.New("the end")
	ctx, cancel := context.WithTimeout(context.Background(), 10*cluster.WaitTimeout)
	defer cancel()
	x := newModel()
	err := w.follow(ctx, w.observers[0], after, w.dial, func(e client.Event) error {
		x.apply(&e)
		if e.Kind == client.MessageReceived && e.Message.Content.Message == text {
			return end
		}
		return nil
	})
	if !errors.Is(err, end) {
		w.t.Fatalf("the journal cannot be read to its end: %v", err)
	}
	return x
}

// checkOperations compares what clients know with what happened. left is how many have no known
// outcome, and happened is how many of those took place.
func (w *world) checkOperations(x *model) (gone, doubled, left, happened int) {
	for _, what := range x.wrong {
		w.t.Error(what)
	}
	for operation, outcome := range w.outcomes.known {
		n := x.operations[operation]
		if outcome == open {
			left, happened = left+1, happened+min(n, 1)
		}
		switch {
		case strings.HasPrefix(operation, "read ") && x.threads[strings.Fields(operation)[1]].most > receiptsUpTo:
		case n > 1:
			doubled++
			w.t.Errorf("happened %d times: %s", n, operation)
		case n == 1 && outcome == refused:
			w.t.Errorf("was refused and happened: %s", operation)
		case n == 0 && outcome == done:
			gone++
			w.t.Errorf("was acknowledged and is lost: %s", operation)
		}
		if id, ok := w.outcomes.ids[operation]; ok && n > 0 && id != x.ids[operation] {
			w.t.Errorf("%s: was acknowledged with id %s and has %s", operation, id, x.ids[operation])
		}
	}
	for operation := range x.operations {
		if _, known := w.outcomes.known[operation]; !known {
			w.t.Errorf("happened and was not asked for: %s", operation)
		}
	}
	return gone, doubled, left, happened
}

// checkReceived waits until the subscribers have received all the events that are due to them, and compares.
func (w *world) checkReceived(x *model) (gone, doubled int) {
	deadline := time.Now().Add(cluster.WaitTimeout)
	for _, s := range w.subscribers {
		due := slices.DeleteFunc(slices.Clone(x.due[s.who.id]), func(m digest) bool { return m.position <= s.after })
		cluster.Wait(func() bool { return len(s.receivedEvents()) >= len(due) || time.Now().After(deadline) })
		got := s.receivedEvents()
		if slices.Equal(got, due) {
			continue
		}
		l, d := missing(due, got), missing(got, due)
		gone, doubled = gone+len(l), doubled+len(d)
		w.t.Errorf("%s received %d events, %d are due; %d are missing: %.200s; %d are too many: %.200s", s.name, len(got), len(due),
			len(l), fmt.Sprint(l), len(d), fmt.Sprint(d))
	}
	return gone, doubled
}

// missing are those of all that are not, or not often enough, in others.
func missing(all, others []digest) (out []int64) {
	count := map[digest]int{}
	for _, m := range others {
		count[m]++
	}
	for _, m := range all {
		if count[m]--; count[m] < 0 {
			out = append(out, m.position)
		}
	}
	return out
}

// checkThreads compares what REST says with what happened, for two readers at two nodes.
func (w *world) checkThreads(x *model) {
	one, other := w.cluster.Nodes[0], w.cluster.Nodes[1]
	for id, r := range x.threads {
		listed := everything[message](w, one, w.observers[1], path(id, "/messages"))
		if diff := cmp.Diff(listed, everything[message](w, other, w.members[0], path(id, "/messages"))); diff != "" {
			w.t.Errorf("%s: two readers at two nodes differ: %s", id, diff)
		}
		r.checkMessages(w, id, listed)
		present := map[string]string{}
		for _, p := range everything[participant](w, other, w.observers[1], path(id, "/participants")) {
			present[p.CommunicationIdentifier.RawID] = p.DisplayName
		}
		if diff := cmp.Diff(r.present, present); diff != "" {
			w.t.Errorf("%s: participants (-in events +over REST): %s", id, diff)
		}
		if r.most > receiptsUpTo {
			continue
		}
		read := map[string]string{}
		for _, receipt := range everything[receipt](w, one, w.observers[1], path(id, "/readReceipts")) {
			read[receipt.SenderCommunicationIdentifier.RawID] = receipt.ChatMessageID
		}
		if diff := cmp.Diff(r.read, read); diff != "" {
			w.t.Errorf("%s: receipts (-in events +over REST): %s", id, diff)
		}
	}
}

// checkMessages compares messages with those in events. System messages are only counted, as they have no events.
func (r *threadModel) checkMessages(w *world, id string, listed []message) {
	(&messages{listed}).checkOrder(w.t, id)
	if n := len(listed); n == 0 || listed[n-1].SequenceID != "1" {
		w.t.Errorf("%s: the first of %d messages has not sequence id 1", id, n)
	}
	expected := maps.Clone(r.messages)
	for _, m := range listed {
		if m.Type != "text" {
			continue
		}
		e := expected[m.ID]
		switch {
		case e == nil:
			w.t.Errorf("%s: no event has message %s, or it is listed twice", id, m.ID)
		case e.SequenceID != m.SequenceID || e.Version != m.Version || e.Content.Message != m.Content.Message || e.DeletedOn.IsZero() != (m.DeletedOn == ""):
			w.t.Errorf("%s: message %s is %+v, and was %+v in its event", id, m.ID, m, e)
		}
		delete(expected, m.ID)
	}
	for m := range expected {
		w.t.Errorf("%s: message %s was in an event and is not listed", id, m)
	}
}

// checkThreadList checks that a member of all threads has each of them in the list once.
func (w *world) checkThreadList(x *model, by *user) {
	const path = "/chat/threads?api-version=2024-03-07"
	threads := map[string]int{}
	for _, t := range everything[struct{ ID string }](w, w.cluster.Nodes[1], by, path) {
		threads[t.ID]++
	}
	for id := range x.threads {
		if threads[id] != 1 {
			w.t.Errorf("thread %s is listed %d times", id, threads[id])
		}
	}
	if len(threads) != len(x.threads) {
		w.t.Errorf("%d threads are listed, %d were created", len(threads), len(x.threads))
	}
}

// checkGoroutines expects that no goroutines leak: the nodes have as many as before the first request.
func (w *world) checkGoroutines(before []int) (after []int) {
	w.http.CloseIdleConnections()
	http.DefaultClient.CloseIdleConnections()
	const slack = 10
	for i, n := range w.cluster.Nodes {
		cluster.Wait(func() bool { return n.Goroutines() <= before[i]+slack })
		after = append(after, n.Goroutines())
		if after[i] > before[i]+slack {
			w.t.Errorf("%s had %d goroutines and has %d", n, before[i], after[i])
		}
	}
	return after
}
