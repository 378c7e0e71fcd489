package store

import (
	"slices"
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

const (
	maxPage      = 200      // messages remembered of a thread
	maxPageBytes = 32 << 20 // of all, roughly
)

// pages remembers the newest messages of threads that are read. What is remembered names the state of the thread it was read
// in, its newest message and its newest edit, which whoever asks has just read with the thread: so nothing has to keep it up to
// date, and it is never behind what was written on any node.
type pages struct {
	mu    sync.Mutex
	kept  map[chat.ThreadKey]*page
	bytes int
}

// page is the newest messages of a thread. It does not change.
type page struct {
	newest   chat.MessageID // of the state that it was read in
	edited   int64
	from     chat.MessageID // all there are from here on
	messages []chat.Message // newest first
	bytes    int
}

// find returns the answer to a query, if it is remembered. If it is not, but older messages of the same state are, it returns
// those, to which only what came later has to be added.
func (p *pages) find(thread chat.ThreadKey, q chat.MessageQuery) (found []chat.Message, ok bool, older *page) {
	p.mu.Lock()
	kept := p.kept[thread]
	p.mu.Unlock()
	switch {
	case kept == nil || q.Newest == 0 || kept.edited != q.Edited:
		return nil, false, nil
	case kept.newest == q.Newest:
		found, ok = kept.answer(q)
		return found, ok, nil
	case kept.newest < q.Newest:
		return nil, false, kept
	default: // another has read the thread later
		return nil, false, nil
	}
}

// answer returns the answer to a query when it lies within the page.
func (p *page) answer(q chat.MessageQuery) ([]chat.Message, bool) {
	last := lastOf(q)
	begin, _ := slices.BinarySearchFunc(p.messages, last, func(m chat.Message, last chat.MessageID) int {
		if m.ID > last {
			return -1
		}
		return 1
	})
	end := begin
	for end < len(p.messages) && end-begin < q.Limit && p.messages[end].ID >= q.From {
		end++
	}
	return p.messages[begin:end:end], end-begin == q.Limit || q.From >= p.from
}

// with returns the page with the messages that came later, up to the newest. It cannot when they do not follow on its own: a
// database that went on from a copy may have lost some.
func (p *page) with(later []chat.Message, newest chat.MessageID) (*page, bool) {
	n := len(later)
	if n < maxPage && n > 0 && len(p.messages) > 0 && later[n-1].Seq != p.messages[0].Seq+1 {
		return nil, false
	}
	out := &page{newest: newest, edited: p.edited, from: p.from, messages: slices.Concat(later, p.messages)}
	if len(out.messages) > maxPage {
		out.messages = out.messages[:maxPage:maxPage]
		out.from = out.messages[maxPage-1].ID
	}
	return out, true
}

// put remembers what a query for the newest found, or what was added to an older page.
func (p *pages) put(thread chat.ThreadKey, fresh *page) {
	for i := range fresh.messages {
		fresh.bytes += sizeOf(&fresh.messages[i])
	}
	if fresh.bytes > maxPageBytes/8 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil {
		p.kept = map[chat.ThreadKey]*page{}
	}
	if old := p.kept[thread]; old != nil {
		if old.newest > fresh.newest {
			return
		}
		p.drop(thread)
	}
	for other := range p.kept { // any
		if p.bytes+fresh.bytes <= maxPageBytes {
			break
		}
		p.drop(other)
	}
	p.kept[thread] = fresh
	p.bytes += fresh.bytes
}

func (p *pages) drop(thread chat.ThreadKey) {
	p.bytes -= p.kept[thread].bytes
	delete(p.kept, thread)
}

func (p *pages) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.kept)
	p.bytes = 0
}

// sizeOf is about what a message takes in memory.
func sizeOf(m *chat.Message) int {
	const bare = 500 // most of which are its fields
	size := bare + len(m.Content.Text) + bare*(len(m.Content.Attachments)+len(m.Content.Participants))
	for k, v := range m.Metadata {
		size += len(k) + len(v) + 50
	}
	return size
}
