package sqlite

import (
	"context"
	"errors"
	"fmt"

	driver "modernc.org/sqlite"

	"github.com/chatd/chatd/internal/store/sqldb"
)

// job is one write on its way.
type job struct {
	ctx  context.Context
	do   func(sqldb.Tx) error
	err  error
	done chan struct{}
}

func newJob(ctx context.Context, do func(sqldb.Tx) error) *job {
	return &job{ctx: ctx, do: do, done: make(chan struct{})}
}

// Write implements sqldb.Engine.
func (e *engine) Write(ctx context.Context, do func(sqldb.Tx) error) error {
	j := newJob(ctx, do)
	if err := e.committer.Add(ctx, j); err != nil {
		return err
	}
	return e.outcome(j)
}

// outcome waits for a job, also when its caller has gone, so that it is known whether the write was applied.
func (e *engine) outcome(j *job) error {
	<-j.done
	return e.classify(j.err)
}

// commit applies a batch. When the transaction as a whole fails, each write is tried again by itself, so that others do not
// fail with the one that caused it.
func (e *engine) commit(batch []*job) {
	if err := e.transact(batch); err != nil {
		for _, j := range batch {
			if len(batch) > 1 {
				err = e.transact([]*job{j})
			}
			if err != nil {
				j.err = err
			}
		}
	}
	for _, j := range batch {
		close(j.done)
	}
}

// transact runs a batch in one transaction. The error is that of the transaction; those of single writes are in the jobs.
func (e *engine) transact(batch []*job) error {
	ctx := context.Background() // a transaction that has begun is finished
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.writer.Exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err != nil { // the caller has gone, and nothing was done yet
			continue
		}
		if err := e.inSavepoint(ctx, j); err != nil {
			_, undo := e.writer.Exec(ctx, "ROLLBACK")
			return errors.Join(err, undo)
		}
	}
	if _, err := e.writer.Exec(ctx, "COMMIT"); err != nil {
		_, undo := e.writer.Exec(ctx, "ROLLBACK")
		return errors.Join(err, undo)
	}
	return nil
}

// inSavepoint runs one write of a transaction. When it fails, it alone is undone. The error is that of the transaction.
func (e *engine) inSavepoint(ctx context.Context, j *job) error {
	if _, err := e.writer.Exec(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	if j.err = sqldb.Guard(e.log, e.writer, j.do); j.err != nil {
		if _, err := e.writer.Exec(ctx, "ROLLBACK TO one"); err != nil {
			return errors.Join(j.err, err) // a full disk, for one, makes SQLite end the transaction
		}
	}
	_, err := e.writer.Exec(ctx, "RELEASE one")
	return err
}

// classify makes an UnavailableError of what concerns the file as a whole. Errors of single statements pass. The codes are
// SQLite's primary result codes.
func (e *engine) classify(err error) error {
	var answer *driver.Error
	if !errors.As(err, &answer) {
		return err
	}
	var what error
	switch answer.Code() & 0xff {
	case 13: // SQLITE_FULL
		what = sqldb.ErrFull
	case 10: // SQLITE_IOERR, also of a full disk that has no room for the index of the log
		what = errors.New("the disk of the store fails")
	case 5, 8: // SQLITE_BUSY, when another process writes for seconds; SQLITE_READONLY
		what = errors.New("the store cannot be written to")
	default:
		return err
	}
	return &sqldb.UnavailableError{Cause: fmt.Errorf("%w: %s: %w", what, e.path, err)}
}
