//go:build unix

package browser_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/chatd/chatd/test/cluster"
)

// testTwoNodes runs what another node can make a difference to, with two on one Postgres behind a proxy that takes them in turn: a
// page's websocket, the steps that lead to it, and what the page sends, each reach either.
func testTwoNodes(t *testing.T, program string, env []string) {
	endpoint, ca := cluster.Start(t, program, 2).Balance(t)
	env = append(env, "CHATD_CONNECTION_STRING="+cluster.ConnectionString(endpoint), "CHATD_CA="+ca, "NODE_EXTRA_CA_CERTS="+ca)
	env = append(env, "CHATD_NODES="+openSwitch(t, program))
	runTests(t, env, "events.test.mjs", "network.test.mjs", "restart.test.mjs", "tabs.test.mjs", "tokens.test.mjs")
}

// openSwitch starts two nodes more, and a server at which the one that is up is killed by any request. It has the other one started
// before, if that was killed: so all clients are at one node, and lose it. The answer is the connection string of the two, whose
// certificate is that of all servers of httptest.
func openSwitch(t *testing.T, program string) string {
	c := cluster.Start(t, program, 2)
	endpoint, _ := c.Balance(t)
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
		_, _ = io.WriteString(w, cluster.ConnectionString(endpoint))
	}))
	t.Cleanup(s.Close)
	return s.URL
}
