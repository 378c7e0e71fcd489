package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chatd/chatd/bench/limit"
	"github.com/chatd/chatd/bench/setup"
)

// lazy is something that is made when it is first needed.
type lazy[T any] struct {
	open  func() (T, error)
	tried bool
	done  bool
	value T
	err   error
}

func (l *lazy[T]) get() (T, error) {
	if !l.tried {
		l.tried = true
		l.value, l.err = l.open()
		l.done = l.err == nil
	}
	return l.value, l.err
}

// resources are the processes and stores of a run.
type resources struct {
	dir      string
	logLevel string
	program  lazy[string] // chatd
	server   lazy[*setup.Postgres]
	bare     lazy[*limit.Bare]
	pgx      lazy[*limit.Postgres]
	modernc  lazy[*limit.SQLite]
	worlds   map[string]*lazy[*setup.World]
	closers  []func()
	made     int // folders and databases
}

// usual is what is stored when the paths are measured.
var usual = setup.Size{Threads: 1000, Messages: 300}

func newResources(ctx context.Context, dir, logLevel string) *resources {
	r := &resources{dir: dir, logLevel: logLevel, worlds: map[string]*lazy[*setup.World]{}}
	r.program.open = func() (string, error) { return setup.Build(ctx, dir) }
	r.server.open = func() (*setup.Postgres, error) {
		p, err := setup.StartPostgres(ctx)
		if err != nil {
			return nil, fmt.Errorf("a Postgres: %w", err)
		}
		r.onClose(p.Close)
		return p, nil
	}
	r.bare.open = func() (*limit.Bare, error) {
		b, err := limit.StartBare(ctx, serveBare)
		if err == nil {
			r.onClose(b.Stop)
		}
		return b, err
	}
	r.pgx.open = func() (*limit.Postgres, error) {
		p, err := r.server.get()
		if err != nil {
			return nil, err
		}
		url, err := p.Create(ctx, "limits")
		if err != nil {
			return nil, err
		}
		return limit.NewPostgres(ctx, url, usual.Threads, usual.Messages)
	}
	r.modernc.open = func() (*limit.SQLite, error) {
		return limit.NewSQLite(ctx, filepath.Join(dir, "limits.db"), usual.Threads, usual.Messages)
	}
	return r
}

func (r *resources) onClose(do func()) { r.closers = append(r.closers, do) }

// close ends everything, last made first.
func (r *resources) close() {
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i]()
	}
}

// store is an empty store of chatd.
type store struct {
	setup.Chatd
	grow func(ctx context.Context, times int) error
}

// empty makes a new store of a kind, sqlite or postgres.
func (r *resources) empty(ctx context.Context, kind string) (*store, error) {
	program, err := r.program.get()
	if err != nil {
		return nil, err
	}
	r.made++
	s := &store{Chatd: setup.Chatd{Program: program, Dir: filepath.Join(r.dir, fmt.Sprint("chatd", r.made)), LogLevel: r.logLevel}}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		return nil, err
	}
	switch kind {
	case "sqlite":
		path := filepath.Join(s.Dir, "chatd.db")
		s.Store, s.grow = "sqlite:"+path, setup.GrowSQLite(path)
		return s, nil
	case "postgres":
		p, err := r.server.get()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprint("chatd", r.made)
		s.Store, err = p.Create(ctx, name)
		s.grow = p.Grow(name)
		return s, err
	default:
		return nil, fmt.Errorf("there is no store %q", kind)
	}
}

// world returns the chatd of a kind of store with so much in it, kept for the whole run.
func (r *resources) world(ctx context.Context, kind string, size setup.Size) (*setup.World, error) {
	name := fmt.Sprint(kind, size)
	if r.worlds[name] == nil {
		r.worlds[name] = &lazy[*setup.World]{open: func() (*setup.World, error) {
			w, err := r.newWorld(ctx, kind, size)
			if err == nil {
				r.onClose(func() { _ = w.Stop() }) // nothing is to be kept
			}
			return w, err
		}}
	}
	return r.worlds[name].get()
}

func (r *resources) newWorld(ctx context.Context, kind string, size setup.Size) (*setup.World, error) {
	s, err := r.empty(ctx, kind)
	if err != nil {
		return nil, err
	}
	return setup.NewWorld(ctx, s.Chatd, size, s.grow)
}

// second starts a second node on the store of a world, which learns of what the first writes in the given way. The caller
// stops it, so that it does not run during the next measurement.
func (r *resources) second(ctx context.Context, w *setup.World, listen string) (*setup.Node, error) {
	r.made++
	c := w.Chatd
	c.Listen, c.Dir = listen, filepath.Join(r.dir, fmt.Sprint("chatd", r.made))
	if err := os.Mkdir(c.Dir, 0o700); err != nil {
		return nil, err
	}
	return c.Start(ctx)
}

// meterOf reads a chatd on a kind of store.
func (r *resources) meterOf(kind string, n *setup.Node) meter {
	m := meter{server: n.Used}
	if kind == "postgres" {
		m.postgres = r.server.value
	}
	return m
}

// chatdOn names chatd on a kind of store.
func chatdOn(kind string) string { return "chatd " + strings.ToLower(kind) }
