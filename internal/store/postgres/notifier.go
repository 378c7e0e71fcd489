package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/internal/store/sqldb"
)

const (
	channel = "chatd_journal"

	// calm is between two notifications of a node: however much it commits, others are woken no more often.
	calm = 5 * time.Millisecond

	listenAgain = time.Second      // after the connection was lost
	listenCheck = 10 * time.Second // whether it is still there: the network may cut it without a word
)

// neighbours tells the other nodes that this one wrote events, and hears it from them. A notification says no more than that
// there is something; one that is lost costs the time until the reader of the journal looks by itself, never an event.
//
// It is sent after the commit by a statement of its own: within the transaction, commits of the whole cluster would wait for
// one another.
type neighbours struct {
	e    *engine
	me   string
	wake func()
	news chan struct{} // holds a token when there is something to tell

	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// meet begins to tell and to hear; config is that of the connection to hear on.
func meet(e *engine, config *pgx.ConnConfig, wake func()) *neighbours {
	ctx, cancel := context.WithCancel(context.Background())
	n := &neighbours{e: e, me: rand.Text(), wake: wake, news: make(chan struct{}, 1), cancel: cancel}
	n.tasks.Go(func() { n.tell(ctx) })
	n.tasks.Go(func() { n.hear(ctx, config) })
	return n
}

func (n *neighbours) leave() {
	n.cancel()
	n.tasks.Wait()
}

func (n *neighbours) announce() {
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// notify needs no flush of the log, for which commits of messages would have to wait.
const notify = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"

func (n *neighbours) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.news:
		}
		if _, err := n.e.Read().Exec(ctx, notify, channel, n.me); err != nil && ctx.Err() == nil {
			n.e.log.Debug("other nodes are not notified", "error", err)
		}
		if !sleep(ctx, calm) {
			return
		}
	}
}

// hear listens until the context ends, over a new connection whenever one is lost.
func (n *neighbours) hear(ctx context.Context, config *pgx.ConnConfig) {
	level := slog.LevelWarn // for the first of a row of failures
	for {
		err := n.listen(ctx, config, func() { level = slog.LevelWarn })
		if ctx.Err() != nil {
			return
		}
		n.e.log.Log(ctx, level, "other nodes are not heard, the journal is polled", "error", sqldb.OneLine(err))
		level = slog.LevelDebug
		if !sleep(ctx, listenAgain) {
			return
		}
	}
}

func (n *neighbours) listen(ctx context.Context, config *pgx.ConnConfig, listening func()) error {
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(ctx) // says goodbye if it can
	}()
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	listening()
	n.wake() // something may have been told in between
	for {
		if err := n.next(ctx, c); err != nil {
			return err
		}
	}
}

// next waits for a notification, or else makes sure that there still is a connection.
func (n *neighbours) next(ctx context.Context, c *pgx.Conn) error {
	waiting, cancel := context.WithTimeout(ctx, listenCheck)
	defer cancel()
	note, err := c.WaitForNotification(waiting)
	if err == nil {
		if note.Payload != n.me {
			n.wake()
		}
		return nil
	}
	if ctx.Err() != nil || c.IsClosed() {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	if _, err := c.Exec(limited, "SELECT 1"); err != nil {
		return fmt.Errorf("the connection is dead: %w", err)
	}
	return nil
}

// sleep waits and reports whether the context goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
