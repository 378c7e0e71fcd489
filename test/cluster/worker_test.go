//go:build unix

package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

const workers = 6

// worker does random things, one after the other, as a member and as somebody who comes and goes.
type worker struct {
	w      *world
	n      int
	random *rand.Rand
	deeds  int // done so far, to name them
	me     *person
	guest  *person
	places map[string]*place // by thread
}

// place is what a worker knows of a thread.
type place struct {
	mine   []string // messages that can be edited
	last   string   // message that was acknowledged
	read   string   // message up to which a receipt was sent
	inside string   // name under which the guest is in; empty: is not
}

func newWorker(w *world, n int, seed uint64) *worker {
	r := &worker{w: w, n: n, random: rand.New(rand.NewPCG(seed, uint64(n+1))), me: w.members[n]}
	r.invite()
	return r
}

// invite brings a new guest, as of the one before it is not known where they are.
func (r *worker) invite() {
	r.guest, r.places = r.w.newPerson(), map[string]*place{}
	if r.guest.id != "" {
		r.w.subscribe(r.guest, fmt.Sprintf("guest %d of worker %d", r.deeds, r.n), r.w.newest.Load())
	}
}

func (r *worker) work() {
	for !r.w.ended() {
		room := r.w.room(r.random)
		p := r.places[room]
		if p == nil {
			p = &place{}
			r.places[room] = p
		}
		switch dice := r.random.IntN(100); {
		case dice < 45:
			r.send(room, p)
		case dice < 57:
			r.edit(room, p)
		case dice < 62:
			r.delete(room, p)
		case dice < 72:
			r.receipt(room, p)
		case dice < 88:
			r.comeAndGo(room, p)
		case dice < 99:
			r.look(room, p)
		default:
			r.w.create(r.me, r.name("thread"), r.random)
		}
	}
}

func (r *worker) name(what string) string {
	r.deeds++
	return fmt.Sprintf("%s %d of worker %d", what, r.deeds, r.n)
}

// ask is world.ask at some node; upon 503 it waits a little.
func (r *worker) ask(by *person, method, path string, in, out any) int {
	status := r.w.ask(r.w.node(r.random), by, method, path, in, out)
	if status == http.StatusServiceUnavailable {
		r.w.pause()
	}
	return status
}

// want complains of an answer that is neither the one that is due nor one of trouble.
func (r *worker) want(what string, status, due int) {
	if status != due && status != 0 && status != http.StatusServiceUnavailable {
		r.w.t.Errorf("%s: answered with %d, want %d", what, status, due)
	}
}

func (r *worker) send(room string, p *place) {
	if id := r.sendAs(r.me, room, http.StatusCreated); id != "" {
		p.mine, p.last = append(p.mine[max(0, len(p.mine)-20):], id), id
	}
}

func (r *worker) sendAs(by *person, room string, due int) (id string) {
	text := r.name("message")
	var out struct{ ID string }
	status := r.ask(by, "POST", path(room, "/messages"), map[string]any{"content": text}, &out)
	r.want("sending "+text, status, due)
	if r.w.note("send "+text, status) != done {
		return ""
	}
	r.w.ledger.place("send "+text, out.ID)
	return out.ID
}

// pick takes one of the worker's own messages out of those that can be edited.
func (r *worker) pick(p *place) (id string, ok bool) {
	if len(p.mine) == 0 {
		return "", false
	}
	i := r.random.IntN(len(p.mine))
	id = p.mine[i]
	p.mine = append(p.mine[:i:i], p.mine[i+1:]...)
	return id, true
}

func (r *worker) edit(room string, p *place) {
	id, ok := r.pick(p)
	if !ok {
		return
	}
	p.mine = append(p.mine, id)
	text := r.name("edit")
	status := r.ask(r.me, "PATCH", path(room, "/messages/"+id), map[string]any{"content": text}, nil)
	r.want("editing to "+text, status, http.StatusNoContent)
	r.w.note("edit "+text, status)
}

func (r *worker) delete(room string, p *place) {
	id, ok := r.pick(p)
	if !ok {
		return
	}
	status := r.ask(r.me, "DELETE", path(room, "/messages/"+id), nil, nil)
	r.want("deleting", status, http.StatusNoContent)
	r.w.note("delete "+room+" "+id, status)
}

// receipt goes up only, so that each one is news.
func (r *worker) receipt(room string, p *place) {
	if p.last == p.read {
		return
	}
	p.read = p.last
	status := r.ask(r.me, "POST", path(room, "/readReceipts"), map[string]any{"chatMessageId": p.last}, nil)
	r.want("reading", status, http.StatusOK)
	r.w.note("read "+room+" "+r.me.id+" "+p.last, status)
}

// comeAndGo has the guest added, removed, or speak, which is allowed while inside, whatever node is asked.
func (r *worker) comeAndGo(room string, p *place) {
	speak := r.random.IntN(3) == 0
	switch {
	case speak && p.inside != "":
		r.sendAs(r.guest, room, http.StatusCreated)
	case speak:
		r.sendAs(r.guest, room, http.StatusForbidden)
	case p.inside != "":
		status := r.ask(r.me, "POST", path(room, "/participants/:remove"), r.guest.identifier(), nil)
		r.want("removing", status, http.StatusNoContent)
		if r.w.note("remove "+p.inside, status); status == http.StatusNoContent {
			p.inside = ""
			return
		}
		r.invite()
	default:
		name := r.name("guest")
		in := map[string]any{"participants": []any{r.guest.participant(name)}}
		status := r.ask(r.me, "POST", path(room, "/participants/:add"), in, nil)
		r.want("adding", status, http.StatusCreated)
		if r.w.note("add "+name, status); status == http.StatusCreated {
			p.inside = name
			return
		}
		r.invite()
	}
}

// look reads what is newest, and what was acknowledged last: every node has it.
func (r *worker) look(room string, p *place) {
	if p.last != "" {
		status := r.ask(r.me, "GET", path(room, "/messages/"+p.last), nil, nil)
		r.want("getting "+p.last, status, http.StatusOK)
	}
	var page messages
	r.want("listing", r.ask(r.me, "GET", path(room, "/messages"), nil, &page), http.StatusOK)
	page.checkOrder(r.w.t, room)
	if len(page.Value) > 0 && p.last != "" && number(page.Value[0].ID) < number(p.last) {
		r.w.t.Errorf("%s: the newest message is %s, and %s was acknowledged", room, page.Value[0].ID, p.last)
	}
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // 0 is no id
	return n
}
