package main

import (
	"flag"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/server"
)

// config holds the parsed settings and arguments of a command. What a command does not take has its zero value.
type config struct {
	command            string         // the command's name: defaults and checks depend on it
	listen             string         // host:port of the https server; empty: none
	httpListen         string         // host:port of the plain http server; empty: none
	profileListen      string         // host:port, of this machine only; empty: none
	store              string         // memory:, sqlite:PATH or a postgres URL, which may hold a password
	storeListen        string         // see store.Options.Listen
	durability         string         // sync or async
	accessKey          string         // in base64, as in a connection string
	accessKeySecondary string         // likewise; empty: none
	resourceID         string         // a GUID in lower case
	configDir          string         // as it was given, see folder
	certNames          []string       // beside those that every generated certificate has
	tlsCert, tlsKey    string         // paths of PEM files, both or neither; neither: the development CA signs
	publicURL          string         // scheme://host[:port] without a slash at the end; empty: as each request says
	trustedProxies     []netip.Prefix // whose forwarded headers are believed
	entraToken         string         // empty: none is accepted
	corsOrigins        server.Origins
	logLevel           slog.Level
	logFormat          string        // text or json
	stopDelay          time.Duration // how long to keep serving after SIGTERM
	imagesPerDay       int           // of each user; 0: any number
	endpointsPerUser   int           // 0: any number

	// Arguments of single commands.
	from, to    string        // copy: URLs of stores
	user        string        // token: an identity, 8:acs:…; empty: a new user
	scopes      string        // token: comma-separated
	minutes     int           // token: its lifetime
	endpoint    string        // token: URL of the server to ask; empty: sign here
	printPEM    bool          // cert: the certificate instead of its path
	printBundle bool          // cert: the same with the roots of the system
	json        bool          // one JSON object instead of text
	wait        time.Duration // health: how long to ask again; 0: ask once
	shell       string        // env: a key of shells; empty: the user's own
	operands    []string      // arguments that are not flags
}

// setting is one thing that can be set. The table below is the only list of them: flags, environment variables,
// -help and the table in the README are made from it.
type setting struct {
	name     string                      // of the flag
	commands string                      // that take it, separated by spaces
	initial  string                      // the default
	serve    string                      // the default of chatd serve, where it is another
	required bool                        // by chatd serve, which has no default
	secret   bool                        // never shown, and may be read from the file that the variable <env>_FILE names
	help     string                      // in help and README, without a full stop
	set      func(*config, string) error // its error says what is wanted; apply adds the flag, and the value unless it is secret
}

