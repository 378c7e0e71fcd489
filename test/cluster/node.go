//go:build unix

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Node is a chatd process, which Kill and Run replace by another.
type Node struct {
	t       testing.TB
	name    string
	program string
	args    []string

	cmd     *exec.Cmd
	ended   chan struct{}
	address atomic.Pointer[string]
	trouble atomic.Int64 // odd while the process is being killed or frozen; see Trouble

	mu  sync.Mutex
	log bytes.Buffer
}

func (n *Node) String() string { return n.name }

// Address is where the node answers now.
func (n *Node) Address() string { return *n.address.Load() }

// URL of the node as it is now.
func (n *Node) URL() string { return "http://" + n.Address() }

// Trouble counts what was done to the process: while it is even and the same, it has to answer.
func (n *Node) Trouble() int64 { return n.trouble.Load() }

var readyLine = regexp.MustCompile(`msg=ready .*http=http://(\S+)`)

// start starts the process and waits until it says where it listens.
func (n *Node) start() {
	n.t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		n.t.Fatal(err)
	}
	n.cmd = exec.Command(n.program, n.args...)
	n.cmd.Env = append(os.Environ(), "CHATD_ACCESS_KEY="+AccessKey, "CHATD_ENTRA_TOKEN="+EntraToken)
	n.cmd.Stderr = in
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	_ = in.Close() // the process has its own
	listening, ended := make(chan string, 1), make(chan struct{})
	n.ended = ended
	go func(cmd *exec.Cmd) {
		defer close(ended)
		n.read(out, listening)
		_ = cmd.Wait() // a kill is no failure
		_ = out.Close()
	}(n.cmd)
	select {
	case address := <-listening:
		n.address.Store(&address)
	case <-ended:
		n.t.Fatalf("%s ended before it listened:\n%s", n, n.Log())
	case <-time.After(WaitTimeout):
		n.t.Fatalf("%s does not listen:\n%s", n, n.Log())
	}
}

// read keeps the log, and finds in it where the process listens.
func (n *Node) read(out io.Reader, listening chan<- string) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
			listening <- m[1]
		}
		n.mu.Lock()
		n.log.WriteString(lines.Text() + "\n")
		n.mu.Unlock()
	}
}

// Log is what the node wrote since it was first started.
func (n *Node) Log() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.String()
}

func (n *Node) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Errorf("%s: %v: %v", n, s, err)
	}
}

// Kill ends the process without giving it time for anything. Run starts it again, at another address.
func (n *Node) Kill() {
	n.trouble.Add(1)
	n.signal(syscall.SIGKILL)
	<-n.ended
}

// Run starts the process after Kill.
func (n *Node) Run() {
	n.start()
	n.trouble.Add(1)
}

// Freeze stops the process where it is until Thaw.
func (n *Node) Freeze() {
	n.trouble.Add(1)
	n.signal(syscall.SIGSTOP)
}

// Thaw continues the process.
func (n *Node) Thaw() {
	n.signal(syscall.SIGCONT)
	n.trouble.Add(1)
}

// end stops the process in order, and shows its log if the test failed.
func (n *Node) end() {
	if n.cmd == nil || n.cmd.Process == nil {
		return
	}
	_ = n.cmd.Process.Signal(syscall.SIGCONT) // it may have ended, or be frozen
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.ended:
	case <-time.After(20 * time.Second):
		n.t.Errorf("%s does not end", n)
		_ = n.cmd.Process.Kill()
		<-n.ended
	}
	if n.t.Failed() {
		log := strings.Split(n.Log(), "\n")
		n.t.Logf("log of %s, the end of it:\n%s", n, strings.Join(log[max(0, len(log)-60):], "\n"))
	}
}

// Ready reports whether the node says so.
func (n *Node) Ready() bool {
	_, status := n.get("/readyz")
	return status == http.StatusOK
}

// WaitReady waits until the node is ready.
func (n *Node) WaitReady() {
	n.t.Helper()
	Until(n.t, n.name+" is ready", n.Ready)
}

// Goroutines is how many the process has.
func (n *Node) Goroutines() int {
	n.t.Helper()
	body, _ := n.get("/metrics")
	for line := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			if count, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
				return count
			}
		}
	}
	n.t.Fatalf("%s has no go_goroutines: %.200s", n, body)
	return 0
}

// get uses a new connection, so that the answer does not depend on earlier requests.
func (n *Node) get(path string) (body string, status int) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL()+path, nil)
	if err != nil {
		return err.Error(), 0
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error(), 0
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Sprint(err), 0
	}
	return string(raw), response.StatusCode
}

// Until waits until something holds, and fails the test when it does not for too long.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if !Wait(holds) {
		t.Fatalf("not within %v: %s", WaitTimeout, what)
	}
}

// Wait waits until something holds, and reports whether it does.
func Wait(holds func() bool) bool {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(WaitTimeout); !holds(); <-look.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
