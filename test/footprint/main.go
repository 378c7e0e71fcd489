// Command footprint measures what chatd costs its users: the size of the program, the time from its start to the first
// answered request, and the memory that it holds when idle. It prints and judges nothing; run it by make footprint.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	starts  = 20
	settled = 2 * time.Second // after which the server counts as idle
	limit   = 10 * time.Second
)

func main() {
	if err := measure(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "footprint:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "chatd-footprint-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "chatd")
	if err := build(ctx, program); err != nil {
		return err
	}
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	fmt.Printf("binary  %.1f MB stripped (goal: at most 35 MB)\n", float64(info.Size())/1e6)

	// The first start makes the CA and the signing key; users have it once, and all others as the later ones.
	config := filepath.Join(dir, "config")
	cold, _, err := start(ctx, program, config, 0)
	if err != nil {
		return err
	}
	var times []time.Duration
	memory := ""
	for i := range starts {
		wait := time.Duration(0)
		if i == starts-1 {
			wait = settled
		}
		var took time.Duration
		if took, memory, err = start(ctx, program, config, wait); err != nil {
			return err
		}
		times = append(times, took)
	}
	slices.Sort(times)
	fmt.Printf("start   %s to the first answered request, median of %d; %s to %s (goal: at most 50 ms); first start ever %s\n",
		ms((times[starts/2-1]+times[starts/2])/2), starts, ms(times[0]), ms(times[starts-1]), ms(cold))
	fmt.Printf("memory  %s resident, %s after the start (goal: at most 40 MiB)\n", memory, settled)
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "github.com/chatd/chatd/cmd/chatd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// start runs chatd dev until it answered, and for the given time longer when its memory is asked for.
func start(ctx context.Context, program, config string, wait time.Duration) (took time.Duration, memory string, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	port, err := freePort()
	if err != nil {
		return 0, "", err
	}
	cmd := exec.Command(program, "dev", "--listen", "localhost:"+port, "--config-dir", config)
	cmd.Stderr = os.Stderr
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, "", err
	}
	err = answered(ctx, "https://localhost:"+port+"/readyz", filepath.Join(config, "ca.pem"))
	took = time.Since(begun)
	if err == nil && wait > 0 {
		time.Sleep(wait)
		memory = resident(cmd.Process.Pid)
	}
	return took, memory, errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// answered tries until the server answers.
func answered(ctx context.Context, url, ca string) error {
	for {
		err := ask(ctx, url, ca)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(200 * time.Microsecond) // leave the processor to the server
	}
}

func ask(ctx context.Context, url, ca string) error {
	data, err := os.ReadFile(ca) // which the first start has yet to write
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(data)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

// resident is the resident memory of a process, as Linux tells it.
func resident(pid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "(not known on this system)"
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return fmt.Sprintf("%.1f MiB", kib/1024)
		}
	}
	return "(not known on this system)"
}
