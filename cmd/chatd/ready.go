package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/auth"
)

// ready is what chatd dev says once it answers.
type ready struct {
	cfg      *config
	endpoint string // the URL that clients are told
	plain    string // of the plain http server; empty: there is none
	newCA    bool   // nobody trusts it yet
}

// hostOf is the host by which a client on this machine knows an address to listen on.
func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "localhost"
	}
	return host
}

func (r ready) announce(ctx context.Context, p *program, identities *auth.Identities) error {
	user, err := identities.Create(ctx)
	if err != nil {
		return err
	}
	generation, err := r.cfg.generation()
	if err != nil {
		return err
	}
	token, err := identities.Issue(ctx, user, []auth.Scope{auth.ScopeChat}, 24*time.Hour, generation)
	if err != nil {
		return err
	}
	rows := [][2]string{
		{"Endpoint", r.endpoint},
		{"Connection string", auth.ConnectionString{Endpoint: r.endpoint, AccessKey: r.cfg.accessKey}.String()},
	}
	if r.plain != "" {
		rows = append(rows, [2]string{"Plain http", r.plain})
	}
	ca := ""
	if r.cfg.tlsCert == "" && r.cfg.listen != "" {
		if ca, err = r.cfg.caPath(); err != nil {
			return err
		}
		rows = append(rows, [2]string{"CA certificate", ca})
	}
	rows = append(rows, [2]string{"User", string(user)}, [2]string{"Token", token.Value})

	var b strings.Builder
	b.WriteString("chatd dev is ready.\n\n")
	writeRows(&b, rows)
	if r.newCA {
		b.WriteString("\nThe CA is new: it has to be trusted, also where an earlier one was.\n")
	}
	if ca != "" {
		writeTrust(&b, ca)
	}
	_, err = io.WriteString(p.stdout, b.String())
	return err
}

// writeRows aligns labels and values.
func writeRows(b *strings.Builder, rows [][2]string) {
	for _, row := range rows {
		fmt.Fprintf(b, "  %-17s  %s\n", row[0], row[1])
	}
}

// writeTrust tells for each runtime how to trust the CA.
func writeTrust(b *strings.Builder, ca string) {
	ca = shellQuoted(ca)
	b.WriteString("\nTrust the CA (one line for your runtime):\n")
	writeRows(b, [][2]string{
		{"Node.js", "export NODE_EXTRA_CA_CERTS=" + ca},
		{"Python", "export REQUESTS_CA_BUNDLE=" + ca + " SSL_CERT_FILE=" + ca},
		{"Java", "keytool -importcert -noprompt -alias chatd -file " + ca +
			" -keystore truststore.p12 -storetype PKCS12 -storepass changeit" +
			"   then -Djavax.net.ssl.trustStore=truststore.p12 -Djavax.net.ssl.trustStorePassword=changeit"},
		{".NET (Linux), Go", "export SSL_CERT_FILE=" + ca},
		{"Azure CLI", "export REQUESTS_CA_BUNDLE=" + ca},
		{"Chromium (Linux)", "certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n chatd -i " + ca},
	})
}

var plainWord = regexp.MustCompile(`^[a-zA-Z0-9_@%+=:,./-]+$`)

// shellQuoted makes one word of a path for a shell; the config folder of macOS has a space in it.
func shellQuoted(path string) string {
	if plainWord.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
