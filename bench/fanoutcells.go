package main

import (
	"context"
	"fmt"
	"time"

	"github.com/chatd/chatd/bench/fanout"
	"github.com/chatd/chatd/bench/load"
	"github.com/chatd/chatd/bench/report"
	"github.com/chatd/chatd/bench/setup"
)

// protocol is a way to listen, and the bare broadcaster that it is compared with, which sends frames of the same size. answered says
// that listeners answer each frame.
type protocol struct {
	name     string
	limit    string
	answered bool
	target   func(w *setup.World, secure bool) fanout.Target
}

var protocols = []protocol{
	{"native", "limit: bare websocket", false, fanout.Native},
	{"Trouter", "limit: bare websocket, answered", true, fanout.Trouter},
}

var listeners = []int{10, 100, 1000}

func fanoutPath(secure bool) string {
	if secure {
		return "fan-out, TLS"
	}
	return "fan-out"
}

// fanoutCells deliver one message to many listeners. A chatd, unlike the bare server, also writes the message to its store.
func (s *suite) fanoutCells() []cell {
	var out []cell
	for _, secure := range []bool{false, true} {
		for _, n := range listeners {
			for _, p := range protocols {
				limit := report.Key{Path: fanoutPath(secure), By: p.limit, Clients: n}
				out = append(out, cell{Key: limit, measure: s.bareFanout(p, secure, n)})
				for _, kind := range s.stores {
					key := report.Key{Path: limit.Path, By: chatdOn(kind) + ", " + p.name, Clients: n}
					out = append(out, cell{Key: key, limit: &limit, measure: s.chatdFanout(p, kind, usual, secure, n)})
				}
			}
		}
	}
	return out
}

func (s *suite) chatdFanout(p protocol, kind string, size setup.Size, secure bool, n int) func(context.Context) (report.Sample, error) {
	return func(ctx context.Context) (report.Sample, error) {
		w, err := s.world(ctx, kind, size)
		if err != nil {
			return report.Sample{}, err
		}
		return s.fanout(ctx, p.target(w, secure), n, s.meterOf(kind, w.Node))
	}
}

func (s *suite) bareFanout(p protocol, secure bool, n int) func(context.Context) (report.Sample, error) {
	return func(ctx context.Context) (report.Sample, error) {
		b, err := s.bare.get()
		if err != nil {
			return report.Sample{}, err
		}
		frame, err := s.frameBytes(ctx, p)
		if err != nil {
			return report.Sample{}, err
		}
		m := meter{server: func() time.Duration { return setup.Used(b.PID()) }}
		return s.fanout(ctx, fanout.Bare(b, secure, frame, p.answered), n, m)
	}
}

// frameBytes is how long the frames of a protocol are.
func (s *suite) frameBytes(ctx context.Context, p protocol) (int, error) {
	w, err := s.world(ctx, s.stores[0], usual)
	if err != nil {
		return 0, err
	}
	a, err := fanout.Connect(ctx, p.target(w, false), 1)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	_, err = a.Load(ctx, 1, time.Millisecond)
	return a.FrameBytes(), err
}

// fanout measures the rate with many messages on their way, and the times with one.
func (s *suite) fanout(ctx context.Context, target fanout.Target, n int, m meter) (report.Sample, error) {
	a, err := fanout.Connect(ctx, target, n)
	if err != nil {
		return report.Sample{}, err
	}
	defer a.Close()
	if _, err := a.Load(ctx, fanout.Window, s.window/3); err != nil {
		return report.Sample{}, fmt.Errorf("fan-out to %d: %w", n, err)
	}
	out, err := m.around(func() (*load.Result, error) { return a.Load(ctx, fanout.Window, s.window) })
	if err != nil {
		return report.Sample{}, err
	}
	one, err := a.Load(ctx, 1, s.window)
	out.P50, out.P99 = ms(one.Quantile(0.5)), ms(one.Quantile(0.99))
	return out, err
}
