//go:build unix

// Package cluster runs chatd processes over one private Postgres for tests, and breaks them.
package cluster

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/store/pgtest"
)

// What the nodes are set to.
const (
	AccessKey  = "YSBrZXkgb2YgdGhlIGNsdXN0ZXIgdGVzdHMgYWxvbmU="
	EntraToken = "an-entra-token-of-the-cluster-tests"
	Resource   = "5ba6b3a4-5b3c-4d62-9f2e-2f4a1c9d7e10"
)

// Patience is for what takes a second on an idle machine.
const Patience = 60 * time.Second

// Cluster is some nodes on one database.
type Cluster struct {
	Postgres *pgtest.Server
	Wire     *Wire // by which the nodes listen to what the others write
	Nodes    []*Node
}

// Build compiles chatd, once for the test.
func Build(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "chatd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/chatd/chatd/cmd/chatd").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// Start starts as many nodes of the program, on the loopback only; all ends with the test. It is skipped or fails without
// Postgres as pgtest says.
func Start(t testing.TB, program string, nodes int) *Cluster {
	t.Helper()
	c := &Cluster{Postgres: pgtest.Start(t)}
	c.Wire = openWire(t, c.Postgres.Socket())
	for i := range nodes {
		n := &Node{t: t, name: fmt.Sprintf("node %d", i), program: program, args: []string{
			"serve", "--store", c.Postgres.URL("postgres"), "--store-listen", c.Wire.URL("postgres"),
			"--listen", "off", "--http-listen", "127.0.0.1:0", "--trusted-proxies", "127.0.0.1",
			"--resource-id", Resource, "--log-format", "text", "--config-dir", t.TempDir(),
		}}
		c.Nodes = append(c.Nodes, n)
		t.Cleanup(n.end)
	}
	for _, n := range c.Nodes { // all at once, as they may
		n.start()
	}
	for _, n := range c.Nodes {
		n.WaitReady()
	}
	return c
}

// Balance is an https server that gives each request to the next node, without knowing anybody again.
func (c *Cluster) Balance(t testing.TB) *httptest.Server {
	t.Helper()
	var turn atomic.Uint64
	s := httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			node := c.Nodes[turn.Add(1)%uint64(len(c.Nodes))]
			r.SetURL(&url.URL{Scheme: "http", Host: node.Address()})
			r.SetXForwarded()
			r.Out.Host = r.In.Host // which is signed
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(s.Close)
	return s
}

// ConnectionString is that of the resource at an endpoint.
func ConnectionString(endpoint string) string {
	return "endpoint=" + strings.TrimSuffix(endpoint, "/") + "/;accesskey=" + AccessKey
}

// Dial connects to a node, the given one where it can: as behind a proxy that knows who is up.
func (c *Cluster) Dial(first int, dial func(address string) (net.Conn, error)) (net.Conn, error) {
	conn, err := dial(c.Nodes[first].Address())
	for i := 1; err != nil && i < len(c.Nodes); i++ {
		conn, err = dial(c.Nodes[(first+i)%len(c.Nodes)].Address())
	}
	return conn, err
}