// env is the environment twin of the flag.
func (s *setting) env() string {
	return "CHATD_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// usedBy reports whether a command takes the setting.
func (s *setting) usedBy(command string) bool {
	for name := range strings.FieldsSeq(s.commands) {
		if name == command {
			return true
		}
	}
	return false
}

const (
	// Which commands take a setting. One that asks a running server takes the settings by which that server is found.
	servers = "dev serve"
	clients = "dev serve health"
	local   = clients + " token keys cert env" // beside a server of this machine
	stores  = "dev serve token keys migrate"

	// The key and resource of development servers are public, which is why chatd serve refuses them.
	wellKnownKey      = "Y2hhdGQgZGV2ZWxvcG1lbnQga2V5OiBldmVyeWJvZHkga25vd3MgaXQsIG5ldmVyIHVzZSBpdCBwdWJsaWNseQ=="
	wellKnownResource = "c4a7d000-0000-4000-8000-000000000000"
)

// settings is in the order of help and README: what most installations set first.
var settings = []setting{
	{
		name: "listen", commands: local, initial: "localhost:8443",
		help: "address of the https server; localhost is 127.0.0.1 and ::1, port 0 any free one; off: none",
		set:  func(c *config, v string) error { return setAddress(&c.listen, v) },
	},
	{
		name: "http-listen", commands: local,
		help: "address of a plain http server beside it, for a proxy that ends TLS; empty or off: none",
		set:  func(c *config, v string) error { return setAddress(&c.httpListen, v) },
	},
	{
		name: "profile-listen", commands: servers,
		help: "address, of this machine only, of a plain http server with profiles of the program, /debug/pprof/; empty or off: none",
		set:  setProfileListen,
	},
	{
		name: "store", commands: stores, initial: "memory:", required: true, secret: true,
		help: "where everything is kept: memory:, sqlite:PATH or postgres://…",
		set:  setStore,
	},
	{
		name: "store-listen", commands: servers, secret: true,
		help: "postgres://… for notifications of what other nodes write, where --store leads to a pooler; none: poll every second; empty: as --store",
		set:  setStoreListen,
	},
	{
		name: "durability", commands: servers, initial: "sync",
		help: "when Postgres has acknowledged a write: sync, it is on disk as the server's synchronous_commit says; async, it may be lost if its machine stops",
		set:  setDurability,
	},
	{
		name: "access-key", commands: "dev serve token env", initial: wellKnownKey, required: true, secret: true,
		help: "access key of the resource, base64 of at least 16 bytes",
		set:  func(c *config, v string) error { return setKey(c, &c.accessKey, v) },
	},
	{
		name: "access-key-secondary", commands: servers, secret: true,
		help: "second access key, valid beside the first",
		set:  func(c *config, v string) error { return setKey(c, &c.accessKeySecondary, v) },
	},
	{
		name: "resource-id", commands: "dev serve token", initial: wellKnownResource, required: true,
		help: "GUID of the resource, which is in the id of each of its users: 8:acs:GUID_…",
		set:  setResource,
	},
	{
		name: "entra-token", commands: servers, secret: true,
		help: "bearer token that the Identity API accepts instead of a Microsoft Entra one, in chatd serve at least 16 characters; empty: none",
		set:  setEntraToken,
	},
	{
		name: "config-dir", commands: local,
		help: "folder of the development CA and its keys, made private; empty: chatd in the user's config folder",
		set:  func(c *config, v string) error { c.configDir = v; return nil },
	},
	{
		name: "cert-names", commands: servers,
		help: "further host names and IP addresses for the certificate, comma-separated",
		set:  setCertNames,
	},
	{
		name: "tls-cert", commands: clients + " env",
		help: "PEM file of a certificate (chain) to use instead of a generated one; read again when it changes",
		set:  func(c *config, v string) error { c.tlsCert = v; return nil },
	},
	{
		name: "tls-key", commands: clients + " env",
		help: "PEM file of its key",
		set:  func(c *config, v string) error { c.tlsKey = v; return nil },
	},
	{
		name: "public-url", commands: servers + " env",
		help: "https://host[:port] that links are built from; empty: from the request",
		set:  func(c *config, v string) error { return setURL(&c.publicURL, v) },
	},
	{
		name: "trusted-proxies", commands: servers,
		help: "addresses and networks whose X-Forwarded-Proto, X-Forwarded-Host or Forwarded is believed, comma-separated",
		set:  setProxies,
	},
	{
		name: "cors-origins", commands: servers, initial: "loopback", serve: "*",
		help: "origins of web pages that may call, comma-separated; https://*.example.com: of any one label; loopback: of this machine, with any scheme and port; *: all",
		set:  setOrigins,
	},
	{
		name: "log-level", commands: servers, initial: "info",
		help: "debug, info, warn or error",
		set:  setLogLevel,
	},
	{
		name: "log-format", commands: servers, initial: "text",
		help: "text or json",
		set:  setLogFormat,
	},
	{
		name: "stop-delay", commands: servers, initial: "0s",
		help: "how long to keep serving after SIGTERM, with /readyz answering 503 so that proxies turn to other servers; at most 5m",
		set:  setStopDelay,
	},
	{
		name: "images-per-day", commands: servers, initial: "1000",
		help: "how many images a user may upload in 24 hours, of 10 MiB at most; 0: any number",
		set:  func(c *config, v string) error { return setCount(&c.imagesPerDay, v, 1) },
	},
	{
		name: "endpoints-per-user", commands: servers, initial: "1000",
		help: "how many clients of a user can resume where they left off, at least 100; 0: any number",
		set:  func(c *config, v string) error { return setCount(&c.endpointsPerUser, v, 100) },
	},
}

// configure makes the config of a command from its arguments and the environment. What the user got wrong is a
// usageError; -help is flag.ErrHelp. Settings are applied in the order of the table, whichever order flags were
// given in, so the first mistake that is reported is always the same.
func configure(cmd *command, args []string, getenv func(string) string) (*config, error) {
	cfg := &config{command: cmd.name}
	for cmd.operands != "" && len(args) > 0 && !strings.HasPrefix(args[0], "-") { // operands may precede flags
		cfg.operands, args = append(cfg.operands, args[0]), args[1:]
	}
	flags := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	// Package flag would print its own usage; run prints errors and help in one form.
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	for _, s := range settings {
		if s.usedBy(cmd.name) {
			// All are texts to package flag: values from flags, variables and files are parsed by the same setter.
			flags.String(s.name, "", s.help)
		}
	}
	if cmd.flags != nil {
		cmd.flags(flags, cfg)
	}
	if err := flags.Parse(args); err != nil {
		return nil, usagef("%w; chatd %s -help lists what there is", err, cmd.name)
	}
	cfg.operands = append(cfg.operands, flags.Args()...)
	if most := len(strings.Fields(cmd.operands)); len(cfg.operands) > most {
		return nil, usagef("chatd %s takes no argument %q", cmd.name, cfg.operands[most])
	}
	// Visit sees only flags that were given, so that an empty value can be told from none.
	given := map[string]string{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = f.Value.String() })
	for _, s := range settings {
		if !s.usedBy(cmd.name) {
			continue
		}
		if err := s.apply(cfg, given, getenv); err != nil {
			return nil, err
		}
	}
	return cfg, cfg.check()
}

