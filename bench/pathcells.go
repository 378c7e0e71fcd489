package main

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/chatd/chatd/bench/load"
	"github.com/chatd/chatd/bench/report"
	"github.com/chatd/chatd/bench/setup"
)

// Names of the limits.
const (
	pgxStatement = "limit: pgx, one statement"
	pgxScan      = "limit: pgx, raw scan"
	moderncBatch = "limit: modernc, batches"
	moderncScan  = "limit: modernc, scan"
	chiOpen      = "limit: chi"
	chiToken     = "limit: chi, cached token"
)

// limitOf names what a path on a kind of store is held against, "" when there is nothing.
func limitOf(path, kind string) string {
	switch path {
	case openGet:
		return chiOpen
	case tokenGet:
		return chiToken
	case listCold, listActive:
		return map[string]string{"sqlite": moderncScan, "postgres": pgxScan}[kind]
	case sendSpread:
		return map[string]string{"sqlite": moderncBatch, "postgres": pgxStatement}[kind]
	case sendHot:
		return map[string]string{"postgres": pgxStatement}[kind]
	default:
		return ""
	}
}

// pathCells are those of all paths: for each number of clients the limits and, beside them, chatd on each store.
func (s *suite) pathCells() []cell {
	var out []cell
	for _, p := range paths {
		for _, clients := range p.clients {
			for _, kind := range s.storesOf(p) {
				name := limitOf(p.name, kind)
				key := report.Key{Path: p.name, By: name, Clients: clients}
				if name != "" && !slices.ContainsFunc(out, func(c cell) bool { return c.Key == key }) {
					out = append(out, cell{Key: key, measure: s.limit(key)})
				}
			}
			for _, kind := range s.storesOf(p) {
				c := cell{
					Key: report.Key{Path: p.name, By: chatdOn(kind), Clients: clients}, measure: s.path(p, kind, usual, clients),
				}
				if name := limitOf(p.name, kind); name != "" {
					c.limit = &report.Key{Path: p.name, By: name, Clients: clients}
				}
				out = append(out, c)
			}
		}
	}
	return append(out, s.slowCells()...)
}

// storesOf are the stores with which a path is measured: one for what does not touch it.
func (s *suite) storesOf(p path) []string {
	if p.name == openGet || p.name == tokenGet {
		return s.stores[:1]
	}
	return s.stores
}

// path measures chatd.
func (s *suite) path(p path, kind string, size setup.Size, clients int) func(context.Context) (report.Sample, error) {
	var next atomic.Int64
	return func(ctx context.Context) (report.Sample, error) {
		w, err := s.world(ctx, kind, size)
		if err != nil {
			return report.Sample{}, err
		}
		ops, closeAll, err := s.clients(w, clients, p, &next)
		if err != nil {
			return report.Sample{}, err
		}
		defer closeAll()
		return s.rate(ctx, ops, s.meterOf(kind, w.Node))
	}
}

// clients connects so many clients that do what the path says.
func (s *suite) clients(w *setup.World, n int, p path, next *atomic.Int64) ([]load.Op, func(), error) {
	var conns []*load.Conn
	closeAll := func() {
		for _, c := range conns {
			_ = c.Close() // nothing is under way
		}
	}
	ops := make([]load.Op, n)
	for who := range ops {
		c, err := load.Dial(w.Origin(s.tls))
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		conns = append(conns, c)
		ops[who] = func(context.Context) error {
			_, err := c.Expect(p.status, p.request(w, who, int(next.Add(1)-1)))
			return err
		}
	}
	return ops, closeAll, nil
}

// limit measures what a path is held against.
func (s *suite) limit(k report.Key) func(context.Context) (report.Sample, error) {
	switch k.By {
	case chiOpen, chiToken:
		return s.chi(k)
	case moderncBatch, moderncScan:
		return func(ctx context.Context) (report.Sample, error) {
			db, err := s.modernc.get()
			if err != nil {
				return report.Sample{}, err
			}
			ops := db.Sends(k.Clients)
			if k.By == moderncScan {
				ops, err = db.Scans(ctx, k.Clients)
			}
			if err != nil {
				return report.Sample{}, err
			}
			return s.rate(ctx, ops, meter{})
		}
	default:
		return s.pgxLimit(k)
	}
}

func (s *suite) pgxLimit(k report.Key) func(context.Context) (report.Sample, error) {
	return func(ctx context.Context) (report.Sample, error) {
		db, err := s.pgx.get()
		if err != nil {
			return report.Sample{}, err
		}
		var ops []load.Op
		var closeAll func()
		if k.By == pgxScan {
			ops, closeAll, err = db.Scans(ctx, k.Clients)
		} else {
			ops, closeAll, err = db.Sends(ctx, k.Clients, k.Path == sendHot)
		}
		if err != nil {
			return report.Sample{}, err
		}
		defer closeAll()
		return s.rate(ctx, ops, meter{postgres: s.server.value})
	}
}

// chi measures the bare server. Its token is a real one, of any chatd of this run.
func (s *suite) chi(k report.Key) func(context.Context) (report.Sample, error) {
	return func(ctx context.Context) (report.Sample, error) {
		b, err := s.bare.get()
		if err != nil {
			return report.Sample{}, err
		}
		request := load.Request{Method: "GET", Path: "/open"}
		if k.By == chiToken {
			w, err := s.world(ctx, s.stores[0], usual)
			if err != nil {
				return report.Sample{}, err
			}
			request.Path, request.Token = "/token", w.Members[0].Token
		}
		ops := make([]load.Op, k.Clients)
		for i := range ops {
			c, err := load.Dial(b.Origin(s.tls))
			if err != nil {
				return report.Sample{}, err
			}
			defer c.Close()
			ops[i] = func(context.Context) error {
				_, err := c.Expect(200, request)
				return err
			}
		}
		return s.rate(ctx, ops, meter{server: func() time.Duration { return setup.Used(b.PID()) }})
	}
}

const (
	sendSlow   = "send, disk that flushes in 2 ms more"
	slowFlush  = 2 * time.Millisecond
	reloadTime = 200 * time.Millisecond // for all of Postgres to read its settings again
)

// slowCells are sends on a slow disk, as clouds have.
func (s *suite) slowCells() []cell {
	if !slices.Contains(s.stores, "postgres") {
		return nil
	}
	slowly := func(measure func(context.Context) (report.Sample, error)) func(context.Context) (report.Sample, error) {
		return func(ctx context.Context) (_ report.Sample, err error) {
			p, err := s.server.get()
			if err != nil {
				return report.Sample{}, err
			}
			if err := p.SlowFlushes(ctx, slowFlush); err != nil {
				return report.Sample{}, err
			}
			time.Sleep(reloadTime)
			defer func() {
				err = errors.Join(err, p.SlowFlushes(ctx, 0))
				time.Sleep(reloadTime)
			}()
			return measure(ctx)
		}
	}
	limit := report.Key{Path: sendSlow, By: pgxStatement, Clients: 64}
	return []cell{
		{Key: limit, measure: slowly(s.pgxLimit(limit))},
		{Key: report.Key{Path: sendSlow, By: chatdOn("postgres"), Clients: 64}, limit: &limit, measure: slowly(s.path(paths[0], "postgres", usual, 64))},
	}
}
