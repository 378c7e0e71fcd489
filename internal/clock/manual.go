package clock

import (
	"slices"
	"sync"
	"time"
)

// Manual is a clock that can be moved. It begins at the time of the machine and runs on from there until it is frozen.
type Manual struct {
	turn sync.Mutex // held while timers fire, so that they fire in order

	mu      sync.Mutex
	base    time.Time // the clock's time at real
	real    time.Time // moment of the machine
	frozen  bool
	waiting []*waiter   // by their moment; of equal ones the one that was added first
	wake    *time.Timer // fires the first of waiting while the clock runs; nil when none waits
}

// waiter is a timer or a ticker.
type waiter struct {
	m     *Manual
	at    time.Time
	every time.Duration // of a ticker
	c     chan time.Time
	call  func()
}

// NewManual returns a running clock.
func NewManual() *Manual {
	now := time.Now()
	return &Manual{base: now.Round(0), real: now}
}

// Now returns the clock's time, which has no monotonic part.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now()
}

func (m *Manual) now() time.Time {
	if m.frozen {
		return m.base
	}
	return m.base.Add(time.Since(m.real))
}

// Freeze stops the clock.
func (m *Manual) Freeze() { m.change(true, func(now time.Time) time.Time { return now }) }

// Resume lets the clock run on from its present time.
func (m *Manual) Resume() { m.change(false, func(now time.Time) time.Time { return now }) }

// Set moves the clock to t and fires what came due. Timers keep their moments when the clock moves back.
func (m *Manual) Set(t time.Time) { m.moveTo(func(time.Time) time.Time { return t.Round(0) }) }

// Advance moves the clock on by d. Each timer that comes due on the way fires at its own moment, in order, and functions of
// AfterFunc have returned before Advance does.
func (m *Manual) Advance(d time.Duration) {
	m.moveTo(func(now time.Time) time.Time { return now.Add(d) })
}

// moveTo stops at each moment at which something is due, and goes on to the target.
func (m *Manual) moveTo(target func(now time.Time) time.Time) {
	m.turn.Lock()
	defer m.turn.Unlock()
	m.mu.Lock()
	frozen, end := m.frozen, target(m.now())
	m.mu.Unlock()
	for {
		w := m.take(end)
		if w == nil {
			break
		}
		w.fire()
	}
	m.change(frozen, func(time.Time) time.Time { return end })
}

// change sets the clock and whether it is frozen.
func (m *Manual) change(frozen bool, to func(now time.Time) time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.base, m.real, m.frozen = to(m.now()), time.Now(), frozen
	m.arm()
}

// take removes the first waiter that is due at end, with the clock frozen at its moment.
func (m *Manual) take(end time.Time) *waiter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == 0 || m.waiting[0].at.After(end) {
		return nil
	}
	w := m.waiting[0]
	m.remove(w)
	if now := m.now(); w.at.After(now) {
		m.base, m.frozen = w.at, true
	}
	if w.every > 0 {
		w.at = w.at.Add(w.every)
		m.add(w)
	}
	return w
}

// arm has the machine's time wake the first waiter.
func (m *Manual) arm() {
	if m.wake != nil {
		m.wake.Stop()
		m.wake = nil
	}
	if !m.frozen && len(m.waiting) > 0 {
		m.wake = time.AfterFunc(m.waiting[0].at.Sub(m.now()), m.due)
	}
}

// due fires what came due while the clock ran.
func (m *Manual) due() {
	m.turn.Lock()
	defer m.turn.Unlock()
	for {
		m.mu.Lock()
		if m.frozen || len(m.waiting) == 0 || m.waiting[0].at.After(m.now()) {
			m.arm()
			m.mu.Unlock()
			return
		}
		now := m.now()
		m.mu.Unlock()
		if w := m.take(now); w != nil {
			w.fire()
		}
	}
}

func (m *Manual) add(w *waiter) {
	at, _ := slices.BinarySearchFunc(m.waiting, w, func(a, b *waiter) int {
		if a.at.After(b.at) {
			return 1
		}
		return -1
	})
	m.waiting = slices.Insert(m.waiting, at, w)
}

func (m *Manual) remove(w *waiter) bool {
	i := slices.Index(m.waiting, w)
	if i >= 0 {
		m.waiting = slices.Delete(m.waiting, i, i+1)
	}
	return i >= 0
}

func (w *waiter) fire() {
	if w.call != nil {
		w.call()
		return
	}
	select {
	case w.c <- w.m.Now():
	default: // the last value was not read
	}
}

func (m *Manual) start(w *waiter, d time.Duration) *waiter {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.m, w.at = m, m.now().Add(d)
	m.add(w)
	m.arm()
	return w
}

// NewTimer returns a timer of this clock.
func (m *Manual) NewTimer(d time.Duration) Timer {
	return m.start(&waiter{c: make(chan time.Time, 1)}, d)
}

// AfterFunc returns a timer of this clock that calls f. While the clock runs, functions are called one after the other.
func (m *Manual) AfterFunc(d time.Duration, f func()) Timer { return m.start(&waiter{call: f}, d) }

// NewTicker returns a ticker of this clock.
func (m *Manual) NewTicker(d time.Duration) Ticker {
	if d <= 0 {
		panic("clock: a ticker without a distance")
	}
	return manualTicker{m.start(&waiter{c: make(chan time.Time, 1), every: d}, d)}
}

type manualTicker struct{ *waiter }

func (t manualTicker) Stop() { t.waiter.Stop() }

func (w *waiter) C() <-chan time.Time { return w.c }

func (w *waiter) Stop() bool {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	was := w.m.remove(w)
	w.m.arm()
	return was
}

func (w *waiter) Reset(d time.Duration) bool {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	was := w.m.remove(w)
	w.at = w.m.now().Add(d)
	w.m.add(w)
	w.m.arm()
	return was
}
