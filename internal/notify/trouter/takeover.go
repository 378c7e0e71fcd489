package trouter

import (
	"context"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// takeOver makes the socket the one that is told of the events of its endpoint. The one before, when there is one still (a
// client keeps the old one for a minute when it switches), is told nothing more, and has a moment to acknowledge what it got,
// so that nothing is told twice. Of several that wait for this only the newest is wanted. It reports whether the socket is
// the one.
func (sk *socket) takeOver(ctx context.Context) (leave func(), ok bool) {
	e := sk.e
	sk.greet() // the client need not wait: whatever happens from when it arrived will be told
	select {
	case e.turn <- struct{}{}:
	case <-sk.closed:
		return nil, false
	}
	defer func() { <-e.turn }()
	if old := e.connection(); old != nil && !old.retire(switchTime) {
		old.close() // it answers nothing: the network took it
	}
	if e.told().Owner != sk.number && !sk.fetch(ctx) {
		return nil, false
	}
	from, here, ok := e.begin(sk)
	if !ok {
		return nil, false
	}
	present, leave := sk.s.Hub.Subscribe(e.key.user, subscriber{sk})
	if sk.resumed {
		sk.s.Metrics.Reconnects.WithLabelValues(protocol).Inc()
		from = sk.recall(ctx, from, here)
	} else {
		sk.beginAnew()
	}
	sk.start(from, present)
	sk.s.saver.note(e) // so that it goes on here even when it hears nothing before the server stops
	return leave, true
}

// supersede closes a socket that waits to take over: a newer one does.
func (sk *socket) supersede() {
	sk.mu.Lock()
	waiting := !sk.started
	sk.retired = sk.retired || waiting
	sk.mu.Unlock()
	if waiting {
		sk.close()
	}
}

// retire stops telling events and waits until those told are acknowledged, the connection has ended, or time is up.
// It reports whether they were acknowledged.
func (sk *socket) retire(patience time.Duration) bool {
	drained := sk.stop()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-drained:
		return true
	case <-sk.closed:
	case <-timer.C:
	}
	return false
}

// stop stops telling events. The channel closes when those told are acknowledged.
func (sk *socket) stop() (drained <-chan struct{}) {
	sk.catchPosition()
	sk.mu.Lock()
	defer sk.mu.Unlock()
	sk.retired = true
	for _, f := range sk.pending { // for the connection that goes on
		sk.weigh(-f.size)
	}
	sk.pending = nil
	if sk.drained == nil {
		sk.drained = make(chan struct{})
	}
	sk.drain()
	return sk.drained
}

// drain tells who waits for it that nothing is outstanding, if that is so; the lock is held.
func (sk *socket) drain() {
	if sk.drained == nil || len(sk.frames) > 0 {
		return
	}
	select {
	case <-sk.drained:
	default:
		close(sk.drained)
	}
}

// catchPosition notes that the endpoint has been told all that the hub handed over, if that is so: else what it did not have
// to hear would be searched for it again when it comes back.
func (sk *socket) catchPosition() {
	position := sk.s.Hub.Position()
	sk.mu.Lock()
	defer sk.mu.Unlock()
	if sk.started && !sk.behind && !sk.retired && !sk.over && len(sk.pending) == 0 {
		sk.pass(position)
	}
}

// pass notes that up to a position there is nothing that was not sent.
func (sk *socket) pass(position chat.Position) {
	if sk.e.pass(position) {
		sk.s.saver.note(sk.e)
	}
}
