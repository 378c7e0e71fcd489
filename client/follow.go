package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	minPause = 500 * time.Millisecond
	maxPause = 30 * time.Second

	connectTime = 30 * time.Second // for a server that may be frozen
)

// Follow calls hear for each event, one after the other, until the context ends, hear returns an error, or connecting
// again cannot help; it returns why. token is asked for a token at each connection; when it fails it is asked again.
//
// A program that keeps the position of the last event it has dealt with, and gives it to Options.After when it starts
// again, misses nothing between its runs either.
func Follow(ctx context.Context, endpoint string, token func(context.Context) (string, error), o Options, hear func(Event) error) error {
	pause := minPause
	for {
		connected, err := follow(ctx, endpoint, token, &o, hear)
		if connected {
			pause = minPause
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
		case <-time.After(pause/2 + rand.N(pause/2)): // so that not all come back at once
		}
		pause = min(2*pause, maxPause)
	}
}

// finalError is one after which connecting again does not help.
type finalError struct{ error }

// follow hears the events of one connection, and keeps in o where it ended.
func follow(ctx context.Context, endpoint string, token func(context.Context) (string, error), o *Options, hear func(Event) error) (connected bool, err error) {
	secret, err := token(ctx)
	if err != nil {
		return false, err
	}
	connecting, cancel := context.WithTimeout(ctx, connectTime)
	c, err := Dial(connecting, endpoint, secret, *o)
	cancel()
	if err != nil {
		return false, judge(err)
	}
	defer c.Close()
	for o.After = c.Position(); ; o.After = c.Position() {
		e, err := c.Next(ctx)
		if err != nil {
			o.After = c.Position()
			return true, err
		}
		if err := hear(e); err != nil {
			return true, &finalError{err}
		}
	}
}

// judge tells which errors of connecting are final: what the server says of the request, not of itself or its load.
func judge(err error) error {
	var closed *CloseError
	var status *StatusError
	switch {
	case errors.As(err, &closed) && (closed.Code == CodeBadFrame || closed.Code == CodeUnauthorized || closed.Code == CodeTooLarge),
		errors.As(err, &status) && status.Status/100 == 4 && status.Status != http.StatusTooManyRequests:
		return &finalError{err}
	}
	return err
}
