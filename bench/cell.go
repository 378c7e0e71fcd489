package main

import (
	"context"
	"time"

	"github.com/chatd/chatd/bench/load"
	"github.com/chatd/chatd/bench/report"
	"github.com/chatd/chatd/bench/setup"
)

// cell is one thing to be measured: a row of the table.
type cell struct {
	report.Key
	limit   *report.Key // the row whose rate it is compared with
	unit    string      // of a figure that is no rate
	measure func(ctx context.Context) (report.Sample, error)
}

// meter reads how much the server and Postgres have computed.
type meter struct {
	server   func() time.Duration // nil: there is no server
	postgres *setup.Postgres      // nil: there is no Postgres
}

func (m meter) read() (server, postgres time.Duration) {
	if m.server != nil {
		server = m.server()
	}
	if m.postgres != nil {
		postgres = m.postgres.Used()
	}
	return server, postgres
}

// around runs something and adds to its sample how many cores were busy meanwhile.
func (m meter) around(run func() (*load.Result, error)) (report.Sample, error) {
	server, postgres := m.read()
	r, err := run()
	if err != nil {
		return report.Sample{}, err
	}
	server2, postgres2 := m.read()
	return report.Sample{
		Rate: r.Rate(), P50: ms(r.Quantile(0.5)), P99: ms(r.Quantile(0.99)),
		Chatd: (server2 - server).Seconds() / r.Took.Seconds(), Postgres: (postgres2 - postgres).Seconds() / r.Took.Seconds(),
	}, nil
}

// rate measures clients in a closed loop, once they are warm.
func (s *suite) rate(ctx context.Context, ops []load.Op, m meter) (report.Sample, error) {
	if _, err := load.Run(ctx, ops, s.window/3); err != nil {
		return report.Sample{}, err
	}
	return m.around(func() (*load.Result, error) { return load.Run(ctx, ops, s.window) })
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func pointer[T any](v T) *T { return &v }
