// Command fanout measures how fast one message reaches many listeners, and what an idle listener costs: chatd's native
// websocket side by side with a bare broadcaster on the same websocket library. It prints and judges nothing; run it by
// make bench-fanout.
//
// Each server is a process of its own, started afresh for each pass, and takes messages over HTTP. All listeners are in
// this process and read without decoding. There are three servers: "bare" keeps nothing; "stored" is the same broadcaster
// behind chatd's REST API and store in memory, so that its difference to bare is what keeping a message costs; "chatd" is
// all of chatd.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

const (
	passes = 3
	idle   = 2000 // connections whose memory is measured
)

var (
	listeners = []int{10, 100, 1000}
	names     = []string{"bare", "stored", "chatd"}
)

func main() {
	serve := flag.String("serve", "", "be a server: "+strings.Join(names, ", "))
	frame := flag.Int("frame", 0, "bytes that a broadcaster sends")
	flag.Parse()
	err := error(nil)
	if *serve == "" {
		err = measure(context.Background())
	} else {
		err = run(*serve, *frame)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fanout:", err)
		os.Exit(1)
	}
}

// target is a running server, as it describes itself.
type target struct {
	Listen string   `json:"listen"` // address of the websocket
	Send   string   `json:"send"`   // where messages are posted
	Token  string   `json:"token"`  // of the sender
	Tokens []string `json:"tokens"` // of listeners
	Thread string   `json:"thread"`

	cmd *exec.Cmd
}

// launch starts a server and waits until it has said where it is.
func launch(ctx context.Context, name string, frame int) (*target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	t := &target{cmd: exec.CommandContext(ctx, self, "-serve", name, "-frame", strconv.Itoa(frame))}
	t.cmd.Stderr = os.Stderr
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	return t, json.NewDecoder(out).Decode(t)
}

func (t *target) stop() {
	_ = t.cmd.Process.Kill() // it ends with this process at the latest
	_ = t.cmd.Wait()         // and says that it was killed
}

// resident is the resident memory of the server in KiB, as Linux tells it.
func (t *target) resident() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return kib, nil
		}
	}
	return 0, errors.New("resident memory is not known on this system")
}

// processor is the time that the server has computed so far, as Linux tells it.
func (t *target) processor() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", t.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("computing time is not known on this system")
	}
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err, err2)
}

func measure(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	frame, err := frameSize(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("one message to many listeners, %d bytes each, medians of %d passes; goals for chatd: 0.85 of bare's deliveries, 1.3 times its p99\n\n", frame, passes)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\t\t%d messages on their way\t\t\tone at a time\t\t\t\n", window)
	fmt.Fprintln(out, "listeners\tserver\tdeliveries/s\tof bare\tCPU us each\tp50 ms\tp99 ms\tof bare\t")
	for _, n := range listeners {
		if err := compare(ctx, out, n, frame); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Printf("\nresident memory for each of %d idle connections; goal for chatd: 45 KiB\n", idle)
	for _, name := range names {
		kib, err := footprint(ctx, name)
		if err != nil {
			return err
		}
		fmt.Printf("%8s  %.1f KiB\n", name, kib)
	}
	return nil
}

// frameSize is how long the event of a message is.
func frameSize(ctx context.Context) (int, error) {
	t, err := launch(ctx, "chatd", 0)
	if err != nil {
		return 0, err
	}
	defer t.stop()
	a, err := gather(ctx, t, 1)
	if err != nil {
		return 0, err
	}
	defer a.leave()
	_, err = a.tell(ctx)
	return int(a.frame.Load()), err
}

// figures are what one server did with one number of listeners, one of each pass.
type figures struct{ rate, cpu, p50, p99 []float64 }

func median(in []float64) float64 {
	slices.Sort(in)
	return in[len(in)/2]
}

// compare lets the servers take turns and prints the medians.
func compare(ctx context.Context, out *tabwriter.Writer, n, frame int) error {
	got := map[string]*figures{}
	for pass := range passes {
		for i := range names {
			name := names[(i+pass)%len(names)]
			if got[name] == nil {
				got[name] = &figures{}
			}
			if err := onePass(ctx, name, n, frame, got[name]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	bareRate, bareP99 := median(got["bare"].rate), median(got["bare"].p99)
	for _, name := range names {
		f := got[name]
		rate, p99 := median(f.rate), median(f.p99)
		fmt.Fprintf(out, "%d\t%s\t%.0f\t%.2f\t%.1f\t%.2f\t%.2f\t%.2f\t\n",
			n, name, rate, rate/bareRate, median(f.cpu), median(f.p50), p99, p99/bareP99)
	}
	return nil
}

func onePass(ctx context.Context, name string, n, frame int, into *figures) error {
	t, err := launch(ctx, name, frame)
	if err != nil {
		return err
	}
	defer t.stop()
	a, err := gather(ctx, t, n)
	if err != nil {
		return err
	}
	defer a.leave()
	if _, err := a.load(ctx, warmUp, window); err != nil {
		return err
	}
	start := time.Now()
	before, err := t.processor()
	if err != nil {
		return err
	}
	took, err := a.load(ctx, long, window)
	if err != nil {
		return err
	}
	lasted := time.Since(start)
	after, err := t.processor()
	if err != nil {
		return err
	}
	into.rate = append(into.rate, float64(len(took))/lasted.Seconds())
	into.cpu = append(into.cpu, float64((after-before).Microseconds())/float64(len(took)))

	if took, err = a.load(ctx, long, 1); err != nil {
		return err
	}
	slices.Sort(took)
	into.p50 = append(into.p50, ms(took[len(took)/2]))
	into.p99 = append(into.p99, ms(took[len(took)*99/100]))
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// footprint is what a server needs for each of many connections that hear nothing, in KiB.
func footprint(ctx context.Context, name string) (float64, error) {
	t, err := launch(ctx, name, 0)
	if err != nil {
		return 0, err
	}
	defer t.stop()
	first, err := gather(ctx, t, 1) // so that what the first one costs does not count
	if err != nil {
		return 0, err
	}
	defer first.leave()
	before, err := t.resident()
	if err != nil {
		return 0, err
	}
	a, err := gather(ctx, t, idle)
	if err != nil {
		return 0, err
	}
	defer a.leave()
	time.Sleep(settle)
	after, err := t.resident()
	return (after - before) / idle, err
}
