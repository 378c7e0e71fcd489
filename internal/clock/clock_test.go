package clock_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatd/chatd/internal/clock"
)

// bubble runs do with a clock whose machine is in a bubble.
func bubble(t *testing.T, do func(t *testing.T, m *clock.Manual)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { do(t, clock.NewManual()) })
}

func TestManualRunsWithTheMachine(t *testing.T) {
	bubble(t, func(t *testing.T, m *clock.Manual) {
		begin := time.Now()
		fired := m.NewTimer(time.Minute)
		if at := <-fired.C(); !at.Equal(begin.Add(time.Minute)) || time.Since(begin) != time.Minute {
			t.Errorf("fired at %v, %v later", at, time.Since(begin))
		}
		m.Freeze()
		time.Sleep(time.Hour)
		if got := m.Now(); !got.Equal(begin.Add(time.Minute)) {
			t.Errorf("frozen at %v", got)
		}
		m.Resume()
		time.Sleep(time.Second)
		if got := m.Now(); !got.Equal(begin.Add(time.Minute + time.Second)) {
			t.Errorf("resumed at %v", got)
		}
	})
}

func TestAdvanceFiresInOrderAtItsMoments(t *testing.T) {
	bubble(t, func(t *testing.T, m *clock.Manual) {
		m.Freeze()
		begin := m.Now()
		var got []string
		say := func(name string) func() {
			return func() { got = append(got, fmt.Sprint(name, " ", m.Now().Sub(begin))) }
		}
		m.AfterFunc(2*time.Hour, say("second"))
		m.AfterFunc(time.Hour, func() {
			say("first")()
			m.AfterFunc(30*time.Minute, say("of the first"))
		})
		m.AfterFunc(2*time.Hour, say("third"))
		stopped := m.AfterFunc(time.Minute, say("stopped"))
		if !stopped.Stop() || stopped.Stop() {
			t.Error("a timer stops once")
		}
		later := m.AfterFunc(time.Minute, say("later"))
		if !later.Reset(5 * time.Hour) {
			t.Error("a waiting timer was not waiting")
		}
		m.Advance(3 * time.Hour)
		want := []string{"first 1h0m0s", "of the first 1h30m0s", "second 2h0m0s", "third 2h0m0s"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if d := m.Now().Sub(begin); d != 3*time.Hour {
			t.Errorf("the clock moved by %v", d)
		}
		m.Set(begin.Add(5 * time.Hour))
		if got = got[len(want):]; !slices.Equal(got, []string{"later 5h0m0s"}) {
			t.Errorf("Set fired %q", got)
		}
		if later.Reset(time.Hour) {
			t.Error("a timer that fired is waiting")
		}
	})
}

func TestAdvanceOfARunningClock(t *testing.T) {
	bubble(t, func(t *testing.T, m *clock.Manual) {
		begin := time.Now()
		timer := m.NewTimer(2 * time.Hour)
		m.Advance(time.Hour)
		<-timer.C()
		if d := time.Since(begin); d != time.Hour {
			t.Errorf("the rest took %v", d)
		}
		m.Set(begin.Add(-time.Hour))
		back := m.NewTimer(time.Minute)
		<-back.C()
		if d := m.Now().Sub(begin); d != -59*time.Minute {
			t.Errorf("after a step back it is at %v", d)
		}
	})
}

func TestTicker(t *testing.T) {
	bubble(t, func(t *testing.T, m *clock.Manual) {
		m.Freeze()
		ticker := m.NewTicker(time.Minute)
		m.Advance(10 * time.Minute) // nobody reads: one stays
		<-ticker.C()
		select {
		case <-ticker.C():
			t.Error("a slow reader gets ticks it missed")
		default:
		}
		m.Advance(time.Minute)
		<-ticker.C()
		ticker.Stop()
		m.Advance(time.Hour)
		select {
		case <-ticker.C():
			t.Error("a stopped ticker ticks")
		default:
		}
	})
}

// Timers may be made, moved and stopped while the clock moves.
func TestManualConcurrently(_ *testing.T) {
	m := clock.NewManual()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				fired := make(chan struct{})
				m.AfterFunc(time.Minute, func() { close(fired) })
				timer := m.NewTimer(time.Hour)
				timer.Reset(time.Second)
				m.Advance(time.Minute)
				<-fired
				<-timer.C()
			}
		})
	}
	all.Wait()
}

func TestSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		called := make(chan time.Time, 1)
		clock.System.AfterFunc(time.Minute, func() { called <- clock.System.Now() })
		if at := <-called; at.Sub(begin) != time.Minute {
			t.Errorf("called after %v", at.Sub(begin))
		}
		<-clock.System.NewTimer(time.Second).C()
		ticker := clock.System.NewTicker(time.Second)
		<-ticker.C()
		ticker.Stop()
		if d := time.Since(begin); d != time.Minute+2*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

// A ticker keeps its rhythm, and takes no longer to move by a year than by a minute.
func TestTickerOfALongMove(t *testing.T) {
	bubble(t, func(t *testing.T, m *clock.Manual) {
		m.Freeze()
		begin := m.Now()
		ticker := m.NewTicker(time.Second)
		m.Advance(365*24*time.Hour + time.Second/2)
		if at := <-ticker.C(); !at.Equal(begin.Add(time.Second)) {
			t.Errorf("first at %v", at.Sub(begin))
		}
		m.Advance(time.Second / 2)
		if at := <-ticker.C(); at.Sub(begin) != 365*24*time.Hour+time.Second {
			t.Errorf("then at %v", at.Sub(begin))
		}
	})
}
