package limit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/bench/load"
)

// Postgres is a database with the least of a chat: threads and messages, and no more indexes than needed.
type Postgres struct {
	url     string
	threads int
	next    atomic.Int64
}

var schema = []string{
	`CREATE TABLE threads (tk BIGINT PRIMARY KEY, seq BIGINT NOT NULL, last_id BIGINT NOT NULL) WITH (fillfactor = 70)`,
	`CREATE TABLE messages (tk BIGINT NOT NULL, id BIGINT NOT NULL, seq BIGINT NOT NULL, version BIGINT NOT NULL, type TEXT NOT NULL,
		sender TEXT NOT NULL, name TEXT NOT NULL, content TEXT NOT NULL, metadata TEXT NOT NULL, edited_on BIGINT NOT NULL, deleted_on BIGINT NOT NULL,
		PRIMARY KEY (tk, id))`,
}

const (
	sender = "8:acs:c4a7d000-0000-4000-8000-000000000001_00000020-0000-0000-0000-000000000001"
	name   = "Margaret"
	begin  = 1_790_000_000_000 // id of the first message
)

var text = strings.Repeat("All work and no play. ", 12)[:256]

// NewPostgres fills an empty database.
func NewPostgres(ctx context.Context, url string, threads, messages int) (_ *Postgres, err error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	for _, s := range append(schema,
		fmt.Sprintf("INSERT INTO threads SELECT t, %d, %d FROM generate_series(1, %d) t", messages, begin+messages, threads),
		fmt.Sprintf(`INSERT INTO messages SELECT t, %d + i, i, %[1]d + i, 'text', '%s', '%s', '%s', '', 0, 0
			FROM generate_series(1, %d) i, generate_series(1, %d) t ORDER BY i, t`, begin, sender, name, text, messages, threads),
		"VACUUM ANALYZE") {
		if _, err := c.Exec(ctx, s); err != nil {
			return nil, fmt.Errorf("%.60s: %w", s, err)
		}
	}
	return &Postgres{url: url, threads: threads}, nil
}

// post gives a message its place and keeps it, in one statement.
const post = `WITH t AS (UPDATE threads SET seq = seq + 1, last_id = greatest(last_id + 1, $2) WHERE tk = $1 RETURNING seq, last_id)
	INSERT INTO messages SELECT $1, t.last_id, t.seq, t.last_id, 'text', $3, $4, $5, '', 0, 0 FROM t RETURNING id, seq`

// Sends are clients that send messages, each on its own connection; to all threads in turn, or all to one.
func (p *Postgres) Sends(ctx context.Context, clients int, hot bool) ([]load.Op, func(), error) {
	return p.clients(ctx, clients, func(ctx context.Context, c *pgx.Conn) error {
		n := p.next.Add(1)
		thread := n%int64(p.threads) + 1
		if hot {
			thread = 1
		}
		var id, seq int64
		return c.QueryRow(ctx, post, thread, begin+n, sender, name, text).Scan(&id, &seq)
	})
}

const page = `SELECT id, seq, version, type, sender, name, content, metadata, edited_on, deleted_on FROM messages
	WHERE tk = $1 AND id <= $2 ORDER BY id DESC LIMIT 50`

// maxScanners is how many connections scan at most: more are slower.
const maxScanners = 16

// Scans are clients that read the newest 50 messages of a thread and look at none of the values.
func (p *Postgres) Scans(ctx context.Context, clients int) ([]load.Op, func(), error) {
	return p.shared(ctx, clients, min(clients, maxScanners), func(ctx context.Context, c *pgx.Conn) error {
		rows, err := c.Query(ctx, page, rand.IntN(p.threads)+1, int64(1<<62))
		if err != nil {
			return err
		}
		n := 0
		for rows.Next() {
			n += len(rows.RawValues())
		}
		if err := rows.Err(); err != nil || n < 500 {
			return fmt.Errorf("%d values: %w", n, err)
		}
		return nil
	})
}

func (p *Postgres) clients(ctx context.Context, n int, do func(context.Context, *pgx.Conn) error) ([]load.Op, func(), error) {
	return p.shared(ctx, n, n, do)
}

// shared makes clients that share connections.
func (p *Postgres) shared(ctx context.Context, clients, conns int, do func(context.Context, *pgx.Conn) error) ([]load.Op, func(), error) {
	free := make(chan *pgx.Conn, conns)
	closeAll := func() {
		for len(free) > 0 {
			_ = (<-free).Close(ctx) // nothing is under way
		}
	}
	for range conns {
		c, err := pgx.Connect(ctx, p.url)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		free <- c
	}
	ops := make([]load.Op, clients)
	for i := range ops {
		ops[i] = func(ctx context.Context) error {
			c := <-free
			defer func() { free <- c }()
			return do(ctx, c)
		}
	}
	return ops, closeAll, nil
}
