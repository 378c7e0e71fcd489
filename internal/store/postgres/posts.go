package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

// posts is the committer of messages: one goroutine and one connection that give all that queued while their last commit
// was under way a place by one statement. One flush of the log then serves many messages, and a thread that everybody
// writes to is locked once for all of them.
//
// The committer never waits for the lock of a thread, which another node may hold for long, since all others would wait
// too. Posts whose thread is locked go to a lane of that thread, where they wait together on a connection of the pool.
type posts struct {
	e      *engine
	config *pgx.ConnConfig
	queue  *sqldb.Committer[*postJob]

	// Of the committer alone.
	on      *pgx.Conn // nil: there is none
	used    time.Time
	refused time.Time // when no connection could be had
	reason  error

	mu      sync.Mutex
	lanes   map[chat.ThreadKey][]*postJob // what waits, by thread; a lane that is there has a goroutine
	walkers sync.WaitGroup
}

const (
	// idleTime is after how long without use a connection is tried before it is relied on: what is lost with a dead one
	// must be called unknown.
	idleTime = time.Second

	// refusedTime is how long posts are refused, after no connection could be had, without another try.
	refusedTime = 250 * time.Millisecond
)

func newPosts(e *engine, config *pgx.ConnConfig) *posts {
	p := &posts{e: e, config: config, lanes: map[chat.ThreadKey][]*postJob{}}
	p.queue = sqldb.NewCommitter(p.commit)
	return p
}

// close does what queues first.
func (p *posts) close() {
	p.queue.Close()
	p.walkers.Wait()
	if p.on != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = p.on.Close(ctx) // there is nothing left to say
	}
}

// post places a message.
func (p *posts) post(ctx context.Context, in sqldb.Post) (seq int64, id chat.MessageID, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	j := &postJob{ctx: ctx, post: in, done: make(chan struct{})}
	if err := p.queue.Add(ctx, j); err != nil {
		return 0, 0, err
	}
	<-j.done // even if the caller has gone: the outcome must not be left open
	return j.seq, chat.MessageID(j.id), j.err
}

// commit applies a batch of the queue.
func (p *posts) commit(batch []*postJob) {
	var mine []*postJob
	for _, j := range batch {
		if !p.follow(j) {
			mine = append(mine, j)
		}
	}
	p.settle(mine, p.quickly)
	for _, j := range mine {
		if j.err == nil && !j.held {
			p.enqueue(j)
		} else {
			close(j.done)
		}
	}
}

// follow adds a post to the lane of its thread, if there is one.
func (p *posts) follow(j *postJob) bool {
	key := j.post.Thread
	p.mu.Lock()
	defer p.mu.Unlock()
	lane, there := p.lanes[key]
	if there {
		p.lanes[key] = append(lane, j)
	}
	return there
}

// enqueue adds a post to the lane of its thread, which it opens if need be.
func (p *posts) enqueue(j *postJob) {
	if p.follow(j) {
		return
	}
	key := j.post.Thread
	p.mu.Lock()
	p.lanes[key] = []*postJob{j}
	p.mu.Unlock()
	p.walkers.Go(func() { p.walk(key) })
}

// walk serves a lane until it is empty.
func (p *posts) walk(key chat.ThreadKey) {
	for {
		p.mu.Lock()
		lane := p.lanes[key]
		n := min(len(lane), sqldb.MaxBatch)
		if n == 0 {
			delete(p.lanes, key)
			p.mu.Unlock()
			return
		}
		batch := lane[:n:n]
		p.lanes[key] = lane[n:]
		p.mu.Unlock()
		p.settle(batch, p.patiently)
		for _, j := range batch {
			close(j.done)
		}
	}
}

// settle applies a batch in the given way and notes the outcomes. When one post cannot be written, each is tried by itself;
// when the database is away, all have failed.
func (p *posts) settle(batch []*postJob, way func([]*postJob) error) {
	live := make([]*postJob, 0, len(batch))
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err == nil {
			live = append(live, j)
		}
	}
	if len(live) == 0 {
		return
	}
	err := way(live)
	var gone *sqldb.UnavailableError
	for _, j := range live {
		if err != nil && len(live) > 1 && !errors.As(err, &gone) {
			j.err = way([]*postJob{j})
		} else {
			j.err = err
		}
		if j.err == nil && j.held && j.seq == 0 {
			j.err = chat.ErrStale
		}
	}
}

// quickly places those posts whose thread nobody holds, by one statement that is a transaction.
func (p *posts) quickly(batch []*postJob) error {
	on, err := p.connection()
	if err != nil {
		return &sqldb.UnavailableError{Cause: err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), sqldb.DefaultTimeLimit)
	defer cancel()
	if len(batch) == 1 {
		j := batch[0]
		err = on.QueryRow(ctx, placeOne, j.columns()...).Scan(&j.held, &j.seq, &j.id)
	} else {
		var rows pgx.Rows
		if rows, err = on.Query(ctx, placeMany, columnsOf(batch)...); err == nil {
			err = scanAll(rows, places(batch))
		}
	}
	p.used = time.Now()
	return explain(on, err)
}

// patiently waits for the lock of the only thread of the batch.
func (p *posts) patiently(batch []*postJob) error {
	return poolConn{p.e}.on(context.Background(), func(ctx context.Context, c *pgx.Conn) error {
		var b pgx.Batch
		b.Queue(begin)
		b.Queue(limits, milliseconds(lockTime), milliseconds(sqldb.DefaultTimeLimit))
		b.Queue(placeManyPatiently, columnsOf(batch)...).Query(func(rows pgx.Rows) error { return scanAll(rows, places(batch)) })
		b.Queue("COMMIT")
		return c.SendBatch(ctx, &b).Close()
	})
}

// connection returns the committer's own, a new one if it was lost.
func (p *posts) connection() (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	if p.on != nil && !p.on.IsClosed() {
		if time.Since(p.used) < idleTime || p.on.Ping(ctx) == nil {
			return p.on, nil
		}
		_ = p.on.Close(ctx) // it is dead
	}
	p.on = nil
	if time.Since(p.refused) < refusedTime {
		return nil, p.reason
	}
	on, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		p.refused, p.reason = time.Now(), err
		return nil, err
	}
	p.on = on
	return on, nil
}

// postJob is a post that waits for its place.
type postJob struct {
	ctx  context.Context
	post sqldb.Post

	held    bool // the thread could be locked, or is not there
	seq, id int64
	err     error
	done    chan struct{}
}

// places reads the outcomes of a batch.
func places(batch []*postJob) func(sqldb.Row) error {
	return func(r sqldb.Row) error {
		var n int64
		var held bool
		var seq, id int64
		err := r.Scan(&n, &held, &seq, &id)
		if err == nil {
			j := batch[n-1]
			j.held, j.seq, j.id = held, seq, id
		}
		return err
	}
}
