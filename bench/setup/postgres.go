package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chatd/chatd/internal/store/pgtest"
)

// Postgres is a server of our own. It keeps what it acknowledged, as in production: that is what is measured.
type Postgres struct {
	*pgtest.Server
	Version string
	pid     int
}

// StartPostgres makes and starts a server.
func StartPostgres(ctx context.Context) (_ *Postgres, err error) {
	p := &Postgres{}
	p.Server, err = pgtest.Open("fsync=on", "full_page_writes=on", "synchronous_commit=on", "shared_buffers=512MB", "max_wal_size=4GB")
	if err != nil {
		return nil, err
	}
	if p.pid, err = p.PID(); err == nil {
		p.Version, err = versionOf(ctx, p.URL("postgres"))
	}
	if err != nil {
		p.Close()
	}
	return p, err
}

func versionOf(ctx context.Context, url string) (string, error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	version, _, _ := strings.Cut("PostgreSQL "+c.PgConn().ParameterStatus("server_version"), " (")
	return version, c.Close(ctx)
}

// execute runs statements, one after the other and each in its own transaction.
func execute(ctx context.Context, url string, statements ...string) (err error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	for _, s := range statements {
		if _, err := c.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (p *Postgres) execute(ctx context.Context, statements ...string) error {
	return execute(ctx, p.URL("postgres"), statements...)
}

// Create makes a database and returns its URL.
func (p *Postgres) Create(ctx context.Context, name string) (string, error) {
	return p.URL(name), p.execute(ctx, "CREATE DATABASE "+name)
}

// SlowFlushes makes each flush of the log take so much longer, as on a disk of a cloud: commits wait before they flush, and
// those that come meanwhile share the flush. 0 ends it.
func (p *Postgres) SlowFlushes(ctx context.Context, by time.Duration) error {
	return p.execute(ctx, fmt.Sprintf("ALTER SYSTEM SET commit_delay = %d", by.Microseconds()),
		"ALTER SYSTEM SET commit_siblings = 0", "SELECT pg_reload_conf()")
}

// Used is the computing time of all its processes so far.
func (p *Postgres) Used() time.Duration { return Used(p.pid) }
