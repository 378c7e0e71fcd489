package store

import (
	"slices"
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

const (
	maxPage      = 200      // messages of a thread
	maxPageBytes = 32 << 20 // of all pages, roughly
)

// pages caches the newest messages of threads that are read. A page names the state of the thread that it was read in: its
// newest message and its newest edit. A query names the state that its caller has just read from the database, and gets a page
// of that state only. So pages need no invalidation, and are never behind what any node has written.
type pages struct {
	mu    sync.Mutex
	kept  map[chat.ThreadKey]*page
	bytes int
}

// page holds the newest messages of a thread. It is immutable, since queries return parts of it.
type page struct {
	newest   chat.MessageID // newest message of the thread when it was read
	edited   int64          // newest edit, likewise
	from     chat.MessageID // the page has all messages from this one on
	messages []chat.Message // newest first
	bytes    int
}

// find returns the answer to a query from its page. If the page is that of an older state with the same edits, it returns the page,
// to which only messages that came later have to be added.
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
	default: // another request has read the thread later
		return nil, false, nil
	}
}

// answer returns the answer to a query, and whether the page has all of it.
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

// with returns a page with the messages that came later, up to newest. It refuses when they do not follow on its own: a database
// that was restored from a backup may have lost some.
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

// put caches a page, unless it is too large or there is a newer one. Other pages make room for it.
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
	for other := range p.kept { // any one
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

// sizeOf estimates how many bytes a message takes in memory.
func sizeOf(m *chat.Message) int {
	const bare = 500 // mostly of its fields
	size := bare + len(m.Content.Text) + bare*(len(m.Content.Attachments)+len(m.Content.Participants))
	for k, v := range m.Metadata {
		size += len(k) + len(v) + 50
	}
	return size
}
