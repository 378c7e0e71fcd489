//go:build unix

// Package process runs chatd, and what talks to it in other languages, as processes for tests.
package process

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
)

// Build compiles chatd, for the test and all below it.
func Build(t *testing.T) string {
	t.Helper()
	lookAtSources(t)
	program := filepath.Join(t.TempDir(), "chatd")
	Run(t, "", nil, "go", "build", "-o", program, "github.com/chatd/chatd/cmd/chatd")
	return program
}

// made are folders that tests fill and git ignores.
var made = map[string]bool{"node_modules": true, ".venv": true, ".cache": true, "target": true, "out": true}

// lookAtSources looks at all files that chatd is built from, and at those beside the test. Go keeps the result of a test for as
// long as the files that the test looked at stay the same, and cannot know of those that only the processes it starts read.
func lookAtSources(t *testing.T) {
	t.Helper()
	root := filepath.Dir(string(Output(t, Command(t, "", nil, "go", "env", "GOMOD"))))
	for _, path := range []string{root + "/go.mod", root + "/cmd", root + "/internal", root + "/migrations", "."} {
		err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case made[entry.Name()]:
				return filepath.SkipDir
			}
			_, err = os.Stat(path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Endpoint is all that an SDK is given.
type Endpoint struct {
	ConnectionString string
	CA               string // path of the certificate authority's certificate
}

// Env gives a process the connection string, and the certificate authority by the variables that its runtime has for that.
func (e Endpoint) Env(caVariables ...string) []string {
	env := []string{"CHATD_CONNECTION_STRING=" + e.ConnectionString, "NO_PROXY=localhost,127.0.0.1"}
	for _, name := range caVariables {
		env = append(env, name+"="+e.CA)
	}
	return env
}

// Server is a running chatd.
type Server struct {
	Endpoint
	ConfigDir string
	Log       bytes.Buffer // once it has stopped, unless Start was given another place

	cmd    *exec.Cmd
	exited chan error // the result of the process, once
}

// Start starts a chatd for development with a new, empty store. It ends with the test, or earlier by Stop. Its log goes to
// the given writer; when that is nil, a test that fails shows it.
func Start(t *testing.T, program string, log io.Writer, args ...string) *Server {
	t.Helper()
	s := &Server{ConfigDir: t.TempDir(), exited: make(chan error, 1)}
	s.cmd = exec.Command(program, append([]string{"dev", "--listen", "127.0.0.1:0", "--config-dir", s.ConfigDir}, args...)...)
	if s.cmd.Stderr = log; log == nil {
		s.cmd.Stderr = &s.Log
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop(t)
		if t.Failed() && log == nil {
			t.Logf("log of chatd:\n%s", s.Log.Bytes())
		}
	})
	ready := make(chan map[string]string, 1)
	go func() {
		readReadyBlock(stdout, ready)
		s.exited <- s.cmd.Wait()
	}()
	select {
	case values, ok := <-ready:
		if !ok {
			t.Fatal("chatd ended before it was ready")
		}
		s.Endpoint = Endpoint{ConnectionString: values["Connection string"], CA: values["CA certificate"]}
	case <-time.After(readyTimeout):
		t.Fatalf("chatd was not ready within %v", readyTimeout)
	}
	return s
}

// readReadyBlock reads the program's output to its end and sends the values by label once all are there. The channel is closed
// without them when the program ends too early.
func readReadyBlock(output io.Reader, ready chan<- map[string]string) {
	line := regexp.MustCompile(`^\s*(\S.*?)\s{2,}(\S.*?)\s*$`)
	values := map[string]string{}
	for scanner := bufio.NewScanner(output); values["Token"] == "" && scanner.Scan(); { // the last of them
		if match := line.FindStringSubmatch(scanner.Text()); match != nil {
			values[match[1]] = match[2]
		}
	}
	if values["Token"] != "" {
		ready <- values
	}
	close(ready)
	_, _ = io.Copy(io.Discard, output) // or the program would block when the pipe is full
}

// Stop asks the process to end, if it was not asked before, and expects that it does so in good order.
func (s *Server) Stop(t *testing.T) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("stop chatd: %v", err)
	}
	select {
	case err = <-s.exited:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		err = errors.Join(fmt.Errorf("not within %v of SIGTERM", stopTimeout), <-s.exited)
	}
	if s.cmd = nil; err != nil {
		t.Errorf("chatd did not exit with 0: %v", err)
	}
}
