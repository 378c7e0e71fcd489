package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

// tokenFlags are the arguments of chatd token. Lifetimes have the limits of the Identity API.
func tokenFlags(f *flag.FlagSet, c *config) {
	f.StringVar(&c.user, "user", "", "id of the user; without it a user is made")
	f.StringVar(&c.scopes, "scope", "chat", "scopes, comma-separated: chat, chat.join, chat.join.limited, voip, voip.join")
	f.IntVar(&c.minutes, "minutes", 1440, "how long the token lives, 60 to 1440")
	jsonFlag(f, c)
	f.StringVar(&c.endpoint, "endpoint", "", "https://host[:port] of a running server to ask; without it the keys of this configuration are used")
}

// issued is a token as chatd token prints it.
type issued struct {
	user, token string
	expires     time.Time
}

// token makes a token, and a user for it unless one is named. With --endpoint it asks a server, by the access key
// alone, and works from any machine; without, it signs with the keys of this configuration. All arguments are
// checked before either, so that a mistake makes no user.
func token(ctx context.Context, p *program, cfg *config) error {
	scopes, err := auth.ParseScopes(list(cfg.scopes))
	if err != nil {
		return usagef("--scope is %q: %w", cfg.scopes, err)
	}
	lifetime, err := auth.Lifetime(&cfg.minutes)
	if err != nil {
		return usagef("--minutes is %d: want 60 to 1440", cfg.minutes)
	}
	if user := chat.Identity(cfg.user); cfg.endpoint == "" && user != "" && !user.BelongsTo(cfg.resourceID) {
		return usagef("--user is %q: want a user of the resource, 8:acs:%s_…", user, cfg.resourceID)
	}
	if setURL(&cfg.endpoint, cfg.endpoint) != nil {
		return usagef("--endpoint is %q: want https://host[:port]", cfg.endpoint)
	}
	var out issued
	if cfg.endpoint != "" {
		out, err = cfg.askForToken(ctx, scopes)
	} else {
		out, err = cfg.mintToken(ctx, scopes, lifetime)
	}
	if err != nil {
		return err
	}
	if cfg.json {
		return writeJSON(p.stdout, map[string]string{"user": out.user, "token": out.token, "expiresOn": out.expires.Format(time.RFC3339)})
	}
	var b strings.Builder
	writeRows(&b, [][2]string{{"User", out.user}, {"Token", out.token}, {"Expires", out.expires.Format(time.RFC3339)}})
	_, err = io.WriteString(p.stdout, b.String())
	return err
}

// mintToken signs with the keys of the configuration, which a server has made but need not be running. A named
// user that the store does not know is added, as a server does with the bearer of a genuine token. Keys that a
// running server does not have are an error: it would refuse the token.
func (c *config) mintToken(ctx context.Context, scopes []auth.Scope, lifetime time.Duration) (issued, error) {
	db, keys, err := openStore(ctx, c, store.Options{AsIs: true})
	if err != nil {
		return issued{}, err
	}
	var out issued
	if err = c.sameKeys(ctx, keys); err == nil {
		out, err = c.mint(ctx, db, auth.NewIdentities(c.resourceID, keys, db, now), scopes, lifetime)
	}
	return out, errors.Join(err, db.Close())
}

// mint issues a token by the signing keys of the store.
func (c *config) mint(ctx context.Context, db *store.DB, identities *auth.Identities, scopes []auth.Scope, lifetime time.Duration) (issued, error) {
	user := chat.Identity(c.user)
	var err error
	if user == "" {
		user, err = identities.Create(ctx)
	} else {
		err = db.AddUser(ctx, auth.User{Identity: user, CreatedOn: now()})
	}
	if err != nil {
		return issued{}, err
	}
	keyID, err := c.keyID()
	if err != nil {
		return issued{}, err
	}
	token, err := identities.Issue(ctx, user, scopes, lifetime, keyID)
	return issued{string(user), token.Value, token.ExpiresOn}, err
}

// keyID is the key ID of a token that is made without a signed request. With the well-known key it is empty: that is the default
// of this command, and the servers of the store may have other keys.
func (c *config) keyID() (auth.KeyID, error) {
	if c.accessKey == wellKnownKey {
		return "", nil
	}
	return auth.KeyIDOf(c.accessKey)
}

// identityVersion has expiresInMinutes and all scopes that --scope accepts; see docs/versions.md.
const identityVersion = "?api-version=2023-10-01"

// askForToken asks a running server for the token, by its Identity API.
func (c *config) askForToken(ctx context.Context, scopes []auth.Scope) (issued, error) {
	var answer struct {
		Identity struct {
			ID string `json:"id"`
		} `json:"identity"`
		AccessToken accessToken `json:"accessToken"`
	}
	if c.user != "" {
		path := "/identities/" + url.PathEscape(c.user) + "/:issueAccessToken"
		err := c.ask(ctx, path, map[string]any{"scopes": scopes, "expiresInMinutes": c.minutes}, &answer.AccessToken)
		return issued{c.user, answer.AccessToken.Token, answer.AccessToken.ExpiresOn}, err
	}
	err := c.ask(ctx, "/identities", map[string]any{"createTokenWithScopes": scopes, "expiresInMinutes": c.minutes}, &answer)
	return issued{answer.Identity.ID, answer.AccessToken.Token, answer.AccessToken.ExpiresOn}, err
}

// accessToken is CommunicationIdentityAccessToken of the Identity API.
type accessToken struct {
	Token     string    `json:"token"`
	ExpiresOn time.Time `json:"expiresOn"`
}

// ask posts to the Identity API with the signature of the access key, as an SDK does, and decodes the answer into
// out. An answer of 400 or more is an error with what the server said.
func (c *config) ask(ctx context.Context, path string, in, out any) error {
	client, err := c.identityClient()
	if err != nil {
		return err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+path+identityVersion, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if err := auth.Sign(request, body, c.accessKey, time.Now()); err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return refusal(response)
	}
	return json.NewDecoder(response.Body).Decode(out)
}

// identityClient returns a client that trusts the roots of the machine, and the development CA where there is one.
// Unlike probe it uses the proxy of the environment, since --endpoint may be far away.
func (c *config) identityClient() (*http.Client, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	path, err := c.caPath()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	roots.AppendCertsFromPEM(data)
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}, nil
}

// refusal turns an error answer into an error. An answer without the service's envelope comes from
// something else, such as a proxy, and is shown by its status alone.
func refusal(response *http.Response) error {
	var body struct {
		Error struct{ Code, Message string } `json:"error"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil || body.Error.Message == "" {
		return fmt.Errorf("the server refused: %s", response.Status)
	}
	return fmt.Errorf("the server refused: %s: %s (%s)", response.Status, body.Error.Message, body.Error.Code)
}
