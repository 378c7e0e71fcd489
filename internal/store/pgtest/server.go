//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a Postgres that this process started.
type Server struct {
	bin     string // folder of the programs
	dir     string // all that belongs to it
	account *syscall.Credential
	options []string

	keeper *exec.Cmd
	leash  io.Closer
}

// Start starts a server of the test's own, for tests that stop it, restart it or want settings such as "fsync=on". It is
// skipped or fails as Database says.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := Open(settings...)
	if err != nil {
		unavailable(t, err)
	}
	t.Cleanup(s.Close)
	return s
}

// URL is that of a database of the server; "postgres" is there from the beginning.
func (s *Server) URL(database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(s.dir)
}

// Socket is the path of the socket that the server listens on.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// Kill ends the server without giving it time for anything.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = s.keeper.Wait() // says how it ended
}

// Stop ends the server in good order, and the connections of others with it.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = s.keeper.Wait() // says how it ended
}

// Run starts the server again after Kill or Stop.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
}

// find returns the folder of the programs of a server: the one on the PATH, else the newest of Debian's, else that of npm.
func find() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(dirs) == 0 {
		programs, err := fromNPM()
		if err != nil {
			err = fmt.Errorf("needs Postgres: initdb on the PATH, Debian's package postgresql, npm, or %s with the URL of a server: %w", Variable, err)
		}
		return programs, err
	}
	newest, number := "", 0
	for _, d := range dirs {
		if n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(d)))); n >= number {
			newest, number = filepath.Dir(d), n
		}
	}
	return newest, nil
}

// account is the user that runs the server, which refuses the superuser. nil is the user of the test.
func account() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
	}
	return nil, errors.New("needs a user to run Postgres as: the superuser cannot, and there is neither postgres nor nobody")
}

// Open starts a server for a program that is no test. It ends with the program at the latest.
func Open(settings ...string) (*Server, error) {
	s := &Server{}
	var err error
	if s.bin, err = find(); err != nil {
		return nil, err
	}
	if err := s.settle(); err != nil {
		return nil, err
	}
	initdb := s.command(filepath.Join(s.bin, "initdb"), "--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--pgdata="+s.data())
	if out, err := initdb.CombinedOutput(); err != nil {
		s.Close()
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	// What is lost with the machine may be lost here, unless a test says otherwise.
	all := append([]string{"fsync=off", "full_page_writes=off", "max_connections=300", "shared_buffers=64MB", "max_wal_size=256MB"}, settings...)
	for _, setting := range append(all, "listen_addresses=", "port=5432", "unix_socket_directories="+s.dir) {
		s.options = append(s.options, "-c", setting)
	}
	if err := s.run(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// settle makes the folder, for the user that the server runs as.
func (s *Server) settle() (err error) {
	if s.account, err = account(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "chatd-pg"); err != nil || s.account == nil {
		return err
	}
	return os.Chown(s.dir, int(s.account.Uid), int(s.account.Gid))
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	// In a group of its own, so that an interrupt of the test does not reach it: it has to end as keep says.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account, Setpgid: true}
	return cmd
}

// keep runs a server for as long as its standard input is open, which is until the process that holds the other end has
// ended in any way. The server then ends at once, and its folder is removed. Postgres takes the first signal for that,
// PgBouncer before 1.23 the second.
const keep = `exec 3<&0
"$@" >>log 2>&1 </dev/null & server=$!
{ cat; : >over; kill -QUIT $server; kill -TERM $server; } >/dev/null 2>&1 <&3 & leash=$!
wait $server
[ -e over ] && rm -rf "$PWD"
kill $leash 2>/dev/null
exit 0`

// run starts the server and waits until it answers.
func (s *Server) run() error {
	return s.leashed(filepath.Join(s.bin, "postgres"), append([]string{"-D", s.data()}, s.options...)...)
}

// leashed starts a program that ends with this process, and waits until it answers where the server does.
func (s *Server) leashed(program string, args ...string) error {
	s.keeper = s.command("/bin/sh", append([]string{"-c", keep, "keeper", program}, args...)...)
	leash, err := s.keeper.StdinPipe()
	if err != nil {
		return err
	}
	s.leash = leash
	if err := s.keeper.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("%s does not answer: %w\n%s", filepath.Base(program), err, log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// PID is the process that is the parent of all others of the server.
func (s *Server) PID() (int, error) {
	file, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(file), "\n")
	return strconv.Atoi(first)
}

// signal sends a signal to the server itself.
func (s *Server) signal(sig syscall.Signal) error {
	pid, err := s.PID()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}

// Close ends the server and removes what belongs to it. A server that was killed is not there any more.
func (s *Server) Close() {
	if s.leash != nil {
		_ = s.leash.Close()
	}
	if s.keeper != nil && s.keeper.ProcessState == nil {
		_ = s.keeper.Wait()
	}
	_ = os.RemoveAll(s.dir)
}
