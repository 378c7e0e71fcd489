package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chatd/chatd/client"
)

// Access keys of one installation, one after the other.
const (
	keyA = "a2V5IEEgb2YgYSB0ZXN0LCAzMiBieXRlcyBsb25nISEhISE="
	keyB = "a2V5IEIgb2YgYSB0ZXN0LCAzMiBieXRlcyBsb25nISEhISE="
	keyC = "a2V5IEMgb2YgYSB0ZXN0LCAzMiBieXRlcyBsb25nISEhISE="
	keyD = "a2V5IEQgb2YgYSB0ZXN0LCAzMiBieXRlcyBsb25nISEhISE="
)

// Tokens end with the access key that made them, by the restart that takes it away, and with no other (identity model page of
// the ACS documentation: rotation revokes what was "created by using a former access key").
func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := "sqlite:" + filepath.Join(dir, "chatd.db")
	shared := []string{"--config-dir", dir, "--resource-id", resource}
	serve := func(keys ...string) *instance {
		args := append([]string{"serve", "--listen", "localhost:0", "--store", store, "--log-format", "json", "--entra-token", "entra-token-of-the-rotation"}, shared...)
		for i, key := range keys {
			args = append(args, []string{"--access-key", "--access-key-secondary"}[i], key)
		}
		i := launch(t, args...)
		i.waitFor(i.stderr, `"msg":"ready"`)
		var line struct{ Endpoint string }
		if err := json.NewDecoder(strings.NewReader(i.stderr.String())).Decode(&line); err != nil {
			t.Fatal(err)
		}
		i.client, i.labels = clientTrusting(t, filepath.Join(dir, "ca.pem")), map[string]string{"Endpoint": line.Endpoint}
		return i
	}
	online := func(i *instance, key string) string {
		_, token := mint(t, append([]string{"--endpoint", i.labels["Endpoint"], "--access-key", key}, shared...)...)
		return token
	}
	offline := func(args ...string) string {
		_, token := mint(t, append(append([]string{"--store", store}, args...), shared...)...)
		return token
	}
	allocations := map[string]string{} // as queries, by the token for which each was made
	// takes tells whether the server takes the token, which all its doors must agree on. That of an allocation, which SDKs before
	// chat 1.5.2 show without the token, may besides have ended.
	takes := func(i *instance, token string) bool {
		t.Helper()
		rest := i.accepts(token)
		c, err := client.Dial(t.Context(), i.labels["Endpoint"], token, client.Options{HTTPClient: &http.Client{Transport: i.client.Transport}})
		if err == nil {
			_ = c.Close()
		} else if refusal := (*client.CloseError)(nil); !errors.As(err, &refusal) || refusal.Code != 4401 {
			t.Errorf("/realtime: %v", err)
		}
		if query := allocations[token]; query != "" && !rest {
			if status := bodiless(t, i, http.MethodGet, "/socket.io/1/?"+query, "X-Skypetoken", "", nil); status != http.StatusUnauthorized {
				t.Errorf("the Chat API refuses a token; the handshake by its allocation says %d", status)
			}
		}
		var allocation struct{ Connectparams map[string]string }
		if status := bodiless(t, i, http.MethodPost, "/v4/a", "X-Skypetoken", token, &allocation); (err == nil) != rest || (status == http.StatusOK) != rest {
			t.Errorf("the Chat API takes a token: %t; /realtime says %v, Trouter %d", rest, err, status)
		}
		if rest {
			query := url.Values{}
			for name, value := range allocation.Connectparams {
				query.Set(name, value)
			}
			allocations[token] = query.Encode()
		}
		return rest
	}

	installed(t, append([]string{"--store", store}, shared...)...)
	tokens := map[string]string{"no key": offline(), "A offline": offline("--access-key", keyA)}
	for step, s := range []struct {
		keys    []string
		add     map[string]string // tokens made in this step, by the key that signs
		refused string
	}{
		{[]string{keyA, keyB}, map[string]string{"A": keyA, "B": keyB}, ""},
		{[]string{keyB, keyC}, map[string]string{"C": keyC}, "A, A offline"},
		{[]string{keyC, keyB}, nil, "A, A offline"}, // the order does not matter
		{[]string{keyC}, nil, "A, A offline, B"},
		{[]string{keyB, keyA}, nil, "C"}, // keys that come back bring back what they made: nothing of them is kept
		{[]string{keyD}, map[string]string{"D": keyD}, "A, A offline, B, C"},
	} {
		i := serve(s.keys...)
		for name, key := range s.add {
			tokens[name] = online(i, key)
		}
		if step == 0 {
			var answer struct{ AccessToken struct{ Token string } }
			bodiless(t, i, http.MethodPost, "/access/entra/:exchangeAccessToken?api-version=2025-03-02-preview", "Authorization", "Bearer entra-token-of-the-rotation", &answer)
			tokens["Entra"] = answer.AccessToken.Token
		}
		for name, token := range tokens {
			if got, want := !takes(i, token), slices.Contains(strings.Split(s.refused, ", "), name); got != want {
				t.Errorf("step %d: the token of %s is refused: %t, want %t", step, name, got, want)
			}
		}
		if s.refused != "" && !strings.Contains(i.stderr.String(), "[access key was regenerated]") {
			t.Errorf("step %d: the log does not say why: %s", step, i.stderr)
		}
		if code := i.stop(); code != exitOK {
			t.Errorf("step %d: exit code %d", step, code)
		}
	}
}

// bodiless sends a request without a body.
func bodiless(t *testing.T, i *instance, method, path, header, value string, answer any) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, i.labels["Endpoint"]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(header, value)
	response, err := i.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK && answer != nil {
		if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
			t.Error(err)
		}
	}
	return response.StatusCode
}
