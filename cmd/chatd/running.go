package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/devca"
)

// running is the answer of the server that listens at the address of this configuration, whose identity is not verified. A command
// may refuse to act because of it, or print it with a warning, but never trusts it.
type running struct {
	url    string // of the server, without the path; empty: there was no answer
	status int    // of HTTP
	body   []byte // at most askBytes of it
}

const (
	askTime  = 2 * time.Second // for both addresses together; a server on this machine answers at once
	askBytes = 1 << 20         // of an answer
)

// askServer gets a path of the server at --listen, or at --http-listen when the first does not answer. No answer
// is not an error, since commands work without a server: it is a running with an empty url.
func (c *config) askServer(ctx context.Context, path string) running {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	for _, at := range [][2]string{{"https", c.listen}, {"http", c.httpListen}} {
		if at[1] == "" {
			continue
		}
		if r, err := getUnverified(ctx, at[0]+"://"+reachable(at[1]), path); err == nil {
			return r
		}
	}
	return running{}
}

// getUnverified gets a path of the server that answers at a URL, without checking its certificate.
func getUnverified(ctx context.Context, url, path string) (running, error) {
	client := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see running
	transport := &http.Transport{TLSClientConfig: client, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, nil)
	if err != nil {
		return running{}, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return running{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, askBytes))
	return running{url, response.StatusCode, body}, err
}

// currentCA returns the CA in the folder of this configuration, and the folder. It makes none, and refuses one
// that a running server does not use: trusting it would not help. When the folder has none but a server shows one,
// it returns that, which is unverified, with the URL of the server as shownBy.
func (c *config) currentCA(ctx context.Context) (ca []byte, dir, shownBy string, err error) {
	if dir, err = c.folder(); err != nil {
		return nil, "", "", err
	}
	ca, err = os.ReadFile(filepath.Join(dir, caFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", "", err
	}
	server := c.askServer(ctx, "/"+caFile)
	switch shown := devca.PEMBlocks(server.body, certificateBlock); {
	case server.url == "" && ca == nil:
		err = fmt.Errorf("there is no CA in %s, and no server answers at the --listen address: a server makes the CA when it starts", dir)
	// No server runs; the CA in the folder is the one that the next start uses.
	case server.url == "":
	case server.status != http.StatusOK || len(shown) != 1:
		err = fmt.Errorf("the server at %s has no CA of its own: its certificate was given to it", server.url)
	case ca == nil:
		return server.body, dir, server.url, nil
	case !bytes.Equal(shown[0], bytes.Join(devca.PEMBlocks(ca, certificateBlock), nil)):
		err = fmt.Errorf("the server at %s uses another CA than that in %s: name its --config-dir (or CHATD_CONFIG_DIR), or its --listen if you mean another server", server.url, dir)
	}
	return ca, dir, "", err
}

// sameKeys returns an error when the server at the address of this configuration knows none of the signing keys: it then has
// another store or folder, and would refuse tokens signed with them.
func (c *config) sameKeys(ctx context.Context, keys *auth.KeySet) error {
	server := c.askServer(ctx, "/.well-known/jwks.json")
	if server.status != http.StatusOK { // no server, or one that is not chatd
		return nil
	}
	ours, err := keys.JWKS(now())
	if err != nil {
		return err
	}
	known := moduli(server.body)
	for modulus := range moduli(ours) {
		if known[modulus] {
			return nil
		}
	}
	return fmt.Errorf("the server at %s has other signing keys: name its --store and --config-dir (or CHATD_STORE, CHATD_CONFIG_DIR), or its --listen if you mean another server", server.url)
}

// moduli identify the keys of a JWK set by their RSA modulus. Their IDs do not, as those count from 1 in every
// installation. An answer that is no JWK set has none.
func moduli(jwks []byte) map[string]bool {
	var set struct{ Keys []struct{ N string } }
	found := map[string]bool{}
	if json.Unmarshal(jwks, &set) == nil {
		for _, key := range set.Keys {
			found[key.N] = true
		}
	}
	return found
}

// asStranger explains a TLS error that means that the server has a different CA.
func asStranger(err error, address, dir string) error {
	if errors.As(err, new(x509.UnknownAuthorityError)) {
		return fmt.Errorf("the server at %s shows a certificate that is not of the CA in %s: name its --config-dir (or CHATD_CONFIG_DIR)", address, dir)
	}
	return err
}
