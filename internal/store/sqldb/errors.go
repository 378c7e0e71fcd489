package sqldb

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
)

var (
	// ErrNoRow is what Conn.QueryRow returns when there is no row.
	ErrNoRow = errors.New("no row")
	// ErrClosed is in the errors of an engine that was closed.
	ErrClosed = errors.New("store is closed")
	// ErrFull is in the errors of writes for which the disk has no room.
	ErrFull = errors.New("the disk of the store is full")
	// ErrURL is what an engine returns for a URL of its scheme that names no database.
	ErrURL = errors.New("not a URL of a store")
)

// UnavailableError says that the database cannot do its work now: it is not there, overloaded, stopping, full or read-only.
type UnavailableError struct {
	Cause    error
	ConnLost bool // the connection was lost, so that a write may have been applied
}

func (e *UnavailableError) Error() string { return e.Cause.Error() }
func (e *UnavailableError) Unwrap() error { return e.Cause }

// Guard runs do and returns a panic as an error: a defect in one write must not end the committer that serves all.
func Guard(log *slog.Logger, tx Tx, do func(Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("write panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("write panicked: %v", p)
		}
	}()
	return do(tx)
}

// OneLine returns the error with its text on one line, as a log and a terminal want it. Errors of pgx have several.
func OneLine(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if text == err.Error() {
		return err
	}
	return &oneLineError{text, err}
}

type oneLineError struct {
	text  string
	cause error
}

func (e *oneLineError) Error() string { return e.text }
func (e *oneLineError) Unwrap() error { return e.cause }
