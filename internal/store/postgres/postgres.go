package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/sqldb"
)

const (
	oldestPostgres = 14

	connectTime = 5 * time.Second // to get a connection, where the URL says nothing else
)

// engine is the engine for several nodes. Nothing is kept by one node that another has to know: what orders their writes
// is the lock of the thread's row, and what orders the journal is described at settled.
type engine struct {
	log        *slog.Logger
	pool       *pgxpool.Pool
	posts      *posts
	neighbours *neighbours // nil: the others find out by themselves
	shut       atomic.Bool
}

var dialect = &sqldb.Dialect{
	Name:             "postgres",
	LockClause:       " FOR NO KEY UPDATE",
	AnnouncePosition: announcePositions,
	MigrationLock:    "SELECT pg_advisory_xact_lock(7162266011)", // any number that nobody else uses
	Columns: `SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
		WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped`,
	LastNumber:    "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence($1::text, $2::text)::regclass), 0)",
	ResetSequence: []string{"SELECT setval(pg_get_serial_sequence($1::text, $2::text)::regclass, $3::bigint)"},
}

// Open connects to the database of the URL.
func Open(ctx context.Context, url string, o sqldb.Options) (sqldb.Engine, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil { // whose text may tell the password
		return nil, errURL
	}
	listen := config.ConnConfig
	if o.Listen != "" && o.Listen != sqldb.NoListen {
		if listen, err = pgx.ParseConfig(o.Listen); err != nil {
			return nil, errURL
		}
	}
	if !strings.Contains(url, "pool_max_conns") {
		// Few connections that wait are faster than many that take turns on the cores of the database.
		config.MaxConns = int32(max(8, 4*runtime.GOMAXPROCS(0)))
	}
	for _, c := range []*pgx.ConnConfig{config.ConnConfig, listen} {
		if c.ConnectTimeout == 0 || c.ConnectTimeout > connectTime {
			c.ConnectTimeout = connectTime
		}
		if c.RuntimeParams["application_name"] == "" {
			c.RuntimeParams["application_name"] = "chatd"
		}
		c.RuntimeParams["client_encoding"] = "UTF8" // whatever the database or the role has; the driver knows no other
	}
	if o.Async {
		config.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	}
	pooled, err := check(ctx, config.ConnConfig)
	if err != nil {
		return nil, sqldb.OneLine(err)
	}
	if pooled && !strings.Contains(url, "default_query_exec_mode") {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // which prepares nothing that has a name
	}
	if pooled && o.Listen == "" {
		o.Log.Warn("the database is behind a pooler; where it pools transactions other nodes are heard only with --store-listen")
	}
	e := &engine{log: o.Log}
	if e.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, sqldb.OneLine(err)
	}
	e.posts = newPosts(e, config.ConnConfig.Copy())
	if o.Listen != sqldb.NoListen {
		e.neighbours = meet(e, listen, o.Wake)
	}
	return e, nil
}

var errURL = errors.New("store: the URL cannot be understood, want postgres://user:password@host:port/database?options")

// check refuses a database that cannot keep what we have, and tells whether a pooler is in front of it. PgBouncer answers a
// new client with an identification of its own in place of the process of the server. Behind a pooler of transactions a
// prepared statement is found by whoever comes next on its connection, and by the one who made it no more.
func check(ctx context.Context, config *pgx.ConnConfig) (pooled bool, err error) {
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, fmt.Errorf("open store: %w", err)
	}
	defer func() {
		if end := c.Close(ctx); err == nil && end != nil {
			err = fmt.Errorf("open store: %w", end)
		}
	}()
	var version int
	var encoding string
	var process uint32
	const ask = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), pg_backend_pid()"
	err = c.QueryRow(ctx, ask, pgx.QueryExecModeSimpleProtocol).Scan(&version, &encoding, &process)
	switch {
	case err != nil:
		return false, fmt.Errorf("open store: %w", err)
	case version < oldestPostgres*10_000:
		return false, fmt.Errorf("open store: it is Postgres %d, want %d or newer", version/10_000, oldestPostgres)
	case encoding != "UTF8":
		return false, fmt.Errorf("open store: the encoding of the database is %s, want UTF8: "+
			"make one by createdb --encoding UTF8 --template template0 NAME", encoding)
	}
	return process != c.PgConn().PID(), nil
}

