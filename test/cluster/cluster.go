//go:build unix

// Package cluster runs chatd processes over one private Postgres for tests, and breaks them.
package cluster

import (
	"context"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/store/pgtest"
	"github.com/chatd/chatd/test/process"
)

// What the nodes are set to.
const (
	AccessKey  = "YSBrZXkgb2YgdGhlIGNsdXN0ZXIgdGVzdHMgYWxvbmU="
	EntraToken = "an-entra-token-of-the-cluster-tests"
	Resource   = "5ba6b3a4-5b3c-4d62-9f2e-2f4a1c9d7e10"
)

// WaitTimeout is the longest wait for what takes a second on an idle machine.
const WaitTimeout = 60 * time.Second

// Cluster is some nodes on one database.
type Cluster struct {
	Postgres *pgtest.Server
	Store    *Proxy // through which the nodes read and write
	Listen   *Proxy // through which they are notified of what the others write
	Nodes    []*Node
}

// Start starts as many nodes of the program, on the loopback only; all ends with the test. It is skipped or fails without
// Postgres as pgtest says.
func Start(t testing.TB, program string, nodes int) *Cluster {
	t.Helper()
	c := &Cluster{Postgres: pgtest.Start(t)}
	c.Store, c.Listen = openProxy(t, c.Postgres.Socket()), openProxy(t, c.Postgres.Socket())
	for i := range nodes {
		n := &Node{t: t, name: fmt.Sprintf("node %d", i), program: program, args: []string{
			"serve", "--store", c.Store.URL("postgres"), "--store-listen", c.Listen.URL("postgres"),
			"--listen", "off", "--http-listen", "127.0.0.1:0", "--trusted-proxies", "127.0.0.1",
			"--resource-id", Resource, "--log-format", "text", "--config-dir", t.TempDir(),
		}}
		c.Nodes = append(c.Nodes, n)
		t.Cleanup(n.end)
	}
	for _, n := range c.Nodes { // at the same time, as is allowed
		n.start()
	}
	for _, n := range c.Nodes {
		n.WaitReady()
	}
	return c
}

// Balance starts an https server that gives each request to the next node, or another one where that is down, without
// affinity: except for the long polls of a client, as docs/hosting.md requires.
func (c *Cluster) Balance(t testing.TB) process.Endpoint {
	t.Helper()
	var turn atomic.Uint64
	var dialer net.Dialer
	s := httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			node := turn.Add(1)
			if strings.HasPrefix(r.In.URL.Path, "/socket.io/1/xhr-polling/") {
				node = uint64(crc32.ChecksumIEEE([]byte(r.In.URL.Query().Get("cor_id"))))
			}
			r.SetURL(&url.URL{Scheme: "http", Host: strconv.FormatUint(node%uint64(len(c.Nodes)), 10)})
			r.SetXForwarded()
			r.Out.Host = r.In.Host // which is signed
		},
		Transport: &http.Transport{
			DisableKeepAlives: true, // a connection made while a node was down would be taken for one to it
			DialContext: func(ctx context.Context, network, node string) (net.Conn, error) {
				host, _, _ := net.SplitHostPort(node)
				first, err := strconv.Atoi(host)
				if err != nil {
					return nil, err
				}
				return c.Dial(first, func(address string) (net.Conn, error) { return dialer.DialContext(ctx, network, address) })
			},
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	return process.Endpoint{ConnectionString: "endpoint=" + s.URL + "/;accesskey=" + AccessKey, CA: ca}
}

// Dial connects to a node, the given one if it is up, else another: as behind a proxy that checks health.
func (c *Cluster) Dial(first int, dial func(address string) (net.Conn, error)) (net.Conn, error) {
	conn, err := dial(c.Nodes[first].Address())
	for i := 1; err != nil && i < len(c.Nodes); i++ {
		conn, err = dial(c.Nodes[(first+i)%len(c.Nodes)].Address())
	}
	return conn, err
}
