package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chatd/chatd/internal/store/sqldb"
)

const (
	oldestVersion = 14

	connectTimeout = 5 * time.Second // to get a connection, unless the URL has a shorter one
)

// errURL leaves out what the driver says, which may contain the password.
var errURL = errors.New("store: the URL cannot be understood, want postgres://user:password@host:port/database?options")

// Open connects to the database of a URL postgres://…, and listens for notifications of other nodes.
func Open(ctx context.Context, url string, o sqldb.Options) (sqldb.Engine, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
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
		if c.ConnectTimeout == 0 || c.ConnectTimeout > connectTimeout {
			c.ConnectTimeout = connectTimeout
		}
		if c.RuntimeParams["application_name"] == "" {
			c.RuntimeParams["application_name"] = "chatd"
		}
		c.RuntimeParams["client_encoding"] = "UTF8" // database and role may have another default, and pgx knows no other
	}
	if o.Async {
		config.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	}
	pooled, err := check(ctx, config.ConnConfig)
	if err != nil {
		return nil, sqldb.OneLine(err)
	}
	if pooled && !strings.Contains(url, "default_query_exec_mode") {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // which uses no named prepared statements
	}
	if pooled && o.Listen == "" {
		o.Log.Warn("the database is behind a pooler; where it pools transactions, notifications of other nodes need --store-listen")
	}
	e := &engine{log: o.Log}
	if e.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, sqldb.OneLine(err)
	}
	e.posts = newPosts(e, config.ConnConfig.Copy())
	if o.Listen != sqldb.NoListen {
		e.notifier = startNotifier(e, listen, o.Wake)
	}
	return e, nil
}

// check refuses a database that cannot keep what chatd stores, and reports whether a pooler is in front of it. PgBouncer gives a
// new client a process id of its own making, not that of the server's process. Behind a pooler of transactions a named prepared
// statement stays on a server connection: other clients find it there, and the one that prepared it does not.
func check(ctx context.Context, config *pgx.ConnConfig) (pooled bool, err error) {
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, fmt.Errorf("open store: %w", err)
	}
	defer func() {
		if closing := c.Close(ctx); err == nil && closing != nil {
			err = fmt.Errorf("open store: %w", closing)
		}
	}()
	var version int
	var encoding string
	var process uint32
	const settings = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), pg_backend_pid()"
	err = c.QueryRow(ctx, settings, pgx.QueryExecModeSimpleProtocol).Scan(&version, &encoding, &process)
	switch {
	case err != nil:
		return false, fmt.Errorf("open store: %w", err)
	case version < oldestVersion*10_000:
		return false, fmt.Errorf("open store: it is Postgres %d, want %d or newer", version/10_000, oldestVersion)
	case encoding != "UTF8":
		return false, fmt.Errorf("open store: the encoding of the database is %s, want UTF8: "+
			"make one by createdb --encoding UTF8 --template template0 NAME", encoding)
	}
	return process != c.PgConn().PID(), nil
}
