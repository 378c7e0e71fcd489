package main

import (
	"fmt"

	"github.com/chatd/chatd/bench/load"
	"github.com/chatd/chatd/bench/report"
	"github.com/chatd/chatd/bench/setup"
)

// level is how much is stored when growth is measured.
type level struct {
	setup.Size
	name string
}

func (s *suite) levels() []level {
	out := []level{
		{setup.Size{Threads: 100, Messages: 10}, "10^3 messages, 10^2 threads"},
		{setup.Size{Threads: 1000, Messages: 100}, "10^5 messages, 10^3 threads"},
		{setup.Size{Threads: 10_000, Messages: 100}, "10^6 messages, 10^4 threads"},
	}
	if s.big {
		out = append(out, level{setup.Size{Threads: 100_000, Messages: 100}, "10^7 messages, 10^5 threads"})
	}
	return out
}

const (
	growthPrefix  = "growth: "
	growthClients = 16
	growthFanout  = 100 // listeners
)

// growthPaths are what should cost the same however much is stored. Pages are of 10 messages, since all levels have as many.
var growthPaths = []path{
	{name: "send", status: 201, request: paths[0].request},
	{name: "list 10 messages", status: 200, request: func(w *setup.World, who, n int) load.Request {
		return get("/chat/threads/"+thread(w, n).ID+"/messages"+setup.Version+"&maxPageSize=10", member(w, who))
	}},
	{name: "list threads", status: 200, request: listThreads},
}

// growthCells do the same with more and more stored. The first level is what the others are compared with.
func (s *suite) growthCells() []cell {
	var out []cell
	for _, kind := range s.stores {
		for _, p := range growthPaths {
			first := s.growthKey(p.name, kind, s.levels()[0], growthClients)
			for _, l := range s.levels() {
				c := cell{Key: s.growthKey(p.name, kind, l, growthClients), measure: s.path(p, kind, l.Size, growthClients)}
				if c.Key != first {
					c.limit = &first
				}
				out = append(out, c)
			}
		}
		first := s.growthKey("fan-out", kind, s.levels()[0], growthFanout)
		for _, l := range s.levels() {
			c := cell{Key: s.growthKey("fan-out", kind, l, growthFanout), measure: s.chatdFanout(protocols[0], kind, l.Size, false, growthFanout)}
			if c.Key != first {
				c.limit = &first
			}
			out = append(out, c)
		}
	}
	return out
}

func (s *suite) growthKey(path, kind string, l level, clients int) report.Key {
	return report.Key{Path: growthPrefix + path, By: fmt.Sprintf("%s, %s", chatdOn(kind), l.name), Clients: clients}
}
