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
func (c *connection) takeOver(ctx context.Context) (unsubscribe func(), ok bool) {
	e := c.e
	c.announce() // the client need not wait: whatever happens from when it arrived will be told
	select {
	case e.takeoverSlot <- struct{}{}:
	case <-c.closed:
		return nil, false
	}
	defer func() { <-e.takeoverSlot }()
	if old := e.currentConnection(); old != nil && !old.drain(switchTimeout) {
		old.close() // it answers nothing: the network took it
	}
	if e.acknowledged().Owner != c.number && !c.acquire(ctx) {
		return nil, false
	}
	from, here, ok := e.makeCurrent(c)
	if !ok {
		return nil, false
	}
	present, unsubscribe := c.s.Hub.Subscribe(e.key.user, subscriber{c})
	if c.resumed {
		c.s.Metrics.Reconnects.WithLabelValues(protocol).Inc()
		from = c.reconcile(ctx, from, here)
	} else {
		c.markNewStart()
	}
	c.start(from, present)
	c.s.saver.add(e) // so that it goes on here even when it hears nothing before the server stops
	return unsubscribe, true
}

// supersede closes a socket that waits to take over: a newer one does.
func (c *connection) supersede() {
	c.mu.Lock()
	pending := !c.started
	c.stopped = c.stopped || pending
	c.mu.Unlock()
	if pending {
		c.close()
	}
}

// drain stops telling events and waits until those told are acknowledged, the connection has ended, or time is up.
// It reports whether they were acknowledged.
func (c *connection) drain(timeout time.Duration) bool {
	drained := c.stopDelivery()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-drained:
		return true
	case <-c.closed:
	case <-timer.C:
	}
	return false
}

// stopDelivery stops telling events. The channel closes when those told are acknowledged.
func (c *connection) stopDelivery() (drained <-chan struct{}) {
	c.advancePosition()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	for _, f := range c.pending { // for the connection that goes on
		c.addHeld(-f.size)
	}
	c.pending = nil
	if c.drained == nil {
		c.drained = make(chan struct{})
	}
	c.signalDrained()
	return c.drained
}

// signalDrained tells who waits for it that nothing is outstanding, if that is so; the lock is held.
func (c *connection) signalDrained() {
	if c.drained == nil || len(c.unacked) > 0 {
		return
	}
	select {
	case <-c.drained:
	default:
		close(c.drained)
	}
}

// advancePosition notes that the endpoint has been told all that the hub handed over, if that is so: else what it did not have
// to hear would be searched for it again when it comes back.
func (c *connection) advancePosition() {
	position := c.s.Hub.Position()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started && !c.behind && !c.stopped && !c.discarding && len(c.pending) == 0 {
		c.skipTo(position)
	}
}

// skipTo notes that up to a position there is nothing that was not sent.
func (c *connection) skipTo(position chat.Position) {
	if c.e.skipTo(position) {
		c.s.saver.add(c.e)
	}
}