// Post implements sqldb.Poster.
func (e *engine) Post(ctx context.Context, p sqldb.Post) (seq int64, id chat.MessageID, err error) {
	return e.posts.post(ctx, p)
}

// SingleServer is false: several servers share a database.
func (e *engine) SingleServer() bool { return false }

func (e *engine) Read() sqldb.Conn { return poolConn{e} }

// ready asks for what a standby and a database that is only to be read do not have.
func (e *engine) Ready(ctx context.Context) error {
	var readOnly bool
	err := e.Read().QueryRow(ctx, []any{&readOnly}, "SELECT current_setting('transaction_read_only')::bool")
	if err == nil && readOnly {
		err = &sqldb.UnavailableError{Cause: errors.New("the database can only be read")}
	}
	return err
}

// lease is granted by the clock of the database, the only one that all nodes share. It is not given back: whoever asks
// first when it has ended gets the next one. So a node that is frozen or gone delays by no more than d, and no connection
// is held, as an advisory lock would demand.
func (e *engine) Lease(ctx context.Context, name string, d time.Duration) (granted bool, err error) {
	err = e.Write(ctx, func(c sqldb.Tx) error {
		n, err := c.Exec(ctx, `INSERT INTO leases AS l (name, until)
			SELECT $1, now + $2 FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now) c
			ON CONFLICT (name) DO UPDATE SET until = excluded.until WHERE l.until <= excluded.until - $2`, name, d.Milliseconds())
		granted = n > 0
		return err
	})
	return granted, err
}

func (e *engine) Notify() {
	if e.neighbours != nil {
		e.neighbours.announce()
	}
}

// close waits for what is under way.
func (e *engine) Close() error {
	if !e.shut.Swap(true) {
		if e.neighbours != nil {
			e.neighbours.leave()
		}
		if e.posts != nil {
			e.posts.close()
		}
		e.pool.Close()
	}
	return nil
}

// acquire waits for a connection as long as the caller does, and not much longer than a connect may take.
func (e *engine) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	c, err := e.pool.Acquire(limited)
	switch {
	case err == nil:
		return c, nil
	case e.shut.Load():
		return nil, sqldb.ErrClosed
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		return nil, &sqldb.UnavailableError{Cause: err}
	}
}

// begun is the context of what has begun: it is finished even if the caller has gone. To cut it off would close the
// connection, and leave open what became of a write.
func begun(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), sqldb.TimeLimit(ctx))
}

// poolConn runs statements outside a transaction, each on a connection of the pool.
type poolConn struct{ e *engine }

func (r poolConn) Dialect() *sqldb.Dialect { return dialect }

func (r poolConn) Exec(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = r.on(ctx, func(ctx context.Context, c *pgx.Conn) error {
		tag, err := c.Exec(ctx, sql, args...)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

func (r poolConn) QueryRow(ctx context.Context, dest []any, sql string, args ...any) error {
	return scanOne(dest, func(scan func(sqldb.Row) error) error { return r.Query(ctx, scan, sql, args...) })
}

// each asks a second time when the connection turned out to be dead before a row came, as connections are after a restart
// of the database.
func (r poolConn) Query(ctx context.Context, scan func(sqldb.Row) error, sql string, args ...any) error {
	seen := false
	query := func(ctx context.Context, c *pgx.Conn) error {
		rows, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func(row sqldb.Row) error {
			seen = true
			return scan(row)
		})
	}
	err := r.on(ctx, query)
	if gone := (*sqldb.UnavailableError)(nil); errors.As(err, &gone) && gone.ConnLost && !seen {
		err = r.on(ctx, query)
	}
	return err
}

func (r poolConn) on(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	c, err := r.e.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	ctx, cancel := begun(ctx)
	defer cancel()
	return explain(c.Conn(), do(ctx, c.Conn()))
}

// scanAll reads all rows and closes them.
func scanAll(rows pgx.Rows, scan func(sqldb.Row) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanOne makes the only row of a query.
func scanOne(dest []any, each func(scan func(sqldb.Row) error) error) error {
	found := false
	err := each(func(r sqldb.Row) error {
		if found {
			return nil
		}
		found = true
		return r.Scan(dest...)
	})
	if err == nil && !found {
		return sqldb.ErrNoRow
	}
	return err
}
