package server_test

import (
	"net/http"
	"testing"

	"github.com/chatd/chatd/chatdtest"
)

// What is no route of operators goes to the APIs as it came, over HTTP/2 too.
func TestAPIBehindOperations(t *testing.T) {
	t.Parallel()
	s := chatdtest.Start(t)
	alice := s.NewUser(t)
	for path, want := range map[string]int{
		"//chat/threads?api-version=2024-03-07": http.StatusOK, // no redirect
		"/nothing":                              http.StatusNotFound,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Endpoint+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+alice.Token)
		response, err := s.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("GET %s: %s, want %d", path, response.Status, want)
		}
	}
	response, err := s.Client().Head(s.Endpoint + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
		t.Errorf("HEAD /readyz: %s %s, want HTTP/2 and 200", response.Proto, response.Status)
	}
}
