package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/auth"
)

// ready is what is known of a server once it answers, with the ports that it got.
type ready struct {
	cfg      *config
	endpoint string // the URL for clients
	plain    string // of the plain http server; empty: there is none
	newCA    bool   // made at this start, so that no client trusts it yet
}

// hostOf is the host by which a client on this machine knows an address to listen on. For the unspecified address
// that is localhost: it is in every generated certificate.
func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "localhost"
	}
	return host
}

// announce prints how to connect to chatd dev, with a user and a token to start with. The token is valid for a
// day, the longest that any is. It is printed only after the server has answered, so a script may connect once it
// has read the output.
func (r ready) announce(ctx context.Context, p *program, identities *auth.Identities) error {
	user, err := identities.Create(ctx)
	if err != nil {
		return err
	}
	keyID, err := r.cfg.keyID()
	if err != nil {
		return err
	}
	token, err := identities.Issue(ctx, user, []auth.Scope{auth.ScopeChat}, 24*time.Hour, keyID)
	if err != nil {
		return err
	}
	about := readiness{
		Endpoint:         r.endpoint,
		ConnectionString: auth.ConnectionString{Endpoint: r.endpoint, AccessKey: r.cfg.accessKey}.String(),
		PlainHTTP:        r.plain,
		NewCA:            r.newCA,
		User:             string(user),
		Token:            token.Value,
		ExpiresOn:        token.ExpiresOn,
	}
	dir := ""
	if r.cfg.ownCA() {
		if dir, err = r.cfg.folder(); err != nil {
			return err
		}
		about.CACertificate, about.CABundle = filepath.Join(dir, caFile), filepath.Join(dir, bundleFile)
	}
	if r.cfg.json {
		return writeJSON(p.stdout, about)
	}
	_, err = io.WriteString(p.stdout, about.text(dir))
	return err
}

// readiness is what a developer needs to know of a server. chatd dev --json prints it as one JSON object; scripts read its names, so
// names stay and only new ones are added.
type readiness struct {
	Endpoint         string    `json:"endpoint"`
	ConnectionString string    `json:"connectionString"`
	PlainHTTP        string    `json:"plainHttp,omitempty"`
	CACertificate    string    `json:"caCertificate,omitempty"`
	CABundle         string    `json:"caBundle,omitempty"`
	NewCA            bool      `json:"caIsNew"`
	User             string    `json:"user"`
	Token            string    `json:"token"`
	ExpiresOn        time.Time `json:"expiresOn"`
}

// text is the same for a terminal, followed by how to trust the CA in dir; an empty dir means that no CA has to be trusted.
func (r readiness) text(dir string) string {
	rows := [][2]string{{"Endpoint", r.Endpoint}, {"Connection string", r.ConnectionString}}
	for _, row := range [][2]string{{"Plain http", r.PlainHTTP}, {"CA certificate", r.CACertificate}} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	var b strings.Builder
	b.WriteString("chatd dev is ready.\n\n")
	writeRows(&b, append(rows, [2]string{"User", r.User}, [2]string{"Token", r.Token}))
	if r.NewCA {
		b.WriteString("\nThe CA is new: it has to be trusted, also where an earlier one was.\n")
	}
	if dir != "" {
		writeTrust(&b, dir)
	}
	return b.String()
}

// writeRows aligns labels and values. The column is as wide as the longest label, "Connection string".
func writeRows(b *strings.Builder, rows [][2]string) {
	for _, row := range rows {
		fmt.Fprintf(b, "  %-17s  %s\n", row[0], row[1])
	}
}
