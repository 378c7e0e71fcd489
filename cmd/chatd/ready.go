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

// ready is the information of a server that answers.
type ready struct {
	cfg      *config
	endpoint string // the URL for clients
	plain    string // of the plain http server; empty: there is none
	newCA    bool   // no client trusts it yet
}

// hostOf is the host by which a client on this machine knows an address to listen on.
func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "localhost"
	}
	return host
}

// announce prints how to connect to chatd dev, with a user and a token to start with. The token is valid for a day, as long as any is.
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

// readiness is what a developer needs of a server, also as the one JSON object of chatd dev --json.
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

// text is the same for people, with how to trust a CA in the folder.
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

// writeRows aligns labels and values.
func writeRows(b *strings.Builder, rows [][2]string) {
	for _, row := range rows {
		fmt.Fprintf(b, "  %-17s  %s\n", row[0], row[1])
	}
}
