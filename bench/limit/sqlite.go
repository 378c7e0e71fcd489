package limit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver

	"github.com/chatd/chatd/bench/load"
)

// SQLite is the same in a file, in this process. One connection writes: it takes what queued while the last commit was under
// way and applies it in one transaction.
type SQLite struct {
	db      *sql.DB
	queue   chan *sqlitePost
	threads int
	next    atomic.Int64
}

type sqlitePost struct {
	thread, id int64
	err        error
	done       chan struct{}
}

const maxBatch = 128

// NewSQLite fills a new file.
func NewSQLite(ctx context.Context, path string, threads, messages int) (*SQLite, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	if err != nil {
		return nil, err
	}
	for _, s := range []string{
		"CREATE TABLE threads (tk INTEGER PRIMARY KEY, seq BIGINT NOT NULL, last_id BIGINT NOT NULL)",
		`CREATE TABLE messages (tk BIGINT NOT NULL, id BIGINT NOT NULL, seq BIGINT NOT NULL, version BIGINT NOT NULL, type TEXT NOT NULL,
			sender TEXT NOT NULL, name TEXT NOT NULL, content TEXT NOT NULL, metadata TEXT NOT NULL, edited_on BIGINT NOT NULL,
			deleted_on BIGINT NOT NULL, PRIMARY KEY (tk, id)) WITHOUT ROWID`,
		fmt.Sprintf("WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < %d) INSERT INTO threads SELECT i, %d, %d FROM t", threads, messages, begin+messages),
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO messages SELECT tk, %d + i, i, %[2]d + i, 'text', '%s', '%s', '%s', '', 0, 0 FROM n, threads`, messages, begin, sender, name, text),
	} {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return nil, errors.Join(fmt.Errorf("%.60s: %w", s, err), db.Close())
		}
	}
	s := &SQLite{db: db, threads: threads, queue: make(chan *sqlitePost, maxBatch)}
	writer, err := s.writer(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	go writer.run(ctx, s.queue)
	return s, nil
}

// Sends are clients that send messages to all threads in turn.
func (s *SQLite) Sends(clients int) []load.Op {
	ops := make([]load.Op, clients)
	for i := range ops {
		ops[i] = func(context.Context) error {
			n := s.next.Add(1)
			p := &sqlitePost{thread: n%int64(s.threads) + 1, id: begin + n, done: make(chan struct{})}
			s.queue <- p
			<-p.done
			return p.err
		}
	}
	return ops
}

// Scans are clients that read the newest 50 messages of a thread.
func (s *SQLite) Scans(ctx context.Context, clients int) ([]load.Op, error) {
	scan, err := s.db.PrepareContext(ctx, page)
	if err != nil {
		return nil, err
	}
	ops := make([]load.Op, clients)
	for i := range ops {
		values := make([]any, 10)
		for v := range values {
			values[v] = &sql.RawBytes{}
		}
		ops[i] = func(context.Context) error { // without a context the driver starts no goroutine to watch it
			rows, err := scan.Query(rand.IntN(s.threads)+1, int64(1<<62))
			if err != nil {
				return err
			}
			for rows.Next() {
				if err := rows.Scan(values...); err != nil {
					return errors.Join(err, rows.Close())
				}
			}
			return errors.Join(rows.Err(), rows.Close())
		}
	}
	return ops, nil
}

// sqliteWriter is the connection that writes, with its statements.
type sqliteWriter struct {
	begin, move, insert, commit *sql.Stmt
}

func (s *SQLite) writer(ctx context.Context) (*sqliteWriter, error) {
	c, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var w sqliteWriter
	for _, one := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.move, "UPDATE threads SET seq = seq + 1, last_id = max(last_id + 1, $2) WHERE tk = $1 RETURNING seq, last_id"},
		{&w.insert, "INSERT INTO messages VALUES ($1, $2, $3, $2, 'text', $4, $5, $6, '', 0, 0)"},
		{&w.commit, "COMMIT"},
	} {
		if *one.to, err = c.PrepareContext(ctx, one.text); err != nil {
			return nil, err
		}
	}
	return &w, nil
}

func (w *sqliteWriter) run(ctx context.Context, queue chan *sqlitePost) {
	for {
		var batch []*sqlitePost
		select {
		case <-ctx.Done():
			return
		case p := <-queue:
			batch = append(batch, p)
		}
		for len(queue) > 0 && len(batch) < maxBatch { // this is the only reader
			batch = append(batch, <-queue)
		}
		err := w.apply(batch)
		for _, p := range batch {
			p.err = err
			close(p.done)
		}
	}
}

func (w *sqliteWriter) apply(batch []*sqlitePost) error {
	if _, err := w.begin.Exec(); err != nil {
		return err
	}
	for _, p := range batch {
		var seq, id int64
		if err := w.move.QueryRow(p.thread, p.id).Scan(&seq, &id); err != nil {
			return err
		}
		if _, err := w.insert.Exec(p.thread, id, seq, sender, name, text); err != nil {
			return err
		}
	}
	_, err := w.commit.Exec()
	return err
}
