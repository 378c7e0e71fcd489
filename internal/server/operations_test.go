package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store"
)

func newOperations(store error) *operations {
	return &operations{registry: NewRegistry(Build{}), store: func(context.Context) error { return store }}
}

func (o *operations) answer(method, path string) *httptest.ResponseRecorder {
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	w := httptest.NewRecorder()
	(&Server{operations: o, realtime: &realtime{}}).handler(api).ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	if w := newOperations(nil).answer("GET", "/readyz"); w.Code != http.StatusOK {
		t.Errorf("ready: %d %s", w.Code, w.Body)
	}
	w := newOperations(errors.New("password geheim refused")).answer("GET", "/readyz")
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != "the store does not answer\n" {
		t.Errorf("store down: %d %s", w.Code, w.Body)
	}
	w = newOperations(&chat.Error{Kind: chat.Unavailable, Cause: fmt.Errorf("%w: /var/lib/chatd.db", store.ErrFull)}).answer("GET", "/readyz")
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != "the disk of the store is full\n" {
		t.Errorf("disk full: %d %s", w.Code, w.Body)
	}
	o := newOperations(nil)
	o.stopping.Store(true)
	if w := o.answer("GET", "/readyz"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "stopping") {
		t.Errorf("stopping: %d %s", w.Code, w.Body)
	}
	if w := o.answer("GET", "/healthz"); w.Code != http.StatusOK {
		t.Errorf("alive while stopping: %d %s", w.Code, w.Body)
	}
}

func TestCAPEM(t *testing.T) {
	t.Parallel()
	o := newOperations(nil)
	if w := o.answer("GET", "/ca.pem"); w.Code != http.StatusNotFound {
		t.Errorf("with a given certificate: %d %s", w.Code, w.Body)
	}
	o.caPEM = []byte("-----BEGIN CERTIFICATE-----")
	if w := o.answer("GET", "/ca.pem"); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/x-pem-file" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestOthersGoToTheAPI(t *testing.T) {
	t.Parallel()
	for _, call := range [][2]string{{"GET", "/chat/threads"}, {"OPTIONS", "//identities"}, {"POST", "/"}, {"PROPFIND", "/chat/threads"}} {
		if w := newOperations(nil).answer(call[0], call[1]); w.Code != http.StatusTeapot {
			t.Errorf("%s %s: %d", call[0], call[1], w.Code)
		}
	}
}

func TestOpsAreToBeReadOnly(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"POST", "OPTIONS", "PROPFIND"} {
		w := newOperations(nil).answer(method, "/healthz")
		if got := w.Header().Get("Allow"); w.Code != http.StatusMethodNotAllowed || got != "GET, HEAD" {
			t.Errorf("%s /healthz: %d, Allow: %s", method, w.Code, got)
		}
	}
	if w := newOperations(nil).answer("HEAD", "/healthz"); w.Code != http.StatusOK {
		t.Errorf("HEAD /healthz: %d", w.Code)
	}
}
