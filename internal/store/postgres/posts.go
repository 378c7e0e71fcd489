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

// posts is the committer of messages: one goroutine with a connection of its own, which stores by one statement all that was
// queued during its last commit. So one flush of the database's log serves many messages, and a busy thread is locked once
// for all of them.
//
// The committer never waits for the lock of a thread: another node may hold it for long, and all posts would wait. Posts to a
// locked thread go to a queue of that thread, and wait together on a connection of the pool.
type posts struct {
	e         *engine
	config    *pgx.ConnConfig
	committer *sqldb.Committer[*postJob]

	// Only the committer's goroutine uses these.
	conn      *pgx.Conn // nil: none yet, or the last one was lost
	used      time.Time
	failed    time.Time // when the last attempt to connect failed
	failedErr error

	mu      sync.Mutex
	waiting map[chat.ThreadKey][]*postJob // by locked thread; each key has a goroutine
	waiters sync.WaitGroup
}

const (
	// pingAfter is how long the connection may be idle before it is tested ahead of its use. When a dead connection is noticed
	// during a commit, the posts of that commit may have been stored, and must fail.
	pingAfter = time.Second

	// reconnectInterval is how long posts fail without another attempt to connect after one has failed.
	reconnectInterval = 250 * time.Millisecond
)

func newPosts(e *engine, config *pgx.ConnConfig) *posts {
	p := &posts{e: e, config: config, waiting: map[chat.ThreadKey][]*postJob{}}
	p.committer = sqldb.NewCommitter(p.commit)
	return p
}

// close stores first what is queued.
func (p *posts) close() {
	p.committer.Close()
	p.waiters.Wait()
	if p.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = p.conn.Close(ctx) // all has been stored
	}
}

// postJob is a post on its way.
type postJob struct {
	ctx  context.Context
	post sqldb.Post

	locked  bool  // the thread was locked by us, or does not exist; otherwise another transaction has it
	seq, id int64 // 0: the post is stale
	err     error
	done    chan struct{}
}

// Post implements sqldb.Poster.
func (e *engine) Post(ctx context.Context, post sqldb.Post) (seq int64, id chat.MessageID, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	j := &postJob{ctx: ctx, post: post, done: make(chan struct{})}
	if err := e.posts.committer.Add(ctx, j); err != nil {
		return 0, 0, err
	}
	<-j.done // also when the caller has gone, so that the outcome is known
	return j.seq, chat.MessageID(j.id), j.err
}

// commit stores a batch, except posts to threads that are locked.
func (p *posts) commit(batch []*postJob) {
	var now []*postJob
	for _, j := range batch {
		if !p.joinWaiting(j) {
			now = append(now, j)
		}
	}
	p.run(now, p.postUnlocked)
	for _, j := range now {
		if j.err == nil && !j.locked {
			p.wait(j)
		} else {
			close(j.done)
		}
	}
}

// joinWaiting adds a post to the queue of its thread, if there is one: posts that came before it must be stored before it.
func (p *posts) joinWaiting(j *postJob) bool {
	key := j.post.Thread
	p.mu.Lock()
	defer p.mu.Unlock()
	queue, there := p.waiting[key]
	if there {
		p.waiting[key] = append(queue, j)
	}
	return there
}

// wait adds a post to the queue of its thread, and starts one if there is none. Only the committer's goroutine starts queues.
func (p *posts) wait(j *postJob) {
	if p.joinWaiting(j) {
		return
	}
	key := j.post.Thread
	p.mu.Lock()
	p.waiting[key] = []*postJob{j}
	p.mu.Unlock()
	p.waiters.Go(func() { p.serveWaiting(key) })
}

// serveWaiting stores what waits for a thread until nothing does.
func (p *posts) serveWaiting(key chat.ThreadKey) {
	for {
		p.mu.Lock()
		queue := p.waiting[key]
		n := min(len(queue), sqldb.MaxBatch)
		if n == 0 {
			delete(p.waiting, key)
			p.mu.Unlock()
			return
		}
		batch := queue[:n:n]
		p.waiting[key] = queue[n:]
		p.mu.Unlock()
		p.run(batch, p.postWaiting)
		for _, j := range batch {
			close(j.done)
		}
	}
}

// run stores a batch by the given function and notes the outcomes. When the batch fails, each post is tried alone, so that
// others do not fail with one that cannot be stored; unless the database is not available, and then all fail.
func (p *posts) run(batch []*postJob, store func([]*postJob) error) {
	live := make([]*postJob, 0, len(batch))
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err == nil {
			live = append(live, j)
		}
	}
	if len(live) == 0 {
		return
	}
	err := store(live)
	var unavailable *sqldb.UnavailableError
	for _, j := range live {
		if err != nil && len(live) > 1 && !errors.As(err, &unavailable) {
			j.err = store([]*postJob{j})
		} else {
			j.err = err
		}
		if j.err == nil && j.locked && j.seq == 0 {
			j.err = chat.ErrStale
		}
	}
}

// postUnlocked stores the posts to threads that are not locked, by one statement, which is its own transaction.
func (p *posts) postUnlocked(batch []*postJob) error {
	conn, err := p.connection()
	if err != nil {
		return &sqldb.UnavailableError{Cause: err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), sqldb.DefaultTimeLimit)
	defer cancel()
	if len(batch) == 1 {
		j := batch[0]
		err = conn.QueryRow(ctx, postOneSQL, j.args()...).Scan(&j.locked, &j.seq, &j.id)
	} else {
		var rows pgx.Rows
		if rows, err = conn.Query(ctx, postManySQL, argsOf(batch)...); err == nil {
			err = scanAll(rows, outcomesOf(batch))
		}
	}
	p.used = time.Now()
	return classify(conn, err)
}

// postWaiting stores posts to one thread, for whose lock it waits.
func (p *posts) postWaiting(batch []*postJob) error {
	return poolConn{p.e}.use(context.Background(), func(ctx context.Context, c *pgx.Conn) error {
		var b pgx.Batch
		b.Queue(beginSQL)
		b.Queue(limitsSQL, milliseconds(lockTimeout), milliseconds(sqldb.DefaultTimeLimit))
		b.Queue(postManyWaitingSQL, argsOf(batch)...).Query(func(rows pgx.Rows) error { return scanAll(rows, outcomesOf(batch)) })
		b.Queue("COMMIT")
		return c.SendBatch(ctx, &b).Close()
	})
}

// connection returns the committer's connection, a new one if the last was lost.
func (p *posts) connection() (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if p.conn != nil && !p.conn.IsClosed() {
		if time.Since(p.used) < pingAfter || p.conn.Ping(ctx) == nil {
			return p.conn, nil
		}
		_ = p.conn.Close(ctx) // it is dead
	}
	p.conn = nil
	if time.Since(p.failed) < reconnectInterval {
		return nil, p.failedErr
	}
	conn, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		p.failed, p.failedErr = time.Now(), err
		return nil, err
	}
	p.conn = conn
	return conn, nil
}

// outcomesOf reads the rows that postManySQL returns.
func outcomesOf(batch []*postJob) func(sqldb.Row) error {
	return func(r sqldb.Row) error {
		var n int64
		var locked bool
		var seq, id int64
		err := r.Scan(&n, &locked, &seq, &id)
		if err == nil {
			j := batch[n-1]
			j.locked, j.seq, j.id = locked, seq, id
		}
		return err
	}
}
