package main

import (
	"testing"

	"github.com/chatd/chatd/bench/report"
)

// TestGoalsAreMeasured finds goals of rows that nothing measures, and rows of one name.
func TestGoalsAreMeasured(t *testing.T) {
	t.Parallel()
	for _, quick := range []bool{false, true} {
		s := &suite{options: options{stores: []string{"sqlite", "postgres"}, quick: quick}, resources: newResources(t.Context(), "", "")}
		rows := map[report.Key]bool{}
		for _, c := range s.cells() {
			if rows[c.Key] {
				t.Errorf("%v is measured twice", c.Key)
			}
			rows[c.Key] = true
		}
		for _, c := range s.cells() {
			if c.limit != nil && !rows[*c.limit] && !quick { // a quick run measures what goals need
				t.Errorf("%v has limit %v, which is not measured", c.Key, *c.limit)
			}
		}
		goals := s.goals()
		for _, g := range goals {
			if !rows[g.Row] || g.Of != nil && !rows[*g.Of] {
				t.Errorf("goal %v of %v, which are not both measured", g.Row, g.Of)
			}
		}
		if len(goals) == 0 {
			t.Error("there are no goals")
		}
	}
}

func TestOnly(t *testing.T) {
	t.Parallel()
	o := options{only: split("fan-out,footprint")}
	for path, want := range map[string]bool{"fan-out, TLS": true, footSize: true, growthPrefix + "fan-out": false, sendHot: false} {
		if o.wants(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
