package setup

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/chatd/chatd/bench/load"
)

// Build makes the program as it is shipped and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	to := filepath.Join(dir, "chatd")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "github.com/chatd/chatd/cmd/chatd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return to, cmd.Run()
}

// Chatd says how to start the program.
type Chatd struct {
	Program  string
	Dir      string // for its certificate and log
	Store    string // URL
	LogLevel string
	Listen   string // for --store-listen; empty: as it is by default
}

// Node is a running chatd.
type Node struct {
	Plain, Secure string        // origins
	TLS           *tls.Config   // of clients: it trusts the secure one
	Started       time.Duration // until it answered
	cmd           *exec.Cmd
	log           bytes.Buffer
}

const (
	resource  = "c4a7d000-0000-4000-8000-000000000001"
	accessKey = "YSBrZXkgb2YgdGhlIGJlbmNobWFyayBhbG9uZQ=="
	startTime = 20 * time.Second
	stopTime  = 15 * time.Second
)

// Start starts chatd on free ports and waits until it answers.
func (c *Chatd) Start(ctx context.Context) (*Node, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	n := &Node{Plain: "http://" + ports[0], Secure: "https://" + ports[1]}
	args := []string{
		"serve", "--store", c.Store, "--http-listen", ports[0], "--listen", ports[1], "--config-dir", filepath.Join(c.Dir, "config"),
		"--resource-id", resource, "--access-key", accessKey, "--log-level", c.LogLevel,
	}
	if c.Listen != "" {
		args = append(args, "--store-listen", c.Listen)
	}
	if c.Store == "memory:" { // which chatd serve refuses
		args[0] = "dev"
	}
	n.cmd = exec.Command(c.Program, args...)
	n.cmd.Stderr = &tail{&n.log}
	begun := time.Now()
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	if err := n.answers(ctx); err != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait() // says that it was killed
		return nil, fmt.Errorf("chatd on %s: %w: %s", scheme(c.Store), err, strings.TrimSpace(n.log.String()))
	}
	n.Started = time.Since(begun)
	ca, err := os.ReadFile(filepath.Join(c.Dir, "config", "ca.pem"))
	if err != nil {
		return nil, errors.Join(err, n.Stop())
	}
	n.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	n.TLS.RootCAs.AppendCertsFromPEM(ca)
	return n, nil
}

// Origin is where clients connect, and what they trust there.
func (n *Node) Origin(secure bool) (string, *tls.Config) {
	if secure {
		return n.Secure, n.TLS
	}
	return n.Plain, nil
}

// tail keeps the beginning of what is written, and drops the rest.
type tail struct{ *bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	if t.Len() < 4096 {
		_, _ = t.Buffer.Write(p) // it cannot fail
	}
	return len(p), nil
}

// scheme names a store without the secrets that its URL may hold.
func scheme(url string) string {
	name, _, _ := strings.Cut(url, ":")
	return name
}

func freePorts(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // when all are chosen, so that they differ
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// answers tries until the server answers, or has ended.
func (n *Node) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for ctx.Err() == nil {
		if n.ready() == nil {
			return nil
		}
		if s, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.PID())); err == nil && bytes.Contains(s, []byte(") Z ")) {
			return errors.New("it ended")
		}
		time.Sleep(200 * time.Microsecond) // leave the processor to the server
	}
	return ctx.Err()
}

func (n *Node) ready() error {
	c, err := load.Dial(n.Plain, nil)
	if err != nil {
		return err
	}
	_, err = c.Expect(200, load.Request{Method: "GET", Path: "/readyz"})
	return errors.Join(err, c.Close())
}

// PID is the process.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Used is its computing time so far.
func (n *Node) Used() time.Duration { return Used(n.PID()) }

// Stop ends it in good order, or else not.
func (n *Node) Stop() error {
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.AfterFunc(stopTime, func() { _ = n.cmd.Process.Kill() })
	defer timer.Stop()
	return n.cmd.Wait()
}
