package main

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/chatd/chatd/bench/fanout"
	"github.com/chatd/chatd/bench/load"
	"github.com/chatd/chatd/bench/report"
	"github.com/chatd/chatd/bench/setup"
)

const (
	nodesSend    = "two nodes: " + sendSpread
	nodesDeliver = "two nodes: tell listeners of the other"

	notified  = ""     // the second node is notified of what the first writes
	polling   = "none" // it polls
	oneNode   = "chatd postgres, one node"
	twoNodes  = "chatd postgres, two nodes"
	byNotify  = "chatd postgres, NOTIFY"
	byPolling = "chatd postgres, polling alone"
	notifying = "chatd postgres, to the second, NOTIFY on"
	silent    = "chatd postgres, to the second, NOTIFY off"

	nodesListeners = 10
)

var nodesClients = []int{16, 64}

// nodeCells measure two nodes on one Postgres. They share the machine, so that two are no faster than one here; what is asked
// is what the second costs.
func (s *suite) nodeCells() []cell {
	if !slices.Contains(s.stores, "postgres") {
		return nil
	}
	var out []cell
	for _, clients := range nodesClients {
		one := report.Key{Path: nodesSend, By: oneNode, Clients: clients}
		out = append(out, cell{Key: one, measure: s.path(paths[0], "postgres", usual, clients)},
			cell{Key: report.Key{Path: nodesSend, By: notifying, Clients: clients}, measure: s.sendToNodes(clients, notified, false)},
			cell{Key: report.Key{Path: nodesSend, By: silent, Clients: clients}, measure: s.sendToNodes(clients, polling, false)},
			cell{Key: report.Key{Path: nodesSend, By: twoNodes, Clients: clients}, limit: &one, measure: s.sendToNodes(clients, notified, true)})
	}
	one := report.Key{Path: nodesDeliver, By: oneNode, Clients: nodesListeners}
	out = append(out, cell{Key: one, measure: func(ctx context.Context) (report.Sample, error) {
		w, err := s.world(ctx, "postgres", usual)
		if err != nil {
			return report.Sample{}, err
		}
		return s.oneByOne(ctx, fanout.Native(w, false), s.meterOf("postgres", w.Node))
	}})
	return append(out,
		cell{Key: report.Key{Path: nodesDeliver, By: byNotify, Clients: nodesListeners}, limit: &one, measure: s.deliverAcross(notified)},
		cell{Key: report.Key{Path: nodesDeliver, By: byPolling, Clients: nodesListeners}, limit: &one, measure: s.deliverAcross(polling)})
}

// deliverAcross measures deliveries to listeners of a second node, of messages that are sent to the first.
func (s *suite) deliverAcross(listen string) func(context.Context) (report.Sample, error) {
	return func(ctx context.Context) (_ report.Sample, err error) {
		w, err := s.world(ctx, "postgres", usual)
		if err != nil {
			return report.Sample{}, err
		}
		second, err := s.second(ctx, w, listen)
		if err != nil {
			return report.Sample{}, err
		}
		defer func() { err = errors.Join(err, second.Stop()) }()
		return s.oneByOne(ctx, fanout.Across(w, second), s.meterOf("postgres", w.Node))
	}
}

// sendToNodes has clients send to a second node, or every other one of them where they are to send to both.
func (s *suite) sendToNodes(clients int, listen string, both bool) func(context.Context) (report.Sample, error) {
	var next atomic.Int64
	return func(ctx context.Context) (_ report.Sample, err error) {
		w, err := s.world(ctx, "postgres", usual)
		if err != nil {
			return report.Sample{}, err
		}
		second, err := s.second(ctx, w, listen)
		if err != nil {
			return report.Sample{}, err
		}
		defer func() { err = errors.Join(err, second.Stop()) }()
		there := *w
		there.Node = second
		var ops []load.Op
		nodes := []*setup.World{&there}
		if both {
			nodes = append(nodes, w)
		}
		for _, node := range nodes {
			some, closeAll, err := s.clients(node, clients/len(nodes), paths[0], &next)
			if err != nil {
				return report.Sample{}, err
			}
			defer closeAll()
			ops = append(ops, some...)
		}
		m := s.meterOf("postgres", w.Node)
		m.server = func() time.Duration { return w.Used() + second.Used() }
		return s.rate(ctx, ops, m)
	}
}

// oneByOne sends a message when all listeners have received the one before.
func (s *suite) oneByOne(ctx context.Context, target fanout.Target, m meter) (report.Sample, error) {
	a, err := fanout.Connect(ctx, target, nodesListeners)
	if err != nil {
		return report.Sample{}, err
	}
	defer a.Close()
	if _, err := a.Load(ctx, 1, s.window/3); err != nil {
		return report.Sample{}, err
	}
	return m.around(func() (*load.Result, error) { return a.Load(ctx, 1, s.window) })
}

// nodeGoals ask that to notify other nodes takes little from the rate. Without, they look once a second; in both cases the second
// node has just started.
func nodeGoals() []report.Goal {
	var out []report.Goal
	for _, clients := range nodesClients {
		out = append(out, atLeast(report.Key{Path: nodesSend, By: notifying, Clients: clients}, report.Key{Path: nodesSend, By: silent, Clients: clients}, 0.9))
	}
	return out
}
