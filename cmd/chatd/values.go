package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/server"
	"github.com/chatd/chatd/internal/store"
)

// Each setter parses one value. Its error says what is wanted; the caller adds the flag and the value.

// setAddress parses an address to listen on. "off" means none, as does an empty flag: an empty variable counts as not set.
func setAddress(to *string, v string) error {
	if v == "" || v == "off" {
		*to = ""
		return nil
	}
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("host:port, :port for all addresses of the machine, or off")
	}
	*to = v
	return nil
}

// setProfileListen accepts addresses of this machine only, as profiles show what is in memory.
func setProfileListen(c *config, v string) error {
	if err := setAddress(&c.profileListen, v); err != nil || isPublic(c.profileListen) {
		return errors.New("localhost:port or another address that only this machine can connect to, or off")
	}
	return nil
}

// setStore accepts a store in memory only for commands that do not need it to outlive their process.
func setStore(c *config, v string) error {
	scheme, rest, found := strings.Cut(v, ":")
	switch {
	case v == "memory:" && !slices.Contains([]string{"dev", "token", "keys"}, c.command):
		return errors.New("a store that outlives the process, sqlite:PATH or postgres://…; memory: is for chatd dev")
	case v == "memory:", found && rest != "" && slices.Contains([]string{"sqlite", "postgres", "postgresql"}, scheme):
		c.store = v
		return nil
	default:
		return errors.New("memory:, sqlite:PATH or postgres://…")
	}
}

// setStoreListen accepts a direct connection to Postgres: LISTEN does not work through a pooler in transaction mode.
func setStoreListen(c *config, v string) error {
	if v != "" && v != store.NoListen && !strings.HasPrefix(v, "postgres://") && !strings.HasPrefix(v, "postgresql://") {
		return errors.New("postgres://… or none")
	}
	c.storeListen = v
	return nil
}

// setDurability checks the name; what it means is at store.Options.Async.
func setDurability(c *config, v string) error {
	if v != "sync" && v != "async" {
		return errors.New("sync or async")
	}
	c.durability = v
	return nil
}

// setKey accepts what can sign requests. chatd serve refuses the development key, which is public.
func setKey(c *config, to *string, v string) error {
	if c.command == "serve" && v == wellKnownKey {
		return errors.New("a key of your own, not the well-known development key; openssl rand -base64 64 | tr -d '\\n' makes one")
	}
	if _, err := auth.NewAccessKeys([]string{v}, nil); err != nil {
		return errors.New("base64 of at least 16 bytes; openssl rand -base64 64 | tr -d '\\n' makes one")
	}
	*to = v
	return nil
}

// setEntraToken requires a minimum length, since the token can do everything that an access key can. chatd dev
// accepts any: its access key is public anyway.
func setEntraToken(c *config, v string) error {
	if c.command == "serve" && v != "" && len(v) < 16 {
		return errors.New("at least 16 characters; openssl rand -hex 32 makes some")
	}
	c.entraToken = v
	return nil
}

var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// setResource accepts a GUID in either case; ids of users have it in lower case.
func setResource(c *config, v string) error {
	c.resourceID = strings.ToLower(v)
	if !guid.MatchString(c.resourceID) {
		return errors.New("a GUID such as " + wellKnownResource)
	}
	if c.command == "serve" && c.resourceID == wellKnownResource {
		return errors.New("a GUID of your own, not the well-known one of chatd dev; uuidgen makes one")
	}
	return nil
}

var hostName = regexp.MustCompile(`^(\*\.)?[a-zA-Z0-9_-]{1,63}(\.[a-zA-Z0-9_-]{1,63})*$`)

// setCertNames accepts host names, perhaps with a wildcard as the first label, and IP addresses.
func setCertNames(c *config, v string) error {
	c.certNames = list(v)
	for _, name := range c.certNames {
		if _, err := netip.ParseAddr(name); err != nil && !hostName.MatchString(name) {
			return errors.New("host names and IP addresses, comma-separated")
		}
	}
	return nil
}

// setURL parses a URL of scheme, host and perhaps a port.
func setURL(to *string, v string) error {
	u, err := url.Parse(strings.TrimRight(v, "/"))
	switch {
	case v == "":
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.Scheme+"://"+u.Host != u.String():
		return errors.New("https://host[:port]")
	}
	*to = strings.TrimRight(v, "/")
	return nil
}

