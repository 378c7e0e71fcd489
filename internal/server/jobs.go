package server

import (
	"context"
	"time"
)

const (
	sweepEvery   = time.Minute         // looks for threads whose retention ended
	keepDeleted  = 30 * 24 * time.Hour // deleted threads stay listed, as deleted, so long
	refreshLimit = 5 * time.Second
)

// RefreshEvery is how soon a server notices that signing keys were rotated or retired.
const RefreshEvery = 10 * time.Second

// every calls do each time d has passed on the server's clock, until the context ends.
func (s *Server) every(ctx context.Context, d time.Duration, do func(context.Context)) {
	ticker := s.config.Clock.NewTicker(d)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			do(ctx)
		}
	}
}

// sweep deletes what the retention policies of threads require.
func (s *Server) sweep(ctx context.Context) {
	s.every(ctx, sweepEvery, func(ctx context.Context) {
		// One node of all sweeps. The lease ends before the next round, so that any of them may be the next.
		granted, err := s.config.Store.Lease(ctx, "sweep", sweepEvery-sweepEvery/10)
		if err == nil && granted {
			err = s.chat.Sweep(ctx, keepDeleted)
		}
		if err != nil && ctx.Err() == nil {
			s.config.Log.Error("retention sweep failed", "error", err)
		}
	})
}

// refreshKeys reads the signing keys again, which chatd keys may have rotated or retired.
func (s *Server) refreshKeys(ctx context.Context) {
	failing := false
	s.every(ctx, RefreshEvery, func(ctx context.Context) {
		limited, cancel := context.WithTimeout(ctx, refreshLimit)
		err := s.config.Keys.Refresh(limited)
		cancel()
		if err != nil && !failing && ctx.Err() == nil { // once, as it may last
			s.config.Log.Error("signing keys could not be read again, the old ones stay", "error", err)
		}
		failing = err != nil
	})
}
