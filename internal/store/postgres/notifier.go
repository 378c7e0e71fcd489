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

	// minInterval is the time between two notifications of a node. However much it commits, it wakes the others no more often.
	minInterval = 5 * time.Millisecond

	relistenAfter = time.Second      // after the connection was lost
	listenTimeout = 10 * time.Second // without a notification the connection is tested: a network may drop it silently
)

// notifier tells the other nodes that this one wrote events, and listens for their notifications. A notification says only that
// there is something to read. One that is lost delays events until the reader of the journal looks by itself.
//
// Notifications are sent after the commit, by a statement of its own: NOTIFY inside a transaction takes a lock that would let
// the whole cluster commit one transaction at a time.
type notifier struct {
	e       *engine
	id      string // of this node, to ignore its own notifications
	wake    func()
	pending chan struct{} // holds a token when there is something to notify of

	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// startNotifier starts both loops. config is for the connection that listens.
func startNotifier(e *engine, config *pgx.ConnConfig, wake func()) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	n := &notifier{e: e, id: rand.Text(), wake: wake, pending: make(chan struct{}, 1), cancel: cancel}
	n.tasks.Go(func() { n.notifyLoop(ctx) })
	n.tasks.Go(func() { n.listenLoop(ctx, config) })
	return n
}

// stop ends both loops and waits for them.
func (n *notifier) stop() {
	n.cancel()
	n.tasks.Wait()
}

// notify returns at once; notifyLoop sends.
func (n *notifier) notify() {
	select {
	case n.pending <- struct{}{}:
	default:
	}
}

// notifySQL turns synchronous_commit off for its own transaction, since commits of messages would wait for its flush.
const notifySQL = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"

// notifyLoop sends a notification when there is something to notify of. One that fails is not repeated, since nodes poll too.
func (n *notifier) notifyLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.pending:
		}
		if _, err := n.e.Read().Exec(ctx, notifySQL, channel, n.id); err != nil && ctx.Err() == nil {
			n.e.log.Debug("other nodes are not notified", "error", err)
		}
		if !sleep(ctx, minInterval) {
			return
		}
	}
}

// listenLoop listens until the context ends, on a new connection whenever one was lost.
func (n *notifier) listenLoop(ctx context.Context, config *pgx.ConnConfig) {
	level := slog.LevelWarn // for the first failure in a row
	for {
		err := n.listen(ctx, config, func() { level = slog.LevelWarn })
		if ctx.Err() != nil {
			return
		}
		n.e.log.Log(ctx, level, "notifications of other nodes are not received, the journal is polled", "error", sqldb.OneLine(err))
		level = slog.LevelDebug
		if !sleep(ctx, relistenAfter) {
			return
		}
	}
}

// listen connects and listens until the connection is lost. It calls listening when it has begun.
func (n *notifier) listen(ctx context.Context, config *pgx.ConnConfig, listening func()) error {
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(ctx) // tells the server, if it is there
	}()
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	listening()
	n.wake() // for notifications that were sent while there was no connection
	for {
		if err := n.receive(ctx, c); err != nil {
			return err
		}
	}
}

// receive waits for a notification. When none comes for a while it tests the connection.
func (n *notifier) receive(ctx context.Context, c *pgx.Conn) error {
	limited, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	notification, err := c.WaitForNotification(limited)
	if err == nil {
		if notification.Payload != n.id {
			n.wake()
		}
		return nil
	}
	if ctx.Err() != nil || c.IsClosed() {
		return err
	}
	limited, cancel = context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if _, err := c.Exec(limited, "SELECT 1"); err != nil {
		return fmt.Errorf("the connection is dead: %w", err)
	}
	return nil
}

// sleep reports whether the time passed before the context ended.
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