// setProxies accepts addresses and networks in the form in which peers are compared: IPv4 as such and without zones. Anything else
// would never match, and silently trust no proxy.
func setProxies(c *config, v string) error {
	c.trustedProxies = nil
	for _, item := range list(v) {
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			addr, err := netip.ParseAddr(item)
			if err != nil {
				return errors.New("addresses such as 10.0.0.7 and networks such as 10.0.0.0/8, comma-separated")
			}
			addr = addr.Unmap().WithZone("") // as peers are compared
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if prefix.Addr().Is4In6() {
			return errors.New("networks of IPv4 as such, 10.0.0.0/8 and not ::ffff:10.0.0.0/104")
		}
		c.trustedProxies = append(c.trustedProxies, prefix)
	}
	return nil
}

// setOrigins refuses what no browser would send as an origin.
func setOrigins(c *config, v string) (err error) {
	c.corsOrigins, err = server.ParseOrigins(list(v))
	return err
}

// setLogLevel accepts lower case names only, as the help shows them; slog would accept others.
func setLogLevel(c *config, v string) error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, v) {
		return errors.New("debug, info, warn or error")
	}
	return c.logLevel.UnmarshalText([]byte(v))
}

// setLogFormat accepts the formats of newLogger.
func setLogFormat(c *config, v string) error {
	if v != "text" && v != "json" {
		return errors.New("text or json")
	}
	c.logFormat = v
	return nil
}

// setStopDelay bounds the delay, since supervisors kill a process that takes too long to stop: Kubernetes
// after 30 s unless terminationGracePeriodSeconds says otherwise.
func setStopDelay(c *config, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 || d > 5*time.Minute {
		return errors.New("a time such as 5s, at most 5m")
	}
	c.stopDelay = d
	return nil
}

// setCount parses a quota, which 0 turns off.
func setCount(to *int, v string, least int) error {
	n, err := strconv.Atoi(v)
	if err != nil || n != 0 && n < least {
		return fmt.Errorf("0 or a number from %d on", least)
	}
	*to = n
	return nil
}

// list splits at commas and leaves out empty items.
func list(v string) []string {
	var out []string
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// check validates combinations of settings, which no setter sees. A plain http listener that other machines reach
// is refused without a trusted proxy: tokens and messages would cross the network in the clear, and links in
// answers would begin with http.
func (c *config) check() error {
	if (c.tlsCert == "") != (c.tlsKey == "") {
		return usagef("--tls-cert and --tls-key belong together: give both or neither")
	}
	if slices.Contains(strings.Fields(clients), c.command) && c.listen == "" && c.httpListen == "" {
		return usagef("--listen is off and --http-listen is not set: nobody could connect")
	}
	if c.command == "serve" && isPublic(c.httpListen) && len(c.trustedProxies) == 0 {
		return usagef("--http-listen is %q, where other machines connect without TLS: name the proxy that ends TLS by --trusted-proxies, or listen on localhost", c.httpListen)
	}
	return nil
}

// folder is the absolute path of the config folder, which need not exist: --config-dir, else chatd in the folder
// that the system has for it (XDG_CONFIG_HOME or ~/.config on Linux). A user without a home, as in some
// containers, must name one.
func (c *config) folder() (string, error) {
	if c.configDir != "" {
		return filepath.Abs(c.configDir)
	}
	base, err := os.UserConfigDir()
	if err != nil {
		return "", usagef("--config-dir (or CHATD_CONFIG_DIR): there is no config folder of the user (%w), name one", err)
	}
	return filepath.Join(base, "chatd"), nil
}

// keys are the access keys that are set.
func (c *config) keys() []string {
	return slices.DeleteFunc([]string{c.accessKey, c.accessKeySecondary}, func(k string) bool { return k == "" })
}

// newLogger writes to stderr: stdout is for what commands print. The zero config logs text, from info on.
func (c *config) newLogger(p *program) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.logLevel}
	if c.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.stderr, options))
	}
	return slog.New(slog.NewTextHandler(p.stderr, options))
}

// shown is the default as help and README show it. The development key is long and of no use to read, so it is
// named only.
func (s *setting) shown() string {
	text := s.initial
	if text == wellKnownKey {
		text = "a well-known one"
	}
	if s.serve != "" {
		text += "; chatd serve: " + s.serve
	}
	if s.required {
		text = cmp.Or(text, "none") + "; chatd serve: none, required"
	}
	return text
}
