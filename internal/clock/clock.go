// Package clock is where chatd's time comes from. What follows from a rule, such as the expiry of a token, the retention of a
// thread or the refill of a rate limit, waits on a Clock, so that a test can move it. Deadlines that protect a connection, such
// as those of reads, writes and pings, stay on the real time of package time.
package clock

import "time"

// Clock tells the time and waits for it. All methods are safe for concurrent use.
type Clock interface {
	Now() time.Time
	// NewTimer returns a timer whose channel gets one value when d has passed.
	NewTimer(d time.Duration) Timer
	// AfterFunc returns a timer that calls f when d has passed. Its channel is nil.
	AfterFunc(d time.Duration, f func()) Timer
	// NewTicker returns a ticker whose channel gets a value each time d has passed. d must be positive. A slow reader misses
	// ticks.
	NewTicker(d time.Duration) Ticker
}

// Timer waits for one moment.
type Timer interface {
	C() <-chan time.Time
	// Stop prevents the timer from firing, and reports whether it did.
	Stop() bool
	// Reset makes the timer fire when d has passed, and reports whether it had been waiting.
	Reset(d time.Duration) bool
}

// Ticker waits for moments at a regular distance.
type Ticker interface {
	C() <-chan time.Time
	Stop()
}

// System is the clock of the machine.
var System Clock = system{}

type system struct{}

func (system) Now() time.Time                            { return time.Now() }
func (system) NewTimer(d time.Duration) Timer            { return systemTimer{time.NewTimer(d)} }
func (system) AfterFunc(d time.Duration, f func()) Timer { return systemTimer{time.AfterFunc(d, f)} }
func (system) NewTicker(d time.Duration) Ticker          { return systemTicker{time.NewTicker(d)} }

type systemTimer struct{ *time.Timer }

func (t systemTimer) C() <-chan time.Time { return t.Timer.C }

type systemTicker struct{ *time.Ticker }

func (t systemTicker) C() <-chan time.Time { return t.Ticker.C }
