//go:build unix

package cluster_test

import "sync"

// fate is what a client knows of something that it asked for.
type fate int

const (
	refused fate = iota // it did not happen
	open                // it may have
	done                // it did
)

// ledger keeps the fate of each deed. Deeds have names by which they are found again in what listeners heard.
type ledger struct {
	mu    sync.Mutex
	fates map[string]fate
	ids   map[string]string // that acknowledged messages got, by the name of the deed
}

// note writes down the answer to a deed, which may have been asked for before.
func (w *world) note(deed string, status int) fate {
	f := refused
	switch {
	case status == 0 || status >= 500:
		f = open
	case status < 300:
		f = done
	}
	l := &w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fates == nil {
		l.fates, l.ids = map[string]fate{}, map[string]string{}
	}
	l.fates[deed] = max(l.fates[deed], f)
	return f
}

func (l *ledger) place(deed, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids[deed] = id
}
