package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chatd/chatd/internal/store/pgtest"
)

// TestMain lets the test binary be chatd itself, as a process that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("CHATD_TEST_IS_CHATD") != "" {
		main()
	}
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// process is chatd serve as a process of its own.
type process struct {
	*instance
	cmd *exec.Cmd
	url string
}

// spawn starts the process and waits until it is ready.
func spawn(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{instance: &instance{t: t, stderr: newOutput(), stdout: newOutput(), client: &http.Client{Timeout: testTimeout}}}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), "CHATD_TEST_IS_CHATD=1")
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.waitFor(p.stderr, "msg=ready")
	p.url = regexp.MustCompile(`http=(\S+)`).FindStringSubmatch(p.stderr.String())[1]
	return p
}

// kill ends the process without giving it time for anything.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Error(err)
	}
	_ = p.cmd.Wait() // says that it was killed
}

// post sends JSON as the bearer of the token and reports whether it was acknowledged.
func (p *process) post(path, token string, in, out any) bool {
	body, _ := json.Marshal(in)
	request, err := http.NewRequest(http.MethodPost, p.url+path+"?api-version=2024-03-07", bytes.NewReader(body))
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusCreated && json.NewDecoder(response.Body).Decode(out) == nil
}

// contents counts the messages of a thread by their content.
func (p *process) contents(thread, token string) map[string]int {
	p.t.Helper()
	found := map[string]int{}
	var page struct {
		NextLink string
		Value    []struct{ Content struct{ Message string } }
	}
	for next := p.url + thread + "/messages?maxPageSize=200&api-version=2024-03-07"; next != ""; next = page.NextLink {
		status, body := p.get(next, token)
		page.NextLink, page.Value = "", nil
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			p.t.Fatalf("GET %s: %d %s %v", next, status, body, err)
		}
		for _, m := range page.Value {
			found[m.Content.Message]++
		}
	}
	return found
}

// load has several senders write until enough was acknowledged, kills the server under them and returns what it
// had acknowledged by then.
func (p *process) load(thread, token, round string, enough int) []string {
	var mu sync.Mutex
	var acknowledged []string
	var senders sync.WaitGroup
	var killed sync.Once
	for sender := range 8 {
		senders.Go(func() {
			for n := 0; ; n++ {
				content := fmt.Sprintf("%s, sender %d, message %d", round, sender, n)
				if !p.post(thread+"/messages", token, map[string]string{"content": content}, &struct{}{}) {
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, content)
				reached := len(acknowledged) >= enough
				mu.Unlock()
				if reached {
					killed.Do(p.kill)
				}
			}
		})
	}
	senders.Wait()
	killed.Do(p.kill)
	return acknowledged
}

// A second server on the same file refuses to start and does not disturb the first one, chatd token works beside it, and a killed
// server does not block the next.
func TestOneServerToAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shared := []string{"--config-dir", dir, "--store", "sqlite:" + filepath.Join(dir, "chatd.db"), "--resource-id", resource}
	args := append([]string{"serve", "--listen", "localhost:0", "--http-listen", "127.0.0.1:0", "--access-key", ownKey}, shared...)
	for range 2 {
		p := spawn(t, args...)
		code, _, stderr := once(t, noEnv, args...)
		if code == exitOK || !strings.Contains(stderr, "another chatd server has it open") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("a second server: exit code %d, stderr %q", code, stderr)
		}
		_, token := mint(t, shared...)
		if !p.post("/chat/threads", token, map[string]string{"topic": "one"}, &struct{}{}) {
			t.Error("the first server does not serve any more")
		}
		p.kill()
	}
}

// What chatd serve has acknowledged survives its sudden end, and is there once.
func TestAcknowledgedMessagesSurviveKill(t *testing.T) {
	t.Parallel()
	rounds, enough := 20, 40
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	shared := []string{"--config-dir", dir, "--store", "sqlite:" + filepath.Join(dir, "chatd.db"), "--resource-id", resource}
	args := append([]string{"serve", "--listen", "localhost:0", "--http-listen", "127.0.0.1:0", "--access-key", ownKey, "--log-level", "info"}, shared...)
	installed(t, shared...)
	_, token := mint(t, shared...)

	thread := ""
	var acknowledged []string
	for round := range rounds {
		p := spawn(t, args...)
		if thread == "" {
			var created struct{ ChatThread struct{ ID string } }
			if !p.post("/chat/threads", token, map[string]string{"topic": "crash"}, &created) {
				t.Fatal("no thread was created")
			}
			thread = "/chat/threads/" + strings.ReplaceAll(created.ChatThread.ID, ":", "%3A")
		}
		got := p.load(thread, token, fmt.Sprint("round ", round), enough)
		if len(got) < enough {
			t.Fatalf("round %d: only %d messages were acknowledged; stderr: %s", round, len(got), p.stderr)
		}
		acknowledged = append(acknowledged, got...)
	}
	p := spawn(t, args...)
	defer p.kill()
	found := p.contents(thread, token)
	for _, content := range acknowledged {
		if found[content] != 1 {
			t.Errorf("%q is there %d times", content, found[content])
		}
	}
	t.Logf("%d messages acknowledged in %d rounds", len(acknowledged), rounds)
}
