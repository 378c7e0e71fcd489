package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// DrainTimeout is how long running requests may take when the server stops.
const DrainTimeout = 10 * time.Second

// Listeners are where a server accepts connections. Run closes them.
type Listeners struct {
	TLS   []net.Listener // by Config.TLS
	Plain []net.Listener // http without TLS
}

// Run serves on the listeners until the context ends, Stop is called or a listener fails, and then stops in order: /readyz says
// so; when the context ended, the StopDelay passes; and then what Stop does. It returns when all of that is done.
//
// Once the server answers, ready is called, which may be nil. When it returns an error, Run stops without a delay.
func (s *Server) Run(ctx context.Context, l Listeners, ready func(context.Context) error) error {
	failed := s.start(ctx, l)
	var err error
	if ready != nil {
		err = ready(ctx)
	}
	if err != nil {
		return errors.Join(err, s.Stop())
	}
	select {
	case <-s.asked:
	case err = <-failed:
	case <-ctx.Done():
		s.config.Log.Info("stopping", s.lost()...)
		s.operations.stopping.Store(true)
		delay := time.NewTimer(s.config.StopDelay)
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-s.asked:
		}
	}
	return errors.Join(err, s.Stop())
}

// start starts all parts. The channel gets what makes a listener fail.
func (s *Server) start(ctx context.Context, l Listeners) (failed <-chan error) {
	ctx = context.WithoutCancel(ctx) // parts are stopped in order
	s.jobs.start(ctx, s.sweep, s.refreshKeys)
	s.realtime.group.start(ctx, s.realtime.hub.Run, s.realtime.trouter.Run, s.realtime.native.Run)
	errs := make(chan error, len(l.TLS)+len(l.Plain))
	serve := func(serve func(net.Listener) error, on []net.Listener) {
		for _, listener := range on {
			s.serving.start(ctx, func(context.Context) {
				if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
					errs <- err
				}
			})
		}
	}
	serve(func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }, l.TLS)
	serve(s.http.Serve, l.Plain)
	return errs
}

// Stop ends the server at once but in order, and waits: clients of the real-time protocols get a close message and have closed (10 seconds at
// most), running requests are answered (10 seconds at most), background work has ended, the store is closed. It may be called
// more than once, before Run and while it runs; the result is that of closing the store.
func (s *Server) Stop() error {
	s.stop.Do(func() {
		close(s.asked)
		s.operations.stopping.Store(true)
		s.realtime.group.stop() // long polls are requests too, so they end before requests are waited for
		s.drain()
		s.serving.stop()
		s.jobs.stop()
		s.stopErr = s.config.Store.Close()
	})
	return s.stopErr
}

// drain takes no more requests and waits for those that run.
func (s *Server) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), DrainTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.config.Log.Warn("requests were cut off", "after", DrainTimeout, "error", err)
		_ = s.http.Close() // what it could say was said
	}
}

// lost is what the log says of data that ends with the server.
func (s *Server) lost() []any {
	if !s.config.Ephemeral {
		return nil
	}
	return []any{"data", "users, threads and messages were in memory and are gone; --store sqlite:PATH keeps them"}
}

// group runs functions until it is stopped. The zero value is ready.
type group struct {
	mu      sync.Mutex
	cancels []context.CancelFunc
	stopped bool
	running sync.WaitGroup
}

// start runs each function in a goroutine. They return when their context ends. On a stopped group it has already ended.
func (g *group) start(ctx context.Context, functions ...func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		cancel()
		for _, f := range functions {
			f(ctx)
		}
		return
	}
	g.cancels = append(g.cancels, cancel)
	for _, f := range functions {
		g.running.Go(func() { f(ctx) })
	}
}

// stop ends the functions and waits for them. It may be called twice.
func (g *group) stop() {
	g.mu.Lock()
	g.stopped = true
	for _, cancel := range g.cancels {
		cancel()
	}
	g.mu.Unlock()
	g.running.Wait()
}
