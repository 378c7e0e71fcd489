// Command bench measures chatd against the limits of what it is made of: the database, the websocket library and the router,
// each by itself, on the same machine and in the same run. It prints a table and which goals are met, and asserts nothing.
// See README.md beside it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/chatd/chatd/bench/limit"
)

// options are what can be chosen for a run.
type options struct {
	quick    bool
	only     []string
	stores   []string
	passes   int
	window   time.Duration
	tls      bool
	big      bool
	logLevel string
	out      string
	docs     string
}

// serveBare is the argument with which the program starts itself again as the bare server.
const serveBare = "serve-bare"

func main() {
	if len(os.Args) == 2 && os.Args[1] == serveBare {
		_ = limit.Serve(os.Stdout) // it ends when it is closed
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, parse())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	var only, stores string
	flag.BoolVar(&o.quick, "quick", false, "only what has a goal, for a short time")
	flag.StringVar(&only, "only", "", "only paths that begin with one of these, comma-separated")
	flag.StringVar(&stores, "stores", "sqlite,postgres", "stores of chatd")
	flag.IntVar(&o.passes, "passes", 3, "how often each is measured")
	flag.DurationVar(&o.window, "time", 0, "how long each is measured (default 1s, with -quick 200ms)")
	flag.BoolVar(&o.tls, "tls", false, "https for all paths, not for fan-out only")
	flag.BoolVar(&o.big, "big", false, "growth up to 10^7 messages in 10^5 threads; needs some minutes and 30 GB")
	flag.StringVar(&o.logLevel, "log-level", "warn", "of chatd; info writes a line for each request")
	flag.StringVar(&o.out, "out", "bench/out", "folder for the table, the JSON and the picture")
	flag.StringVar(&o.docs, "docs", "", "document whose figures are replaced by those of this run, with the picture beside it")
	flag.Parse()
	if o.only = split(only); o.window == 0 {
		o.window = time.Second
		if o.quick {
			o.window = 200 * time.Millisecond
		}
	}
	o.stores = split(stores)
	return o
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// wants reports whether the path is one of those that were asked for.
func (o *options) wants(path string) bool {
	for _, begin := range o.only {
		if strings.HasPrefix(path, begin) {
			return true
		}
	}
	return len(o.only) == 0
}
