package httpapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

// secrets are what no answer and no line of the log may hold.
type secrets struct {
	mu   sync.Mutex
	kept map[string]bool
}

func (s *secrets) keep(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string]bool{}
	}
	for _, w := range words {
		if len(w) >= 16 { // what is shorter is no secret and occurs by chance
			s.kept[w] = true
		}
	}
}

// sent keeps what an Authorization header holds: a token, or a signature.
func (s *secrets) sent(authorization string) {
	if _, signature, ok := strings.Cut(authorization, "Signature="); ok {
		s.keep(signature)
		return
	}
	_, token, _ := strings.Cut(authorization, " ")
	s.keep(strings.TrimSpace(token))
}

// absent fails the test when the text holds a secret.
func (s *secrets) absent(tb testing.TB, where, text string) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.kept {
		if strings.Contains(text, w) {
			tb.Errorf("%s holds a secret: %.20s…", where, w)
		}
	}
}

// logbook is the log of a server.
type logbook struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next line
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.text.Write(p)
}

func (l *logbook) String() string {
	text, _ := l.look()
	return text
}

// look returns the log, and what is closed when more is in it.
func (l *logbook) look() (string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.text.String(), l.changed
}

// find waits for the first line of the log that holds a word, since the line of a request is written after its answer.
func (l *logbook) find(tb testing.TB, word string) map[string]any {
	tb.Helper()
	limit := time.After(20 * time.Second)
	for {
		text, changed := l.look()
		for line := range strings.Lines(text) {
			if strings.Contains(line, word) {
				return parsed(tb, line)
			}
		}
		select {
		case <-changed:
		case <-limit:
			tb.Fatalf("the log has no line with %s", word)
		}
	}
}

func parsed(tb testing.TB, line string) map[string]any {
	tb.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(line), &out); err != nil {
		tb.Fatalf("line of the log is no JSON: %v: %s", err, line)
	}
	return out
}

// of returns the line of the request that was answered.
func (l *logbook) of(tb testing.TB, a *answer) map[string]any {
	tb.Helper()
	return l.find(tb, `"msg":"request","request_id":"`+a.header.Get("MS-CV")+`"`)
}