// apply sets the value of the flag, else of the variable, else of the file, else the default. Errors name the flag
// and the variable, since the user may have set either; they show the value only when it is no secret, as logs
// keep them.
func (s *setting) apply(cfg *config, flags map[string]string, getenv func(string) string) error {
	value, ok, err := s.lookup(flags, getenv)
	switch {
	case err != nil:
		return err
	case ok:
	case s.required && (cfg.command == "serve" || cfg.command == "migrate"):
		return usagef("chatd "+cfg.command+" needs --%s (or %s): %s", s.name, s.env(), s.help)
	case s.initial == "":
		return nil
	case s.serve != "" && cfg.command == "serve":
		value = s.serve
	default:
		value = s.initial
	}
	err = s.set(cfg, value)
	switch {
	case err != nil && s.secret:
		return usagef("--%s (or %s): want %w", s.name, s.env(), err)
	case err != nil:
		return usagef("--%s (or %s) is %q: want %w", s.name, s.env(), value, err)
	}
	return nil
}

// lookup finds the value that was given. An empty variable or file counts as none, since deployment files name all of them and an
// installation may leave some empty; an empty flag is a value.
func (s *setting) lookup(flags map[string]string, getenv func(string) string) (value string, ok bool, err error) {
	if v, ok := flags[s.name]; ok {
		return v, true, nil
	}
	if v := getenv(s.env()); v != "" {
		return v, true, nil
	}
	file := ""
	if s.secret {
		file = getenv(s.env() + "_FILE")
	}
	if file == "" {
		return "", false, nil
	}
	// As Docker and Kubernetes mount secrets. Editors and echo leave a line break at the end.
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", false, usagef("%s_FILE: %w", s.env(), err)
	}
	value = strings.TrimSpace(string(raw))
	return value, value != "", nil
}
