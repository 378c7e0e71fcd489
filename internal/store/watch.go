package store

import (
	"slices"
	"sync"
	"sync/atomic"
)

// watchers are the readers of the journal that want to know when there is more. The list is replaced when one comes or goes,
// so that commits, which are many, only load it.
type watchers struct {
	mu   sync.Mutex // held to replace the list
	list atomic.Pointer[[]chan struct{}]
}

// Watch returns a channel that holds a token after commits that wrote events, on this server or, where the engine hears of
// them, on others. Several commits may leave one token, and a token may come without an event: the reader calls After until
// that returns none. Any number of readers may watch, each until it calls stop.
func (db *DB) Watch() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	db.watchers.replace(func(list []chan struct{}) []chan struct{} { return append(list, c) })
	return c, func() {
		db.watchers.replace(func(list []chan struct{}) []chan struct{} {
			return slices.DeleteFunc(list, func(other chan struct{}) bool { return other == c })
		})
	}
}

func (w *watchers) replace(edit func([]chan struct{}) []chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []chan struct{}
	if old := w.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = edit(list)
	w.list.Store(&list)
}

// wake gives each watcher a token, unless it has one already.
func (w *watchers) wake() {
	list := w.list.Load()
	if list == nil {
		return
	}
	for _, c := range *list {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
