package chatdtest_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"testing"
	"time"

	"github.com/chatd/chatd/chatdtest"
)

// A server for a test: users come with tokens, and the clock can be moved to see what an app does when a token expires.
func ExampleStart() {
	_ = func(t *testing.T) { // func TestApp(t *testing.T)
		server := chatdtest.Start(t)
		alice := server.NewUser(t)

		request, err := http.NewRequestWithContext(t.Context(), "GET", server.Endpoint+"/chat/threads?api-version=2025-03-15", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+alice.Token)
		server.Clock.Advance(25 * time.Hour)

		answer, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("an expired token is answered with %s", answer.Status)
		}
	}
}

// A server without a test, as in TestMain, for all tests of a package.
func ExampleNew() {
	server, err := chatdtest.New()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	answer, err := server.Client().Get(server.Endpoint + "/readyz")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", body)
	// Output: ready
}

func ExampleClock() {
	server, err := chatdtest.New()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	server.Clock.Freeze()
	server.Clock.Set(time.Date(2028, time.September, 30, 12, 0, 0, 0, time.UTC))
	server.Clock.Advance(24 * time.Hour)
	fmt.Println(server.Clock.Now())
	// Output: 2028-10-01 12:00:00 +0000 UTC
}
