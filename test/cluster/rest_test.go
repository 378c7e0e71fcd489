//go:build unix

package cluster_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/chatd/chatd/test/cluster"
)

type message struct {
	ID         string
	SequenceID string
	Type       string
	Version    string
	DeletedOn  string
	Content    struct{ Message string }
}

// messages is a page of messages, newest first.
type messages struct{ Value []message }

// checkOrder finds gaps, and messages in another order than their ids.
func (m *messages) checkOrder(t *testing.T, thread string) {
	t.Helper()
	for i := 1; i < len(m.Value); i++ {
		newer, older := m.Value[i-1], m.Value[i]
		if number(newer.SequenceID) != number(older.SequenceID)+1 || number(newer.ID) <= number(older.ID) {
			t.Errorf("%s: %s with sequence id %s follows on %s with %s", thread, newer.ID, newer.SequenceID, older.ID, older.SequenceID)
		}
	}
}

type participant struct {
	CommunicationIdentifier struct{ RawID string }
	DisplayName             string
}

type receipt struct {
	SenderCommunicationIdentifier struct{ RawID string }
	ChatMessageID                 string
}

// everything reads a list to its end.
func everything[T any](w *world, node *cluster.Node, by *user, path string) []T {
	w.t.Helper()
	var all []T
	for path += "&maxPageSize=100"; path != ""; {
		var page struct {
			Value    []T
			NextLink string
		}
		if status := w.ask(node, by, "GET", path, nil, &page); status != http.StatusOK {
			w.t.Fatalf("GET %s: %s answers %d", path, node, status)
		}
		all = append(all, page.Value...)
		path = ""
		if next, err := url.Parse(page.NextLink); err == nil && page.NextLink != "" {
			path = next.RequestURI()
		}
	}
	return all
}
