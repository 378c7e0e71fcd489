package limit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"os"
	"os/exec"
)

// Bare is the bare server in a separate process.
type Bare struct {
	Address
	TLS   *tls.Config // of clients
	cmd   *exec.Cmd
	leash io.Closer
}

// StartBare starts this program again as the bare server; its main function is to call Serve for the argument given.
func StartBare(ctx context.Context, argument string) (*Bare, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &Bare{cmd: exec.CommandContext(ctx, self, argument)}
	b.cmd.Stderr = os.Stderr
	if b.leash, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(&b.Address); err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(b.Certificate)
	if err != nil {
		return nil, err
	}
	b.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	b.TLS.RootCAs.AddCert(cert)
	return b, nil
}

// Origin is where clients connect, and what they trust there.
func (b *Bare) Origin(secure bool) (string, *tls.Config) {
	if secure {
		return b.Secure, b.TLS
	}
	return b.Plain, nil
}

// PID is the process.
func (b *Bare) PID() int { return b.cmd.Process.Pid }

// Stop ends it.
func (b *Bare) Stop() {
	_ = b.leash.Close()
	_ = b.cmd.Wait() // it says that it was closed
}
