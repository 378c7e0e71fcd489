//go:build unix

package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chatd/chatd/test/cluster"
)

// How long a client waits: more than a request may take whatever happens to the store, but not for one that is in trouble.
const (
	answerTime  = 25 * time.Second
	troubleTime = 2 * time.Second
)

// user is a user with a token for it.
type user struct{ id, token string }

func (p *user) participant(name string) map[string]any {
	return map[string]any{"communicationIdentifier": p.identifier(), "displayName": name}
}

func (p *user) identifier() map[string]any {
	return map[string]any{"rawId": p.id, "communicationUser": map[string]any{"id": p.id}}
}

// tally counts answers.
type tally struct{ operations, acknowledged, unavailable, unanswered atomic.Int64 }

// ask sends a request to a node, over REST. Status 0 is no answer, which is allowed only while the
// node is killed or frozen; a node that cannot do what was requested must answer 503 with Retry-After.
func (w *world) ask(node *cluster.Node, by *user, method, path string, in, out any, header ...string) (status int) {
	before := node.Trouble()
	w.tally.operations.Add(1)
	status, answer, err := w.exchange(node, by, method, path, in, out, header)
	switch {
	case err != nil:
		w.tally.unanswered.Add(1)
		if after := node.Trouble(); before == after && after%2 == 0 {
			w.t.Errorf("%s %s: %s, which was not disturbed, gives no answer: %v", method, path, node, err)
		}
		return 0
	case status == http.StatusServiceUnavailable:
		w.tally.unavailable.Add(1)
		if answer.Get("Retry-After") == "" {
			w.t.Errorf("%s %s: 503 without Retry-After", method, path)
		}
	case status >= 500:
		w.t.Errorf("%s %s: %s answers %d", method, path, node, status)
	case status < 300:
		w.tally.acknowledged.Add(1)
	}
	return status
}

func (w *world) exchange(node *cluster.Node, by *user, method, path string, in, out any, header []string) (int, http.Header, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, nil, err
	}
	limit := answerTime
	if node.Trouble()%2 == 1 {
		limit = troubleTime
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, node.URL()+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+by.token)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := w.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err == nil && out != nil && response.StatusCode < 300 {
		err = json.Unmarshal(raw, out)
	}
	return response.StatusCode, response.Header, err
}

// newUser makes a user, by any node that can.
func (w *world) newUser() *user {
	var answer struct {
		Identity    struct{ ID string }
		AccessToken struct{ Token string }
	}
	in := map[string]any{"createTokenWithScopes": []string{"chat"}}
	for i := 0; ; i++ {
		node := w.cluster.Nodes[i%len(w.cluster.Nodes)]
		if w.ask(node, &user{token: cluster.EntraToken}, "POST", "/identities?api-version=2023-10-01", in, &answer) == http.StatusCreated {
			return &user{answer.Identity.ID, answer.AccessToken.Token}
		}
		if !w.pause() {
			return &user{}
		}
	}
}

// path is that of a resource below a thread.
func path(thread, rest string) string {
	return "/chat/threads/" + strings.ReplaceAll(thread, ":", "%3A") + rest + "?api-version=2024-03-07"
}
