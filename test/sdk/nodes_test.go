//go:build unix

package sdk_test

import (
	"testing"

	"github.com/chatd/chatd/test/cluster"
)

// An SDK does not notice that each of its requests may be answered by another node.

func TestJavaScriptOnTwoNodes(t *testing.T) { testJavaScript(t, startNodes) }

func TestPythonOnTwoNodes(t *testing.T) { testPython(t, startNodes) }

func TestJavaOnTwoNodes(t *testing.T) { testJava(t, startNodes) }

// startNodes starts two nodes on one database, behind a proxy that takes them in turn.
func startNodes(t *testing.T) *server {
	t.Helper()
	program, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	endpoint, ca := cluster.Start(t, program, 2).Balance(t)
	return &server{connectionString: cluster.ConnectionString(endpoint), ca: ca}
}
