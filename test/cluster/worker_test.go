//go:build unix

package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

const workers = 6

// worker does random things, one after the other, as a member of all threads and as a guest who is added and removed.
type worker struct {
	w          *world
	n          int
	random     *rand.Rand
	operations int // begun so far, to name them
	me         *user
	guest      *user
	states     map[string]*threadState // by thread
}

// threadState is what a worker knows of a thread.
type threadState struct {
	mine      []string // messages that can be edited
	last      string   // message that was acknowledged
	read      string   // message up to which a receipt was sent
	guestName string   // display name of the guest while it is a participant, else empty
}

func newWorker(w *world, n int, seed uint64) *worker {
	r := &worker{w: w, n: n, random: rand.New(rand.NewPCG(seed, uint64(n+1))), me: w.members[n]}
	r.invite()
	return r
}

// invite makes a new guest. It is called when an answer was lost, as nothing then says whether the old one is in the thread.
func (r *worker) invite() {
	r.guest, r.states = r.w.newUser(), map[string]*threadState{}
	if r.guest.id != "" {
		r.w.subscribe(r.guest, fmt.Sprintf("guest %d of worker %d", r.operations, r.n), r.w.newest.Load())
	}
}

func (r *worker) work() {
	for !r.w.ended() {
		thread := r.w.thread(r.random)
		p := r.states[thread]
		if p == nil {
			p = &threadState{}
			r.states[thread] = p
		}
		switch dice := r.random.IntN(100); {
		case dice < 45:
			r.send(thread, p)
		case dice < 57:
			r.edit(thread, p)
		case dice < 62:
			r.delete(thread, p)
		case dice < 72:
			r.receipt(thread, p)
		case dice < 88:
			r.changeGuest(thread, p)
		case dice < 99:
			r.look(thread, p)
		default:
			r.w.create(r.me, r.name("thread"), r.random)
		}
	}
}

func (r *worker) name(what string) string {
	r.operations++
	return fmt.Sprintf("%s %d of worker %d", what, r.operations, r.n)
}

// ask is world.ask at some node; upon 503 it pauses.
func (r *worker) ask(by *user, method, path string, in, out any) int {
	status := r.w.ask(r.w.node(r.random), by, method, path, in, out)
	if status == http.StatusServiceUnavailable {
		r.w.pause()
	}
	return status
}

// want reports an answer that is neither the expected one nor what a fault may cause.
func (r *worker) want(what string, status, due int) {
	if status != due && status != 0 && status != http.StatusServiceUnavailable {
		r.w.t.Errorf("%s: answered with %d, want %d", what, status, due)
	}
}

func (r *worker) send(thread string, p *threadState) {
	if id := r.sendAs(r.me, thread, http.StatusCreated); id != "" {
		p.mine, p.last = append(p.mine[max(0, len(p.mine)-20):], id), id
	}
}

func (r *worker) sendAs(by *user, thread string, due int) (id string) {
	text := r.name("message")
	var out struct{ ID string }
	status := r.ask(by, "POST", path(thread, "/messages"), map[string]any{"content": text}, &out)
	r.want("sending "+text, status, due)
	if r.w.note("send "+text, status) != done {
		return ""
	}
	r.w.outcomes.setID("send "+text, out.ID)
	return out.ID
}

// pick takes one of the worker's own messages out of those that can be edited.
func (r *worker) pick(p *threadState) (id string, ok bool) {
	if len(p.mine) == 0 {
		return "", false
	}
	i := r.random.IntN(len(p.mine))
	id = p.mine[i]
	p.mine = append(p.mine[:i:i], p.mine[i+1:]...)
	return id, true
}

func (r *worker) edit(thread string, p *threadState) {
	id, ok := r.pick(p)
	if !ok {
		return
	}
	p.mine = append(p.mine, id)
	text := r.name("edit")
	status := r.ask(r.me, "PATCH", path(thread, "/messages/"+id), map[string]any{"content": text}, nil)
	r.want("editing to "+text, status, http.StatusNoContent)
	r.w.note("edit "+text, status)
}

func (r *worker) delete(thread string, p *threadState) {
	id, ok := r.pick(p)
	if !ok {
		return
	}
	status := r.ask(r.me, "DELETE", path(thread, "/messages/"+id), nil, nil)
	r.want("deleting", status, http.StatusNoContent)
	r.w.note("delete "+thread+" "+id, status)
}

// receipt only moves forward, so that each one causes an event.
func (r *worker) receipt(thread string, p *threadState) {
	if p.last == p.read {
		return
	}
	p.read = p.last
	status := r.ask(r.me, "POST", path(thread, "/readReceipts"), map[string]any{"chatMessageId": p.last}, nil)
	r.want("reading", status, http.StatusOK)
	r.w.note("read "+thread+" "+r.me.id+" "+p.last, status)
}

// changeGuest adds the guest, removes it, or sends as the guest, which is allowed while it is a participant, at any node.
func (r *worker) changeGuest(thread string, p *threadState) {
	speak := r.random.IntN(3) == 0
	switch {
	case speak && p.guestName != "":
		r.sendAs(r.guest, thread, http.StatusCreated)
	case speak:
		r.sendAs(r.guest, thread, http.StatusForbidden)
	case p.guestName != "":
		status := r.ask(r.me, "POST", path(thread, "/participants/:remove"), r.guest.identifier(), nil)
		r.want("removing", status, http.StatusNoContent)
		if r.w.note("remove "+p.guestName, status); status == http.StatusNoContent {
			p.guestName = ""
			return
		}
		r.invite()
	default:
		name := r.name("guest")
		in := map[string]any{"participants": []any{r.guest.participant(name)}}
		status := r.ask(r.me, "POST", path(thread, "/participants/:add"), in, nil)
		r.want("adding", status, http.StatusCreated)
		if r.w.note("add "+name, status); status == http.StatusCreated {
			p.guestName = name
			return
		}
		r.invite()
	}
}

// look reads the newest messages, and the one that was acknowledged last: every node must have it.
func (r *worker) look(thread string, p *threadState) {
	if p.last != "" {
		status := r.ask(r.me, "GET", path(thread, "/messages/"+p.last), nil, nil)
		r.want("getting "+p.last, status, http.StatusOK)
	}
	var page messages
	r.want("listing", r.ask(r.me, "GET", path(thread, "/messages"), nil, &page), http.StatusOK)
	page.checkOrder(r.w.t, thread)
	if len(page.Value) > 0 && p.last != "" && number(page.Value[0].ID) < number(p.last) {
		r.w.t.Errorf("%s: the newest message is %s, and %s was acknowledged", thread, page.Value[0].ID, p.last)
	}
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // 0 is no id
	return n
}
