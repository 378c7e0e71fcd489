package notify

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

var errBroken = errors.New("broken")

// memoryJournal is a journal in memory that fails when it is told to.
type memoryJournal struct {
	mu          sync.Mutex
	events      []chat.Event
	rosters     map[rosterKey][]chat.Participant
	rosterReads int // at rosters
	failEvents  int // so many reads of events fail
	failRosters int // so many reads of rosters fail
	changed     chan struct{}
	oldest      chat.Position // positions before were purged
	onRoster    func()        // called while a roster is read
}

func newMemoryJournal() *memoryJournal {
	return &memoryJournal{rosters: map[rosterKey][]chat.Participant{}, changed: make(chan struct{}, 1)}
}

// write appends an event of thread 1 for those present at a roster version, without a word to anybody.
func (p *memoryJournal) write(roster chat.RosterVersion, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, chat.Event{Position: chat.Position(len(p.events)) + 1, Kind: chat.TypingReceived, Key: 1, Roster: roster, ActorName: text})
}

func (p *memoryJournal) Head(context.Context) (chat.Position, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return chat.Position(len(p.events)), nil
}

func (p *memoryJournal) Oldest(context.Context) (chat.Position, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(1, p.oldest), nil
}

func (p *memoryJournal) After(_ context.Context, position chat.Position, limit int) ([]chat.Event, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failEvents > 0 {
		p.failEvents--
		return nil, errBroken
	}
	rest := p.events[max(position, min(p.oldest, chat.Position(len(p.events)))-1, 0):]
	return slices.Clone(rest[:min(len(rest), limit)]), nil
}

func (p *memoryJournal) Audience(_ context.Context, thread chat.ThreadKey, roster chat.RosterVersion) ([]chat.Participant, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failRosters > 0 {
		p.failRosters--
		return nil, errBroken
	}
	p.rosterReads++
	if p.onRoster != nil {
		p.onRoster()
	}
	return p.rosters[rosterKey{thread, roster}], nil
}

func (p *memoryJournal) Watch() (<-chan struct{}, func()) { return p.changed, func() {} }
