//go:build unix

package cluster_test

import "sync"

// outcome is what a client knows of an operation that it requested.
type outcome int

const (
	refused outcome = iota // it did not happen
	open                   // it may have happened
	done                   // it happened
)

// outcomes keeps the outcome of each operation. Operations have names by which they are found in the events of subscribers.
type outcomes struct {
	mu    sync.Mutex
	known map[string]outcome
	ids   map[string]string // that acknowledged messages got, by the name of the operation
}

// note records the answer to an operation, which may be a repetition.
func (w *world) note(operation string, status int) outcome {
	f := refused
	switch {
	case status == 0 || status >= 500:
		f = open
	case status < 300:
		f = done
	}
	l := &w.outcomes
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known, l.ids = map[string]outcome{}, map[string]string{}
	}
	l.known[operation] = max(l.known[operation], f)
	return f
}

func (l *outcomes) setID(operation, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids[operation] = id
}
