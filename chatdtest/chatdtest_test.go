package chatdtest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/chatd/chatd/chatdtest"
	"github.com/chatd/chatd/client"
	"github.com/chatd/chatd/internal/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const version = "?api-version=2025-03-15"

// send makes a request with a token and returns the status and the body.
func send(t *testing.T, s *chatdtest.Server, method, path, token, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.Endpoint+path+version, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return do(t, s, r)
}

func do(t *testing.T, s *chatdtest.Server, r *http.Request) (int, string) {
	t.Helper()
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// newThread makes a thread and returns its path.
func newThread(t *testing.T, s *chatdtest.Server, token string) string {
	t.Helper()
	status, body := send(t, s, "POST", "/chat/threads", token, `{"topic":"x","retentionPolicy":{"kind":"threadCreationDate","deleteThreadAfterDays":30}}`)
	var created struct{ ChatThread struct{ ID string } }
	if err := json.Unmarshal([]byte(body), &created); err != nil || status != http.StatusCreated {
		t.Fatalf("create a thread: %d %s", status, body)
	}
	return "/chat/threads/" + strings.ReplaceAll(created.ChatThread.ID, ":", "%3A")
}

// The connection string is good for the Identity API, and a user of one server is none of another.
func TestServersAreTheirOwn(t *testing.T) {
	t.Parallel()
	s, other := chatdtest.Start(t), chatdtest.Start(t)
	alice := s.NewUser(t)
	if status, body := send(t, s, "GET", "/chat/threads", alice.Token, ""); status != http.StatusOK {
		t.Errorf("with a token of the server: %d %s", status, body)
	}
	if status, _ := send(t, other, "GET", "/chat/threads", alice.Token, ""); status != http.StatusUnauthorized {
		t.Errorf("with a token of another server: %d", status)
	}
	c, err := auth.ParseConnectionString(s.ConnectionString)
	if err != nil || c.Endpoint != s.Endpoint {
		t.Fatalf("%s: %v", s.ConnectionString, err)
	}
	for from, want := range map[*chatdtest.Server]int{s: http.StatusCreated, other: http.StatusUnauthorized} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", from.Endpoint+"/identities?api-version=2023-10-01", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if err := auth.Sign(r, []byte("{}"), c.AccessKey, time.Now()); err != nil {
			t.Fatal(err)
		}
		if status, body := do(t, from, r); status != want {
			t.Errorf("a signed request: %d %s, want %d", status, body, want)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	s := chatdtest.Start(t)
	if status, _ := send(t, s, "GET", "/chat/threads", s.NewUser(t, "voip").Token, ""); status != http.StatusForbidden {
		t.Errorf("with a token for calls: %d", status)
	}
}

// Tokens expire, and retention ends threads, when the clock says so.
func TestClock(t *testing.T) {
	t.Parallel()
	s := chatdtest.Start(t)
	s.Clock.Freeze()
	alice := s.NewUser(t)
	if left := alice.ExpiresOn.Sub(s.Clock.Now()); left <= 24*time.Hour-time.Second || left > 24*time.Hour {
		t.Errorf("the token lives %s", left)
	}
	thread := newThread(t, s, alice.Token)
	s.Clock.Advance(25 * time.Hour)
	if status, _ := send(t, s, "GET", thread, alice.Token, ""); status != http.StatusUnauthorized {
		t.Errorf("after a day: %d", status)
	}
	status := http.StatusOK
	for range 29 {
		s.Clock.Advance(24 * time.Hour)
	}
	for status == http.StatusOK { // until the sweep, which runs concurrently
		s.Clock.Advance(time.Hour)
		status, _ = send(t, s, "GET", thread, s.NewToken(t, alice.ID).Token, "")
	}
	if status != http.StatusNotFound {
		t.Errorf("after 30 days: %d", status)
	}
	s.Clock.Set(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
	s.Clock.Resume()
	_, body := send(t, s, "GET", newThread(t, s, s.NewToken(t, alice.ID).Token), s.NewToken(t, alice.ID).Token, "")
	if !strings.Contains(body, `"createdOn":"2030-01-02T`) {
		t.Errorf("a new thread is %s", body)
	}
}

// Servers of one store are one installation.
func TestStore(t *testing.T) {
	t.Parallel()
	at := chatdtest.Store("sqlite:" + filepath.Join(t.TempDir(), "chatd.db"))
	first := chatdtest.Start(t, at)
	alice := first.NewUser(t)
	thread := newThread(t, first, alice.Token)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := chatdtest.Start(t, at)
	if status, body := send(t, second, "GET", thread, alice.Token, ""); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

// A client that listens hears messages, and that the server stops.
func TestCloseSaysGoodbye(t *testing.T) {
	t.Parallel()
	s := chatdtest.Start(t)
	alice := s.NewUser(t)
	thread := newThread(t, s, alice.Token)
	c, err := client.Dial(t.Context(), s.Endpoint, alice.Token, client.Options{HTTPClient: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := send(t, s, "POST", thread+"/messages", alice.Token, `{"content":"hello"}`); status != http.StatusCreated {
		t.Fatalf("send: %d %s", status, body)
	}
	for heard := ""; heard != "hello"; {
		e, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Message != nil {
			heard = e.Message.Content.Message
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	if _, err := c.Next(t.Context()); err == nil {
		t.Error("no goodbye")
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s, err := chatdtest.New(chatdtest.Log(&log))
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, "GET", "/chat/threads", "no token", "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "status=401") {
		t.Errorf("the log is %s", log.String())
	}
}

func TestNewFails(t *testing.T) {
	t.Parallel()
	if s, err := chatdtest.New(chatdtest.Store("sqlite:" + t.TempDir())); err == nil {
		t.Errorf("a folder as a store: %v", s.Close())
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := chatdtest.New()
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
