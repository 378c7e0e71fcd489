package httpapi

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func newMemoryBudget() *memoryBudget { return &memoryBudget{by: map[string]int64{}} }

func (f *memoryBudget) of(connection, user string) *reservation {
	return &reservation{budget: f, keys: [2]string{connection, user}}
}

// fill holds all that large answers may, for many users.
func (f *memoryBudget) fill(t *testing.T) (all []*reservation) {
	t.Helper()
	for i := range 3 {
		h := f.of("filling "+string(rune('a'+i)), "")
		if err := h.reserve(t.Context(), maxInFlightShare); err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

func TestMemoryBudget(t *testing.T) {
	t.Parallel()
	const large = maxInFlightShare / 2
	for _, test := range []struct {
		name   string
		before func(t *testing.T, f *memoryBudget)
		of     [2]string
		bytes  int64
		want   bool
	}{
		{"nothing else", func(*testing.T, *memoryBudget) {}, [2]string{"c", "u"}, maxInFlightShare, true},
		{"more than one may", func(*testing.T, *memoryBudget) {}, [2]string{"c", "u"}, maxInFlightShare + 1, false},
		{"the connection has its share", func(t *testing.T, f *memoryBudget) { reserve1(t, f.of("c", "other"), maxInFlightShare) }, [2]string{"c", "u"}, 1, false},
		{"the user has its share", func(t *testing.T, f *memoryBudget) { reserve1(t, f.of("d", "u"), maxInFlightShare) }, [2]string{"c", "u"}, 1, false},
		{"others have theirs", func(t *testing.T, f *memoryBudget) { reserve1(t, f.of("d", "other"), maxInFlightShare) }, [2]string{"c", "u"}, large, true},
		{"nobody known is nobody's share", func(t *testing.T, f *memoryBudget) { reserve1(t, f.of("d", ""), maxInFlightShare) }, [2]string{"c", ""}, large, true},
		{"all is taken", func(t *testing.T, f *memoryBudget) { f.fill(t) }, [2]string{"c", "u"}, large, false},
		{"all is taken, a small one", func(t *testing.T, f *memoryBudget) { f.fill(t) }, [2]string{"c", "u"}, smallAnswer, true},
		{"even that is taken", func(t *testing.T, f *memoryBudget) { f.fill(t); f.of("x", "").resize(maxInFlight / 4) }, [2]string{"c", "u"}, smallAnswer, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newMemoryBudget()
			test.before(t, f)
			start := time.Now()
			err := f.of(test.of[0], test.of[1]).reserve(t.Context(), test.bytes)
			if (err == nil) != test.want {
				t.Errorf("%s: %v, want room %t", test.name, err, test.want)
			}
			if err != nil && (!errors.Is(err, errNoMemory) || time.Since(start) != reserveTimeout) {
				t.Errorf("%s: %v after %s", test.name, err, time.Since(start))
			}
			if len(f.waiting) != 0 {
				t.Errorf("%s: %d wait", test.name, len(f.waiting))
			}
		})
	}
}

func reserve1(t *testing.T, h *reservation, bytes int64) {
	t.Helper()
	if err := h.reserve(t.Context(), bytes); err != nil {
		t.Error(err)
	}
}

// Who waits gets room as soon as there is some, in the order of coming, and nothing is left over.
func TestMemoryBudgetWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newMemoryBudget()
		all := f.fill(t)
		got := make(chan string, 10)
		wait := func(ctx context.Context, name string, bytes int64) *reservation {
			h := f.of(name, name)
			go func() {
				if err := h.reserve(ctx, bytes); err == nil {
					got <- name
				} else {
					got <- err.Error()
				}
			}()
			synctest.Wait()
			return h
		}
		gone, leave := context.WithCancel(t.Context())
		all = append(all, wait(gone, "gone", 1<<20), wait(t.Context(), "first", maxInFlightShare), wait(t.Context(), "second", 1<<20))
		leave()
		if name := <-got; name != context.Canceled.Error() {
			t.Errorf("%s, want the one that left", name)
		}
		all[0].resize(maxInFlightShare - 1<<20) // enough for the second alone
		if name := <-got; name != "second" {
			t.Errorf("%s, want second", name)
		}
		all[0].resize(0)
		all[1].resize(maxInFlightShare / 2)
		if name := <-got; name != "first" {
			t.Errorf("%s, want first", name)
		}
		for _, h := range all {
			h.resize(0)
		}
		if f.used != 0 || len(f.by) != 0 || len(f.waiting) != 0 {
			t.Errorf("left are %d bytes, %v, %d who wait", f.used, f.by, len(f.waiting))
		}
	})
}
