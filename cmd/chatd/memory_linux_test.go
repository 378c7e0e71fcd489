package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// peak is the most memory that a process has had, in MiB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(read(t, fmt.Sprintf("/proc/%d/status", pid)))
	if found == nil {
		t.Fatal("the kernel reports no peak")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n >> 10
}

// Clients that ask for much and read nothing have the server keep it for them, which is bounded: what they ask for beyond is
// refused. Without the bound the first case takes 2 GB and the second 1.2 GB.
func TestMemoryOfClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for 20 s until requests are refused: not in -short")
	}
	for name, test := range map[string]struct {
		h2             bool
		readers, users int
		most           int // MiB
	}{
		"pages of 200 long messages on one connection of HTTP/2": {true, 250, 1, 200},
		"an image on 100 connections, by 25 users":               {false, 100, 25, 400},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			shared := []string{"--config-dir", dir, "--store", "sqlite:" + filepath.Join(dir, "chatd.db"), "--resource-id", resource}
			installed(t, shared...)
			user, token := mint(t, shared...)
			p := spawn(t, append([]string{"serve", "--listen", "localhost:0", "--http-listen", "127.0.0.1:0", "--access-key", ownKey}, shared...)...)
			defer p.kill()
			endpoint := regexp.MustCompile(`endpoint=(\S+)`).FindStringSubmatch(p.stderr.String())[1]

			type participant struct {
				ID struct {
					User struct {
						ID string `json:"id"`
					} `json:"communicationUser"`
				} `json:"communicationIdentifier"`
			}
			tokens := []string{token}
			var others []participant
			for len(tokens) < test.users {
				var other participant
				id, otherToken := mint(t, shared...)
				other.ID.User.ID = id
				others, tokens = append(others, other), append(tokens, otherToken)
			}
			var created struct{ ChatThread struct{ ID string } }
			if !p.post("/chat/threads", token, map[string]any{"topic": "much", "participants": others}, &created) {
				t.Fatalf("no thread of %s was created: %s", user, p.stderr)
			}
			path := "/chat/threads/" + strings.ReplaceAll(created.ChatThread.ID, ":", "%3A")
			if test.h2 {
				content := map[string]string{"content": strings.Repeat("x", chat.MaxMessageBytes)}
				for range chat.MessagePage.Max {
					if !p.post(path+"/messages", token, content, &struct{}{}) {
						t.Fatal("no message")
					}
				}
				path += "/messages?maxPageSize=200&api-version=2024-03-07"
			} else {
				path += "/images/" + p.upload(path, token) + "/views/original?api-version=2024-06-05-preview"
			}

			before := peak(t, p.cmd.Process.Pid)
			client := lazyClient(t, filepath.Join(dir, "ca.pem"), test.h2)
			var group sync.WaitGroup
			var mu sync.Mutex
			statuses := map[int]int{}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			for i := range test.readers {
				group.Go(func() {
					r, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+path, nil)
					if err != nil {
						t.Error(err)
						return
					}
					r.Header.Set("Authorization", "Bearer "+tokens[i%len(tokens)])
					answer, err := client.Do(r) // the body is left
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
						return
					}
					t.Cleanup(func() { answer.Body.Close() })
					if statuses[answer.StatusCode]++; answer.StatusCode != http.StatusOK && (answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") != "3") {
						t.Errorf("answer %s %v", answer.Status, answer.Header)
					}
				})
			}
			group.Wait()
			after := peak(t, p.cmd.Process.Pid)
			t.Logf("%d MiB before, at most %d MiB; statuses %v", before, after, statuses)
			if after > test.most {
				t.Errorf("the server took %d MiB, at most %d MiB are good", after, test.most)
			}
			if statuses[http.StatusOK] < 3 {
				t.Errorf("statuses are %v, want some to be served", statuses)
			}
			// Others are served meanwhile.
			if status, body := p.get(p.url+"/chat/threads/"+strings.ReplaceAll(created.ChatThread.ID, ":", "%3A")+"?api-version=2024-03-07", tokens[len(tokens)-1]); status != http.StatusOK {
				t.Errorf("a small answer: %d %s", status, body)
			}
		})
	}
}

// upload puts the largest image into a thread and returns its id.
func (p *process) upload(thread, token string) string {
	p.t.Helper()
	const png = "\x89PNG\r\n\x1a\n"
	picture := png + strings.Repeat("x", chat.MaxImageBytes-len(png))
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+thread+"/images?api-version=2024-06-05-preview", strings.NewReader(picture))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	found := regexp.MustCompile(`"id":"([^"]+)"`).FindSubmatch(body)
	if err != nil || found == nil {
		p.t.Fatalf("%s %s %v", answer.Status, body, err)
	}
	return string(found[1])
}

// lazyClient leaves room for little that is not read.
func lazyClient(t *testing.T, ca string, h2 bool) *http.Client {
	t.Helper()
	client := clientTrusting(t, ca)
	transport := client.Transport.(*http.Transport)
	transport.ForceAttemptHTTP2 = h2
	if !h2 {
		transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	transport.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 16 << 10, MaxReceiveBufferPerConnection: 64 << 10}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
		return conn, err
	}
	client.Timeout = 2 * time.Minute
	return client
}
