//go:build !unix

// Package pgtest has a Postgres for tests, where it knows how to start one: not here.
package pgtest

import (
	"errors"
	"os"
	"testing"
)

// Server is a Postgres that this process started.
type Server struct{}

// Database skips the test.
func Database(t testing.TB, _ func(url string) error, _ ...string) string {
	skip(t)
	return ""
}

// Tool skips the test.
func Tool(t testing.TB, _ string) string {
	skip(t)
	return ""
}

// Pooled skips the test.
func Pooled(t testing.TB, _ string) string {
	skip(t)
	return ""
}

// Start skips the test.
func Start(t testing.TB, _ ...string) *Server {
	skip(t)
	return nil
}

// Open fails.
func Open(...string) (*Server, error) { return nil, errors.New("needs Postgres on a Unix system") }

// Close has nothing to do.
func (*Server) Close() {}

// PID is none.
func (*Server) PID() (int, error) { return 0, errors.New("there is no server") }

func skip(t testing.TB) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("needs Postgres on a Unix system")
	}
	t.Skip("needs Postgres on a Unix system")
}

// Stop has nothing to do.
func Stop() {}

// URL is that of no database.
func (*Server) URL(string) string { return "" }

// Socket is none.
func (*Server) Socket() string { return "" }

// Kill does nothing.
func (*Server) Kill(testing.TB) {}

// Run does nothing.
func (*Server) Run(testing.TB) {}
