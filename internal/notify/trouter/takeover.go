package trouter

import (
	"context"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// takeOver makes the connection the one that delivers to its endpoint. An earlier one that is still open (the SDK for JavaScript
// keeps it for a minute when it switches) sends no more, and its client has switchTimeout to acknowledge what was sent, so that
// no event is delivered twice. Of several connections that wait for this only the newest goes on. ok is false when this is not
// the one.
func (c *connection) takeOver(ctx context.Context) (unsubscribe func(), ok bool) {
	e := c.e
	c.announce() // the client need not wait: it will get all events since it connected
	select {
	case e.takeoverSlot <- struct{}{}:
	case <-c.closed:
		return nil, false
	}
	defer func() { <-e.takeoverSlot }()
	if old := e.currentConnection(); old != nil && !old.drain(switchTimeout) {
		old.close() // its network is gone
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
	c.s.saver.add(e) // so that it resumes from here even when no event comes before the server stops
	return unsubscribe, true
}

// supersede closes a connection that waits to take over: a newer one will.
func (c *connection) supersede() {
	c.mu.Lock()
	pending := !c.started
	c.stopped = c.stopped || pending
	c.mu.Unlock()
	if pending {
		c.close()
	}
}

// drain stops delivery and waits until what was sent is acknowledged, the connection has closed, or the time is up. It reports
// whether all was acknowledged.
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

// stopDelivery has the connection send no more events. The channel closes when those sent are acknowledged.
func (c *connection) stopDelivery() (drained <-chan struct{}) {
	c.advancePosition()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	for _, f := range c.pending { // the next connection sends them
		c.addHeld(-f.size)
	}
	c.pending = nil
	if c.drained == nil {
		c.drained = make(chan struct{})
	}
	c.signalDrained()
	return c.drained
}

// signalDrained closes drained when nothing is unacknowledged. The lock is held.
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

// advancePosition moves the position to that of the hub when nothing is pending, so that the events of others need not be
// searched again when the client reconnects.
func (c *connection) advancePosition() {
	position := c.s.Hub.Position()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started && !c.behind && !c.stopped && !c.discarding && len(c.pending) == 0 {
		c.skipTo(position)
	}
}

// skipTo records that nothing up to a position is left to be sent.
func (c *connection) skipTo(position chat.Position) {
	if c.e.skipTo(position) {
		c.s.saver.add(c.e)
	}
}
