package auth

import (
	"testing"
)

func TestCacheEnds(t *testing.T) {
	t.Parallel()
	c := newCache[string, int](2)
	c.put("a", 1, 0, 10, 0)
	if v, ok, _ := c.get("a", 9); v != 1 || !ok {
		t.Errorf("before its end: %d, %v, want 1, true", v, ok)
	}
	if _, ok, _ := c.get("a", 10); ok {
		t.Error("there is an entry at its end, want none")
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 100 // more than makeRoom looks at
	c := newCache[int, int](limit)
	for i := range limit {
		c.put(i, i, 0, 10, 0)
	}
	c.put(0, 100, 0, 10, 0) // there already: nothing has to go
	if n := len(c.entries); n != limit {
		t.Errorf("%d entries, want %d", n, limit)
	}
	for i := range 10 * limit {
		c.put(limit+i, i, 0, 20, 0)
		if n := len(c.entries); n != limit {
			t.Fatalf("%d entries, want %d", n, limit)
		}
		if _, ok, _ := c.get(limit+i, 0); !ok {
			t.Fatal("the newest entry is missing")
		}
	}
}

func TestCacheDropsEndedFirst(t *testing.T) {
	t.Parallel()
	c := newCache[string, int](2)
	c.put("old", 1, 0, 10, 0)
	c.put("living", 2, 0, 20, 0)
	c.put("new", 3, 15, 20, 0)
	if _, ok, _ := c.get("living", 15); !ok {
		t.Error("a living entry went, want the one that had ended to go")
	}
}

func TestCacheForgetsWhatWasDroppedMeanwhile(t *testing.T) {
	t.Parallel()
	c := newCache[string, int](2)
	_, _, drops := c.get("a", 0)
	c.drop("a")
	c.put("a", 1, 0, 10, drops)
	if _, ok, _ := c.get("a", 0); ok {
		t.Error("a value looked up before the drop is kept, want it forgotten")
	}
	_, _, drops = c.get("a", 0)
	c.put("a", 2, 0, 10, drops)
	if v, _, _ := c.get("a", 0); v != 2 {
		t.Errorf("value after the drop is %d, want 2", v)
	}
}
