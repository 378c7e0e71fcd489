package setup

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a server of our own. It keeps what it acknowledged, as in production: that is what is measured.
type Postgres struct {
	Version string
	dir     string
	cmd     *exec.Cmd
}

var settings = []string{
	"listen_addresses=", "fsync=on", "synchronous_commit=on", "shared_buffers=512MB", "max_connections=300", "max_wal_size=4GB",
}

// StartPostgres makes and starts a server below a folder.
func StartPostgres(ctx context.Context, dir string) (*Postgres, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	p := &Postgres{dir: filepath.Join(dir, "postgres")}
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return nil, err
	}
	as, err := runner(dir, p.dir)
	if err != nil {
		return nil, err
	}
	command := func(name string, args ...string) *exec.Cmd {
		args = slices.Concat(as, []string{filepath.Join(bin, name)}, args)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = p.dir
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		return cmd
	}
	data := filepath.Join(p.dir, "data")
	if out, err := command("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--pgdata="+data).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	args := []string{"-D", data}
	for _, s := range append(slices.Clone(settings), "unix_socket_directories="+p.dir) {
		args = append(args, "-c", s)
	}
	p.cmd = command("postgres", args...)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, p.answers(ctx)
}

// findPostgres returns the folder of the programs: on the PATH, else the newest of Debian's.
func findPostgres() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		path, err = filepath.EvalSymlinks(path)
		return filepath.Dir(path), err
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // a pattern that is right has no error
	if len(found) == 0 {
		return "", errors.New("there is no initdb on the PATH, nor Debian's package postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// runner is the command that runs another as somebody else: Postgres refuses the superuser. It hands the folder inside of
// parent to them.
func runner(parent, dir string) ([]string, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(account.Uid)
	gid, err2 := strconv.Atoi(account.Gid)
	err = errors.Join(err, err2, os.Chown(dir, uid, gid), os.Chmod(parent, 0o755))
	return []string{"setpriv", "--reuid=" + account.Uid, "--regid=" + account.Gid, "--clear-groups"}, err
}

func (p *Postgres) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		err := p.execute(ctx, "SELECT 1")
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	c, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	p.Version, _, _ = strings.Cut("PostgreSQL "+c.PgConn().ParameterStatus("server_version"), " (")
	return nil
}

// URL is that of a database.
func (p *Postgres) URL(database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(p.dir)
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
func (p *Postgres) Used() time.Duration { return Used(p.cmd.Process.Pid) }

// Stop ends it at once; nothing is to be kept.
func (p *Postgres) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it may have ended
	_ = p.cmd.Wait()
}
