package trouter

import (
	"context"
	"slices"
	"sync"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

// withoutBob is a roster version of the first thread.
const withoutBob = 7

// journal is one in memory. alice and bob hear all of the first thread, but for events of the roster without bob; alice and
// carol all of the other.
type journal struct {
	mu           sync.Mutex
	events       []chat.Event
	oldest       chat.Position // positions before were purged
	endpoints    map[endpointKey]delivery.Endpoint
	saves        int
	eventsErr    error // of reading events
	endpointsErr error // of endpoints
	views        []*view
}

func newJournal() *journal { return &journal{endpoints: map[endpointKey]delivery.Endpoint{}} }

func (j *journal) add(e chat.Event) chat.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(e)
}

// append adds an event; the lock is held.
func (j *journal) append(e chat.Event) chat.Position {
	e.Position = chat.Position(len(j.events)) + 1
	j.events = append(j.events, e)
	for _, v := range j.views {
		select {
		case v.changed <- struct{}{}:
		default:
		}
	}
	return e.Position
}

// empty makes it that of a new store.
func (j *journal) empty() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events, j.oldest, j.endpoints = nil, 0, map[endpointKey]delivery.Endpoint{}
}

func (j *journal) purge(before chat.Position) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.oldest = before
}

// failEvents has events not be read, lose endpoints neither be read nor written.
func (j *journal) failEvents(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.eventsErr = err
}

func (j *journal) failEndpoints(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.endpointsErr = err
}

func (j *journal) Head(context.Context) (chat.Position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return chat.Position(len(j.events)), j.eventsErr
}

func (j *journal) Oldest(context.Context) (chat.Position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.oldest, j.eventsErr
}

func (j *journal) After(_ context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := min(max(position, j.oldest-1, 0), chat.Position(len(j.events)))
	return slices.Clone(j.events[from:min(from+chat.Position(limit), chat.Position(len(j.events)))]), j.eventsErr
}

func (j *journal) Audience(_ context.Context, key chat.ThreadKey, roster chat.RosterVersion) ([]chat.Participant, error) {
	switch {
	case key == 2:
		return []chat.Participant{{Identity: alice}, {Identity: carol}}, nil
	case roster == withoutBob:
		return []chat.Participant{{Identity: alice}}, nil
	}
	return []chat.Participant{{Identity: alice}, {Identity: bob}}, nil
}
