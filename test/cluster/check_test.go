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

// readJournal has a last message sent, and reads all that happened behind a position up to there.
func (w *world) readJournal(after int64) *truth {
	w.t.Helper()
	room, text := w.rooms[0], ""
	cluster.Until(w.t, "a last message is taken", func() bool {
		text += "the end "
		status := w.ask(w.cluster.Nodes[0], w.members[0], "POST", path(room, "/messages"), map[string]any{"content": text}, nil)
		return w.note("send "+text, status) == done
	})
	end := errors.New("the end")
	ctx, cancel := context.WithTimeout(context.Background(), 10*cluster.Patience)
	defer cancel()
	x := newTruth()
	err := w.follow(ctx, w.observers[0], after, w.dial, func(e client.Event) error {
		x.happen(&e)
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

// checkDeeds compares what clients know with what happened. happened are those of the deeds left open that did.
func (w *world) checkDeeds(x *truth) (gone, doubled, left, happened int) {
	for _, what := range x.wrong {
		w.t.Error(what)
	}
	for deed, fate := range w.ledger.fates {
		n := x.deeds[deed]
		if fate == open {
			left, happened = left+1, happened+min(n, 1)
		}
		switch {
		case strings.HasPrefix(deed, "read ") && x.rooms[strings.Fields(deed)[1]].most > receiptsUpTo:
		case n > 1:
			doubled++
			w.t.Errorf("happened %d times: %s", n, deed)
		case n == 1 && fate == refused:
			w.t.Errorf("was refused and happened: %s", deed)
		case n == 0 && fate == done:
			gone++
			w.t.Errorf("was acknowledged and is lost: %s", deed)
		}
		if id, ok := w.ledger.ids[deed]; ok && n > 0 && id != x.ids[deed] {
			w.t.Errorf("%s: was acknowledged with id %s and has %s", deed, id, x.ids[deed])
		}
	}
	for deed := range x.deeds {
		if _, known := w.ledger.fates[deed]; !known {
			w.t.Errorf("happened and was not asked for: %s", deed)
		}
	}
	return gone, doubled, left, happened
}

// checkHeard waits until the subscribers have heard all that they are to hear, and compares.
func (w *world) checkHeard(x *truth) (gone, doubled int) {
	deadline := time.Now().Add(cluster.Patience)
	for _, s := range w.hearing {
		due := slices.DeleteFunc(slices.Clone(x.due[s.who.id]), func(m mark) bool { return m.position <= s.after })
		cluster.Wait(func() bool { return len(s.told()) >= len(due) || time.Now().After(deadline) })
		told := s.told()
		if slices.Equal(told, due) {
			continue
		}
		l, d := missing(due, told), missing(told, due)
		gone, doubled = gone+len(l), doubled+len(d)
		w.t.Errorf("%s heard %d events, due are %d; %d are missing: %.200s; %d are too many: %.200s", s.name, len(told), len(due),
			len(l), fmt.Sprint(l), len(d), fmt.Sprint(d))
	}
	return gone, doubled
}

// missing are those of all that are not, or not often enough, in others.
func missing(all, others []mark) (out []int64) {
	count := map[mark]int{}
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

// checkRooms compares what REST says with what happened, for two readers at two nodes.
func (w *world) checkRooms(x *truth) {
	one, other := w.cluster.Nodes[0], w.cluster.Nodes[1]
	for id, r := range x.rooms {
		said := everything[message](w, one, w.observers[1], path(id, "/messages"))
		if diff := cmp.Diff(said, everything[message](w, other, w.members[0], path(id, "/messages"))); diff != "" {
			w.t.Errorf("%s: two readers at two nodes differ: %s", id, diff)
		}
		r.checkMessages(w, id, said)
		present := map[string]string{}
		for _, p := range everything[participant](w, other, w.observers[1], path(id, "/participants")) {
			present[p.CommunicationIdentifier.RawID] = p.DisplayName
		}
		if diff := cmp.Diff(r.present, present); diff != "" {
			w.t.Errorf("%s: participants (-as told +as read): %s", id, diff)
		}
		if r.most > receiptsUpTo {
			continue
		}
		read := map[string]string{}
		for _, receipt := range everything[receipt](w, one, w.observers[1], path(id, "/readReceipts")) {
			read[receipt.SenderCommunicationIdentifier.RawID] = receipt.ChatMessageID
		}
		if diff := cmp.Diff(r.read, read); diff != "" {
			w.t.Errorf("%s: receipts (-as told +as read): %s", id, diff)
		}
	}
}

// checkMessages compares messages with those that were told of; those of the service are counted only.
func (r *room) checkMessages(w *world, id string, said []message) {
	(&messages{said}).checkOrder(w.t, id)
	if n := len(said); n == 0 || said[n-1].SequenceID != "1" {
		w.t.Errorf("%s: the first of %d messages has not sequence id 1", id, n)
	}
	told := maps.Clone(r.said)
	for _, m := range said {
		if m.Type != "text" {
			continue
		}
		e := told[m.ID]
		switch {
		case e == nil:
			w.t.Errorf("%s: nobody was told of message %s, or it is there twice", id, m.ID)
		case e.SequenceID != m.SequenceID || e.Version != m.Version || e.Content.Message != m.Content.Message || e.DeletedOn.IsZero() != (m.DeletedOn == ""):
			w.t.Errorf("%s: message %s is %+v, and was told as %+v", id, m.ID, m, e)
		}
		delete(told, m.ID)
	}
	for m := range told {
		w.t.Errorf("%s: message %s was told of and is not there", id, m)
	}
}

// checkThreads counts the threads that a member has.
func (w *world) checkThreads(x *truth, by *person) {
	const path = "/chat/threads?api-version=2024-03-07"
	threads := map[string]int{}
	for _, t := range everything[struct{ ID string }](w, w.cluster.Nodes[1], by, path) {
		threads[t.ID]++
	}
	for id := range x.rooms {
		if threads[id] != 1 {
			w.t.Errorf("thread %s is listed %d times", id, threads[id])
		}
	}
	if len(threads) != len(x.rooms) {
		w.t.Errorf("%d threads are listed, %d were created", len(threads), len(x.rooms))
	}
}

// checkGoroutines expects that nothing is left behind by what happened: the nodes are as they were when nobody had asked
// them anything.
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
