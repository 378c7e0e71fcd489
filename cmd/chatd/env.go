package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/chatd/chatd/internal/auth"
)

// shells maps the name of a shell to how a variable is set in it.
var shells = map[string]func(name, value string) string{
	"sh": func(name, value string) string { return "export " + name + "=" + shellQuoted(value) },
	"fish": func(name, value string) string {
		return "set -gx " + name + " '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
	},
	"powershell": func(name, value string) string {
		// PowerShell takes typographic apostrophes for what ends a text too.
		return "$env:" + name + " = '" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(value) + "'"
	},
}

// envFlags are the arguments of chatd env.
func envFlags(f *flag.FlagSet, c *config) {
	f.StringVar(&c.shell, "shell", "", "for which shell: "+shellNames()+"; without it that of SHELL, or of the system")
}

// shellNames lists the supported shells for help and errors.
func shellNames() string { return strings.Join(slices.Sorted(maps.Keys(shells)), ", ") }

// printEnv prints lines that set what SDKs and runtimes need for the server of this configuration, for eval in a
// shell. It fails rather than print half of them: a client with the connection string and without the CA gets an
// error of TLS that does not lead back to here.
func printEnv(ctx context.Context, p *program, cfg *config) error {
	set := shells[cmp.Or(cfg.shell, shellOf(p.getenv("SHELL"), runtime.GOOS))]
	if set == nil {
		return usagef("--shell is %q: want one of %s", cfg.shell, shellNames())
	}
	endpoint, err := cfg.endpointHere()
	if err != nil {
		return err
	}
	connection := auth.ConnectionString{Endpoint: endpoint, AccessKey: cfg.accessKey}.String()
	variables := [][2]string{
		{"ENDPOINT", endpoint},
		{"CONNECTION", connection},
		{"AZURE_COMMUNICATION_CONNECTION_STRING", connection}, // which the Azure CLI reads
	}
	if cfg.ownCA() {
		_, dir, shownBy, err := cfg.currentCA(ctx)
		if err != nil {
			return err
		}
		if shownBy != "" {
			return elsewhere(shownBy, dir)
		}
		// Node.js adds its file to the roots that it has; Python and OpenSSL trust the given file alone.
		both := filepath.Join(dir, bundleFile)
		variables = append(variables, [][2]string{
			{"NODE_EXTRA_CA_CERTS", filepath.Join(dir, caFile)}, {"REQUESTS_CA_BUNDLE", both}, {"SSL_CERT_FILE", both},
		}...)
	}
	var b strings.Builder
	for _, v := range variables {
		b.WriteString(set(v[0], v[1]) + "\n")
	}
	_, err = io.WriteString(p.stdout, b.String())
	return err
}

// shellOf is the kind of a shell by its path, or by the system where none is named. Any other shell counts as sh:
// bash, zsh, dash and ksh take the same line.
func shellOf(path, system string) string {
	switch {
	case filepath.Base(path) == "fish":
		return "fish"
	case strings.Contains(filepath.Base(path), "pwsh"), path == "" && system == "windows":
		return "powershell"
	default:
		return "sh"
	}
}

// ownCA reports whether the development CA signs the server's certificate.
func (c *config) ownCA() bool { return c.tlsCert == "" && c.listen != "" }

// endpointHere is the URL by which clients on this machine know the server of this configuration. Port 0 is an
// error, since the server got a port that is not in the settings.
func (c *config) endpointHere() (string, error) {
	if c.publicURL != "" {
		return c.publicURL, nil
	}
	scheme, address := "https", c.listen
	if address == "" {
		scheme, address = "http", c.httpListen
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return "", usagef("--listen (or CHATD_LISTEN) is %q: name the port of the server", address)
	}
	return scheme + "://" + net.JoinHostPort(hostOf(address), port), nil
}

// elsewhere is the error when a server shows a CA that is not in the folder. The command then prints nothing to
// trust, as it cannot tell whose certificate it was shown.
func elsewhere(url, dir string) error {
	return fmt.Errorf("the CA of the server at %s is not in %s: name its --config-dir (or CHATD_CONFIG_DIR); if that was removed, restart the server, which makes a new CA; chatd cert --print prints what the server shows", url, dir)
}
