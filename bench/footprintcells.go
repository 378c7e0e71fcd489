package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/chatd/chatd/bench/fanout"
	"github.com/chatd/chatd/bench/report"
	"github.com/chatd/chatd/bench/setup"
)

const (
	footSize   = "footprint: binary"
	footFirst  = "footprint: first start ever"
	footStart  = "footprint: start to first answer"
	footIdle   = "footprint: resident when idle"
	footListen = "footprint: for each idle connection"

	starts  = 5               // in one pass
	settled = 2 * time.Second // after which a server counts as idle
	idlers  = 1000            // connections whose memory is measured
)

// footprintCells are what chatd costs its users.
func (s *suite) footprintCells() []cell {
	out := []cell{{Key: report.Key{Path: footSize, By: "chatd"}, unit: "MB", measure: s.binarySize}}
	for _, kind := range s.stores {
		var kept *store // the same in all passes: a start finds its schema
		get := func(ctx context.Context) (_ *store, err error) {
			if kept == nil {
				kept, err = s.empty(ctx, kind)
			}
			return kept, err
		}
		by := chatdOn(kind)
		out = append(out,
			cell{Key: report.Key{Path: footFirst, By: by}, unit: "ms", measure: func(ctx context.Context) (report.Sample, error) {
				fresh, err := s.empty(ctx, kind)
				if err != nil {
					return report.Sample{}, err
				}
				took, _, err := startOnce(ctx, fresh, 0)
				return report.Sample{Value: ms(took)}, err
			}},
			cell{Key: report.Key{Path: footStart, By: by}, unit: "ms", measure: func(ctx context.Context) (report.Sample, error) {
				db, err := get(ctx)
				if err != nil {
					return report.Sample{}, err
				}
				return startTime(ctx, db)
			}},
			cell{Key: report.Key{Path: footIdle, By: by}, unit: "MiB", measure: func(ctx context.Context) (report.Sample, error) {
				db, err := get(ctx)
				if err != nil {
					return report.Sample{}, err
				}
				_, kib, err := startOnce(ctx, db, settled)
				return report.Sample{Value: kib / 1024}, err
			}})
	}
	for _, p := range protocols {
		out = append(out, cell{Key: report.Key{Path: footListen, By: p.name, Clients: idlers}, unit: "KiB", measure: s.connectionMemory(p)})
	}
	return out
}

func (s *suite) binarySize(context.Context) (report.Sample, error) {
	program, err := s.program.get()
	if err != nil {
		return report.Sample{}, err
	}
	info, err := os.Stat(program)
	if err != nil {
		return report.Sample{}, err
	}
	return report.Sample{Value: float64(info.Size()) / 1e6}, nil
}

// startOnce starts chatd on a store and stops it. When it is to wait, it returns what was resident after that.
func startOnce(ctx context.Context, on *store, wait time.Duration) (took time.Duration, kib float64, err error) {
	n, err := on.Start(ctx)
	if err != nil {
		return 0, 0, err
	}
	if wait > 0 {
		time.Sleep(wait)
		kib, err = setup.Resident(n.PID())
	}
	return n.Started, kib, errors.Join(err, n.Stop())
}

// startTime is the median of some starts. One before has made schema and keys, where they were not there.
func startTime(ctx context.Context, on *store) (report.Sample, error) {
	var all []float64
	for range starts + 1 {
		took, _, err := startOnce(ctx, on, 0)
		if err != nil {
			return report.Sample{}, err
		}
		all = append(all, ms(took))
	}
	all = all[1:]
	slices.Sort(all)
	return report.Sample{Value: all[starts/2]}, nil
}

// connectionMemory is the memory that a separate chatd needs for idle connections.
func (s *suite) connectionMemory(p protocol) func(context.Context) (report.Sample, error) {
	return func(ctx context.Context) (_ report.Sample, err error) {
		w, err := s.newWorld(ctx, "sqlite", setup.Size{Threads: 1, Messages: 1})
		if err != nil {
			return report.Sample{}, err
		}
		defer func() { err = errors.Join(err, w.Stop()) }()
		target := p.target(w, false)
		first, err := fanout.Connect(ctx, target, 1) // what the first connection alone costs does not count
		if err != nil {
			return report.Sample{}, err
		}
		defer first.Close()
		before, err := setup.Resident(w.PID())
		if err != nil {
			return report.Sample{}, err
		}
		all, err := fanout.Connect(ctx, target, idlers)
		if err != nil {
			return report.Sample{}, err
		}
		defer all.Close()
		time.Sleep(settled)
		after, err := setup.Resident(w.PID())
		return report.Sample{Value: (after - before) / idlers}, err
	}
}
