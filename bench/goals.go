package main

import (
	"slices"

	"github.com/chatd/chatd/bench/report"
)

// goals are what a run is held against. Ratios are to another row of the same run. A quick run leaves out what takes long.
func (s *suite) goals() []report.Goal {
	var out []report.Goal
	for i, kind := range s.stores {
		out = append(out, storeGoals[kind]...)
		if i == 0 {
			out = append(out, atLeast(report.Key{Path: tokenGet, By: chatdOn(kind), Clients: 16}, report.Key{Path: openGet, By: chatdOn(kind), Clients: 16}, 0.8))
		}
		if i == 0 || !s.quick {
			out = append(out, fanoutGoals(kind, false)...)
		}
		if !s.quick {
			out = append(out, slowGoals[kind]...)
			out = append(out, fanoutGoals(kind, true)...)
			out = append(out, s.growthGoals(kind)...)
		}
	}
	return append(out, footprintGoals...)
}

// needed reports whether a row is one of a goal, or one that a goal refers to.
func needed(k report.Key, goals []report.Goal) bool {
	return slices.ContainsFunc(goals, func(g report.Goal) bool { return g.Row == k || g.Of != nil && *g.Of == k })
}

var (
	postgres = chatdOn("postgres")
	sqlite   = chatdOn("sqlite")
)

var storeGoals = map[string][]report.Goal{
	"postgres": {
		toLimit(sendSpread, postgres, pgxStatement, 1, 0.50),
		atMost(report.P50, report.Key{Path: sendSpread, By: postgres, Clients: 1}, report.Key{Path: sendSpread, By: pgxStatement, Clients: 1}, 2),
		toLimit(sendSpread, postgres, pgxStatement, 16, 0.55),
		toLimit(sendSpread, postgres, pgxStatement, 64, 1.2),
		atMost(report.P99, report.Key{Path: sendSpread, By: postgres, Clients: 64}, report.Key{Path: sendSpread, By: pgxStatement, Clients: 64}, 1),
		toLimit(sendHot, postgres, pgxStatement, 64, 4),
		atLeast(report.Key{Path: sendHot, By: postgres, Clients: 64}, report.Key{Path: sendSpread, By: postgres, Clients: 64}, 0.8),
		toLimit(listCold, postgres, pgxScan, 1, 0.45),
		toLimit(listCold, postgres, pgxScan, 16, 0.35),
		toLimit(listCold, postgres, pgxScan, 64, 0.35),
		toLimit(listActive, postgres, pgxScan, 16, 1),
		value(footStart, postgres, 0, 100),
		value(footIdle, postgres, 0, 40),
	},
	"sqlite": {
		toLimit(sendSpread, sqlite, moderncBatch, 64, 0.5),
		value(footStart, sqlite, 0, 50),
		value(footIdle, sqlite, 0, 40),
	},
}

var footprintGoals = []report.Goal{
	value(footSize, "chatd", 0, 35),
	value(footListen, protocols[0].name, idlers, 45),
	value(footListen, protocols[1].name, idlers, 45),
}

var slowGoals = map[string][]report.Goal{
	"postgres": append(nodeGoals(), toLimit(sendSlow, postgres, pgxStatement, 64, 0.8)),
}

func fanoutGoals(kind string, secure bool) []report.Goal {
	var out []report.Goal
	for _, p := range protocols {
		key := report.Key{Path: fanoutPath(secure), By: chatdOn(kind) + ", " + p.name, Clients: 1000}
		limit := report.Key{Path: key.Path, By: p.limit, Clients: 1000}
		out = append(out, atLeast(key, limit, 0.85), atMost(report.P99, key, limit, 1))
	}
	return out
}

// growthGoals ask that the rate does not fall with what is stored; a fifth may be noise.
func (s *suite) growthGoals(kind string) []report.Goal {
	var out []report.Goal
	levels := s.levels()
	for _, l := range levels[1:] {
		for _, p := range growthPaths {
			out = append(out, atLeast(s.growthKey(p.name, kind, l, growthClients), s.growthKey(p.name, kind, levels[0], growthClients), 0.8))
		}
		out = append(out, atLeast(s.growthKey("fan-out", kind, l, growthFanout), s.growthKey("fan-out", kind, levels[0], growthFanout), 0.8))
	}
	return out
}

func toLimit(path, by, limit string, clients int, bound float64) report.Goal {
	return atLeast(report.Key{Path: path, By: by, Clients: clients}, report.Key{Path: path, By: limit, Clients: clients}, bound)
}

func atLeast(row, of report.Key, bound float64) report.Goal {
	return report.Goal{Row: row, Metric: report.Rate, Of: &of, Bound: bound}
}

func atMost(m report.Metric, row, of report.Key, bound float64) report.Goal {
	return report.Goal{Row: row, Metric: m, Of: &of, AtMost: true, Bound: bound}
}

func value(path, by string, connections int, bound float64) report.Goal {
	return report.Goal{Row: report.Key{Path: path, By: by, Clients: connections}, Metric: report.Value, AtMost: true, Bound: bound}
}
