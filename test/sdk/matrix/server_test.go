package matrix_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
)

// buildServer builds the program once for all tests; TestMain removes it.
var (
	buildFolder string
	buildServer = sync.OnceValues(func() (string, error) {
		if err := dependOn("../../../go.mod", "../../../cmd", "../../../internal", "../../../migrations", "."); err != nil {
			return "", err
		}
		program := filepath.Join(buildFolder, "chatd")
		out, err := exec.Command("go", "build", "-o", program, "github.com/chatd/chatd/cmd/chatd").CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("go build: %w\n%s", err, out)
		}
		return program, nil
	})
)

// dependOn looks at all files below the paths, as they are now. Go keeps the result of a test for as long as the files
// that the test looked at stay the same, and cannot know of those that are only read by the processes it starts.
func dependOn(paths ...string) error {
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.Name() == ".cache":
				return filepath.SkipDir
			}
			_, err = os.Stat(path)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if buildFolder, err = os.MkdirTemp("", "chatd-matrix-test-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(buildFolder)
		return m.Run()
	}())
}

// server is a running chatd.
type server struct {
	connectionString string
	ca               string // path of the certificate authority's certificate

	cmd    *exec.Cmd
	log    bytes.Buffer // one JSON object a line
	exited chan error   // the result of the process, once
}

// startServer starts a chatd with an empty store of its own. It ends with the test if not before.
func startServer(t *testing.T) *server {
	t.Helper()
	program, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{exited: make(chan error, 1)}
	s.cmd = exec.Command(program, "dev", "--listen", "127.0.0.1:0", "--config-dir", t.TempDir(), "--log-format", "json")
	s.cmd.Stderr = &s.log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	ready := make(chan struct{})
	go func() {
		s.readReadyBlock(stdout, ready)
		s.exited <- s.cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-s.exited:
		s.cmd = nil
		t.Fatalf("chatd ended before it was ready: %v\n%s", err, s.log.Bytes())
	case <-time.After(readyTimeout):
		t.Fatalf("chatd was not ready within %v", readyTimeout)
	}
	return s
}

// readReadyBlock reads the program's output to its end and says when all that is needed is there.
func (s *server) readReadyBlock(output io.Reader, ready chan<- struct{}) {
	line := regexp.MustCompile(`^\s*(\S.*?)\s{2,}(\S+)`)
	needed := map[string]*string{"Connection string": &s.connectionString, "CA certificate": &s.ca}
	for scanner := bufio.NewScanner(output); len(needed) > 0 && scanner.Scan(); {
		if match := line.FindStringSubmatch(scanner.Text()); match != nil && needed[match[1]] != nil {
			*needed[match[1]] = match[2]
			delete(needed, match[1])
		}
	}
	if len(needed) == 0 {
		close(ready)
	}
	_, _ = io.Copy(io.Discard, output) // or the program would block when the pipe is full
}

// stop asks the process to end, if it has not ended, and expects that it does so in good order.
func (s *server) stop(t *testing.T) {
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("stop chatd: %v", err)
	}
	var err error
	select {
	case err = <-s.exited:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		err = errors.Join(fmt.Errorf("not within %v of SIGTERM", stopTimeout), <-s.exited)
	}
	s.cmd = nil
	if err != nil {
		t.Errorf("chatd did not exit with 0: %v", err)
	}
	if t.Failed() {
		t.Logf("log of chatd:\n%s", s.log.Bytes())
	}
}

// wire reads in the log of the stopped server which api-versions were used, and that nothing broke.
func (s *server) wire(t *testing.T) (chat, identity []string) {
	t.Helper()
	for line := range bytes.Lines(s.log.Bytes()) {
		var entry struct {
			Msg     string
			Path    string
			Status  int
			Version string `json:"api_version"`
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatalf("not a line of the log: %q: %v", line, err)
		}
		if entry.Msg != "request" {
			continue
		}
		if entry.Status >= 500 {
			t.Errorf("the server broke: %s", line)
		}
		versions := &identity
		if strings.HasPrefix(strings.TrimLeft(entry.Path, "/"), "chat/") {
			versions = &chat
		}
		if entry.Version != "" && !slices.Contains(*versions, entry.Version) {
			*versions = append(*versions, entry.Version)
		}
	}
	return chat, identity
}
