// Command chatd is a chat server that speaks the REST APIs of Azure Communication Services Chat and Identity.
//
// The package turns flags, environment variables and files into a server.Config and runs it; the other commands prepare,
// inspect or ask such a server. One file holds one command or one kind of thing that commands share:
//
//   - main.go, config.go, values.go, usage.go: commands, settings, their parsing and their help
//   - serve.go, ready.go, listen.go: chatd dev and chatd serve
//   - tls.go, authority.go, roots.go, trust.go: certificates and how clients come to trust them
//   - keys.go, signingkeys.go, token.go: signing keys and tokens
//   - running.go: what commands ask of a server that runs
//
// Commands print results to stdout, and errors, warnings and the log to stderr.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/chatd/chatd/internal/server"
)

// version is set by -ldflags "-X main.version=…" in a release.
var version string

// Exit codes of the program. Supervisors may rely on them: after exitUsage a restart with the same settings fails again.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2 // as package flag has it
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	// Room for both signals: package signal drops what does not fit.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go stopOn(signals, cancel, os.Exit)
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr, os.Environ()...))
}

// stopOn stops the program in order at the first signal and exits at the second, for a user who does not want to
// wait for --stop-delay and for requests that are still running.
func stopOn(signals <-chan os.Signal, stop func(), exit func(int)) {
	<-signals
	stop()
	<-signals
	exit(exitFailure)
}

// program is what a command may use of its environment.
type program struct {
	getenv         func(string) string
	environ        []string // NAME=value, for finding names that are misspelt
	stdout, stderr io.Writer
}

// command is a subcommand of chatd.
type command struct {
	name, operands string
	help           string                       // one line, in lower case without a full stop
	flags          func(*flag.FlagSet, *config) // its arguments beside the settings; may be nil
	run            func(context.Context, *program, *config) error
}

// commands is the table of subcommands, in the order of chatd help. It is a function, since help refers to it.
func commands() []command {
	return []command{
		{"dev", "", "run a server for development: in memory, own certificate, well-known key (the default)", jsonFlag, serve},
		{"serve", "", "run a server for hosting: durable store, own keys", nil, serve},
		{"migrate", "", "bring the schema of the store up to date, as the servers do at start", nil, migrate},
		{"copy", "", "copy all of a store to an empty one, from a file to Postgres or back", copyFlags, copyStore},
		{"token", "", "make a user, or a token for one", tokenFlags, token},
		{"keys", "list|rotate|retire ID", "list the signing keys of user tokens, make a new one active, or end one and its tokens", nil, keys},
		{"cert", "", "show where the CA certificate is and how to trust it", certFlags, cert},
		{"env", "", "print lines that set connection string and CA for a shell to evaluate", envFlags, printEnv},
		{"health", "", "ask the server of the same settings whether it is ready; exit code 0 or 1", healthFlags, health},
		{"version", "", "print the version", jsonFlag, printVersion},
		{"help", "", "print this", nil, help},
	}
}

// run is the whole program; it returns the exit code. It reads nothing of the process but its arguments, so that
// tests run many at once: getenv and environ are two views of the same environment. An error is one line on
// stderr.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer, environ ...string) int {
	p := &program{getenv: getenv, environ: environ, stdout: stdout, stderr: stderr}
	err := p.run(ctx, args)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "chatd: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailure
}

// run finds the command that the arguments name and runs it. Without one it is dev, so that chatd alone starts a server.
func (p *program) run(ctx context.Context, args []string) error {
	name := "dev"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) > 0 && isHelp(args[0]) {
		name, args = "help", nil
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		cfg, err := configure(&c, args, p.getenv)
		if errors.Is(err, flag.ErrHelp) {
			return p.printUsage(&c)
		}
		// Also when the configuration is wrong: a misspelt variable may be the reason.
		warnOfVariables(cmp.Or(cfg, new(config)).newLogger(p), p.environ)
		if err != nil {
			return err
		}
		return c.run(ctx, p, cfg)
	}
	return usagef("there is no command %q; chatd help lists them", name)
}

// isHelp accepts the spellings of package flag.
func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

// usageError is a mistake in how chatd was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usagef makes a usageError, for which the exit code is exitUsage.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// buildInfo says what was built, as version control knows it. The version is that of a release, else the one that
// Go gives the module; the commit is unknown where Go built without a repository.
func buildInfo() server.Build {
	b := server.Build{Version: version, Commit: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Go = info.GoVersion
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Commit = s.Value
		}
	}
	return b
}
