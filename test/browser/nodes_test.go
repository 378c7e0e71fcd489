//go:build unix

package browser_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/chatd/chatd/test/cluster"
)

// testTwoNodes runs what another node can make a difference to, with two on one Postgres behind a proxy that takes them in turn: a
// page's websocket, the steps that lead to it, and what the page sends, each reach either.
func testTwoNodes(t *testing.T, program string, env []string) {
	env = slices.Concat(env, cluster.Start(t, program, 2).Balance(t).Env("CHATD_CA", "NODE_EXTRA_CA_CERTS"))
	env = append(env, "CHATD_NODES="+openSwitch(t, program))
	runTests(t, env, "events.test.mjs", "network.test.mjs", "restart.test.mjs", "tabs.test.mjs", "tokens.test.mjs")
}

// openSwitch starts two nodes more, and a server at which the one that is up is killed by any request. It has the other one started
// before, if that was killed: so all clients are at one node, and lose it. The answer is the connection string of the two, whose
// certificate is that of all servers of httptest.
func openSwitch(t *testing.T, program string) string {
	c := cluster.Start(t, program, 2)
	endpoint := c.Balance(t)
	var mu sync.Mutex
	up, down := c.Nodes[0], c.Nodes[1]
	killed := false // the one that is down
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if killed {
			down.Run()
			down.WaitReady()
		}
		up.Kill()
		up, down, killed = down, up, true
		_, _ = io.WriteString(w, endpoint.ConnectionString)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
