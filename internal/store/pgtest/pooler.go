//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// pooler is in front of the shared server.
var pooler struct {
	once   sync.Once
	err    error
	server *Server
}

// Pooled returns the URL by which a PgBouncer leads to a database of the shared server. It pools transactions: each runs on a
// connection of its own, and there are four at most. Where it cannot be had the test is skipped, in CI it fails.
func Pooled(t testing.TB, database string) string {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	pooler.once.Do(func() { pooler.server, pooler.err = startPooler(config) })
	if pooler.err != nil {
		unavailable(t, pooler.err)
	}
	return pooler.server.URL(config.Database)
}

func startPooler(server *pgx.ConnConfig) (*Server, error) {
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			return nil, errors.New("needs PgBouncer: pgbouncer on the PATH or Debian's package of that name")
		}
	}
	s := &Server{}
	if err := s.settle(); err != nil {
		return nil, err
	}
	target := fmt.Sprintf("host='%s' port=%d user='%s'", server.Host, server.Port, server.User)
	if server.Password != "" {
		target += fmt.Sprintf(" password='%s'", server.Password)
	}
	settings := fmt.Sprintf(`[databases]
* = %s
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = %s
auth_type = any
pool_mode = transaction
default_pool_size = 4
server_lifetime = 0
max_client_conn = 1000
`, target, s.dir)
	file := filepath.Join(s.dir, "pgbouncer.ini")
	if err = os.WriteFile(file, []byte(settings), 0o644); err == nil {
		err = s.leashed(path, "--quiet", file)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
