package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	minBackoff = 500 * time.Millisecond
	maxBackoff = 30 * time.Second

	dialTimeout = 30 * time.Second // for a server that may be frozen
)

// Follow calls handle for each event, one after the other and in order, until the context ends, handle returns an error, or
// reconnecting cannot help; it returns why. token is called for each connection, and again, after a pause, when it fails. Pauses
// grow from half a second to 30 seconds.
//
// A program that keeps the position of the last event it has dealt with, and gives it to Options.After when it starts
// again, misses nothing between its runs either.
func Follow(ctx context.Context, endpoint string, token func(context.Context) (string, error), o Options, handle func(Event) error) error {
	backoff := minBackoff
	for {
		connected, err := follow(ctx, endpoint, token, &o, handle)
		if connected {
			backoff = minBackoff
		}
		var final *finalError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &final):
			return final.error
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff/2 + rand.N(backoff/2)): // so that not all come back at once
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// finalError is one after which connecting again does not help.
type finalError struct{ error }

// follow handles the events of one connection, and keeps in o where it ended.
func follow(ctx context.Context, endpoint string, token func(context.Context) (string, error), o *Options, handle func(Event) error) (connected bool, err error) {
	secret, err := token(ctx)
	if err != nil {
		return false, err
	}
	connecting, cancel := context.WithTimeout(ctx, dialTimeout)
	c, err := Dial(connecting, endpoint, secret, *o)
	cancel()
	if err != nil {
		return false, classify(err)
	}
	defer c.Close()
	for o.After = c.Position(); ; o.After = c.Position() {
		e, err := c.Next(ctx)
		if err != nil {
			o.After = c.Position()
			return true, err
		}
		if err := handle(e); err != nil {
			return true, &finalError{err}
		}
	}
}

// classify tells which errors of connecting are final: what the server says of the request, not of itself or its load.
func classify(err error) error {
	var closed *CloseError
	var status *StatusError
	switch {
	case errors.As(err, &closed) && (closed.Code == CodeBadFrame || closed.Code == CodeUnauthorized || closed.Code == CodeTooLarge),
		errors.As(err, &status) && status.Status/100 == 4 && status.Status != http.StatusTooManyRequests:
		return &finalError{err}
	}
	return err
}
