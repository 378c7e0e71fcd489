package storetest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/chatd/chatd/internal/chat"
)

var journal = []test{
	{"keeps every kind of event", func(b *bundle) {
		thread := b.create(lunch, alice, bob)
		start := len(b.journal())
		message := chat.Message{
			ID: 4711, Seq: 17, Version: 4712, Type: chat.HTML, Content: chat.Content{Text: "<b>hello</b>", Attachments: attachments},
			Sender: alice, SenderName: "Alice", Metadata: map[string]string{"k": "v"}, High: true, EditedOn: noon + 1,
		}
		tombstone := chat.Message{ID: 4711, Seq: 17, Version: 4713, Type: chat.Text, Sender: alice, SenderName: "Alice", DeletedOn: noon + 2}
		properties := &chat.Properties{
			Topic: "lunch", Metadata: map[string]string{"k": "v"}, Retention: chat.Retention{Kind: chat.RetentionCreationDate, Days: 30},
			TextOnly: true,
		}
		stays := []chat.Participant{
			{Identity: alice, DisplayName: "Alice", ShareFrom: noon, Metadata: map[string]string{"k": "v"}, Roles: []string{"a"}, Joined: 1, Left: 2, Until: 4711},
			{Identity: bob, Joined: 1},
		}
		want := []chat.Event{
			{Kind: chat.MessageReceived, Version: message.Version, Message: &message},
			{Kind: chat.MessageEdited, Version: message.Version, Message: &message},
			{Kind: chat.MessageDeleted, Version: tombstone.Version, Message: &tombstone},
			{Kind: chat.TypingReceived},
			{Kind: chat.ReadReceiptReceived, Receipt: &chat.ReadReceipt{Reader: bob, MessageID: 4711, ReadOn: noon + 3}},
			{Kind: chat.ThreadCreated, Properties: properties, Participants: stays},
			{Kind: chat.ThreadPropertiesUpdated, Properties: &chat.Properties{}},
			{Kind: chat.ThreadDeleted},
			{Kind: chat.ParticipantsAdded, Participants: stays},
			{Kind: chat.ParticipantsRemoved, Participants: stays},
		}
		for i := range want {
			e := &want[i]
			e.ThreadID, e.Key, e.Roster, e.At, e.Actor, e.ActorName = lunch, thread.Key, chat.RosterVersion(i), noon+chat.Time(i), alice, "Alice"
			if e.Version == 0 {
				e.Version = int64(noon) + 100
			}
			b.must(b.db.Note(b.Context(), *e))
		}
		got := b.journal()[start:]
		for i := range got {
			if got[i].Position == 0 {
				b.Errorf("event %d has no position", i)
			}
			got[i].Position = 0
		}
		b.equal("events", want, got)
		b.equal("the thread", thread, b.thread(lunch))
	}},
	{"keeps every character", func(b *bundle) {
		thread := b.create(lunch, alice)
		for _, text := range odd {
			e := chat.Event{
				Kind: chat.ThreadPropertiesUpdated, ThreadID: lunch, Key: thread.Key, Actor: alice, ActorName: text,
				Properties:   &chat.Properties{Topic: text, Metadata: map[string]string{text: text}},
				Participants: []chat.Participant{{Identity: bob, DisplayName: text}},
			}
			b.must(b.db.Note(b.Context(), e))
			events := b.journal()
			got := events[len(events)-1]
			got.Position = 0
			b.equal("event", e, got)
		}
	}},
	{"has the event of a post with the message as it was placed", func(b *bundle) {
		thread := b.create(lunch, alice, bob)
		p := textPost(thread, alice, "hello", noon-100) // before its place
		p.Message.SenderName, p.Message.Metadata = "Alice", map[string]string{"k": "v"}
		m := b.post(p)
		events := b.journal()
		got := events[len(events)-1]
		b.equal("event", chat.Event{
			Position: got.Position, Kind: chat.MessageReceived, ThreadID: lunch, Key: thread.Key, Roster: 1, At: m.CreatedOn(),
			Version: m.Version, Actor: alice, ActorName: "Alice", Message: &m,
		}, got)
	}},
	{"has the events of a change in their order", func(b *bundle) {
		thread := b.create(lunch, alice)
		var want []chat.Event
		b.update(lunch, func(c *chat.Change) {
			want = nil
			for i := range 5 {
				want = append(want, chat.Event{Kind: chat.TypingReceived, ThreadID: lunch, Key: thread.Key, Version: int64(5 - i)})
			}
			c.Events = want
		})
		got := b.journal()[1:]
		for i := range got {
			got[i].Position = 0
		}
		b.equal("events", want, got)
	}},
	{"is read in pages", func(b *bundle) {
		thread := b.create(lunch, alice)
		for i := range 6 {
			b.post(textPost(thread, alice, fmt.Sprint(i), noon+100))
		}
		all := b.journal()
		for size := 1; size <= len(all)+1; size++ {
			var got []chat.Event
			position := chat.Position(0)
			for {
				page, err := b.db.After(b.Context(), position, size)
				b.must(err)
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				position = page[len(page)-1].Position
			}
			b.equal(fmt.Sprintf("pages of %d", size), all, got)
		}
		none, err := b.db.After(b.Context(), 1<<40, 10)
		b.must(err)
		b.equal("events behind the end", 0, len(none))
	}},
	{"has a first and a last position", func(b *bundle) {
		ends := func() (oldest, head chat.Position) {
			b.Helper()
			oldest, err := b.db.Oldest(b.Context())
			b.must(err)
			head, err = b.db.Head(b.Context())
			b.must(err)
			return oldest, head
		}
		if oldest, head := ends(); oldest != 0 || head != 0 {
			b.Errorf("an empty one begins at %d and ends at %d, want 0 and 0", oldest, head)
		}
		thread := b.create(lunch, alice)
		for i := range 4 {
			b.must(b.db.Note(b.Context(), chat.Event{Kind: chat.TypingReceived, ThreadID: lunch, Key: thread.Key, At: noon + chat.Time(i)}))
		}
		for _, before := range []chat.Time{0, noon + 2} {
			b.must(b.db.Purge(b.Context(), before))
			events := b.journal()
			if oldest, head := ends(); oldest != events[0].Position || head != events[len(events)-1].Position {
				b.Errorf("it begins at %d and ends at %d, want %d and %d", oldest, head, events[0].Position, events[len(events)-1].Position)
			}
		}
	}},
	{"names the audience of an event, by roster version", func(b *bundle) {
		thread := b.create(lunch, alice, bob) // 1
		b.join(lunch, carol)                  // 2
		b.remove(lunch, bob)                  // 3
		b.join(lunch, bob)                    // 4
		b.remove(lunch, bob)                  // 5: which leaves his first stay as it was
		b.remove(lunch, alice)                // 6
		other := b.create(threadID(2), carol)
		for roster, want := range map[chat.RosterVersion][]chat.Identity{
			0: {}, 1: {alice, bob}, 2: {alice, bob, carol}, 3: {alice, carol}, 4: {alice, bob, carol}, 5: {alice, carol}, 6: {carol}, 7: {carol},
		} {
			got, err := b.db.Audience(b.Context(), thread.Key, roster)
			b.must(err)
			who := identities(got)
			slices.Sort(who)
			b.equal(fmt.Sprint("at roster version ", roster), want, who)
		}
		got, err := b.db.Audience(b.Context(), other.Key, 1)
		b.must(err)
		b.equal("of another thread", []chat.Participant{stay(carol, 1)}, got)
	}},
	{"wakes every reader that watches, until it stops", func(b *bundle) {
		thread := b.create(lunch, alice)
		var readers []<-chan struct{}
		var stops []func()
		for range 3 {
			changed, stop := b.db.Watch()
			readers, stops = append(readers, changed), append(stops, stop)
		}
		stops[1]()
		stops[1]() // changes nothing
		for _, c := range []struct {
			what  string
			write func()
		}{
			{"a creation", func() { b.create(threadID(2), alice) }},
			{"a post", func() { b.post(textPost(thread, alice, "hello", noon+100)) }},
			{"an update", func() { b.must(b.db.Update(b.Context(), lunch, sayUnderLock("hello"))) }},
			{"a note", func() {
				b.must(b.db.Note(b.Context(), chat.Event{Kind: chat.TypingReceived, ThreadID: lunch, Key: thread.Key}))
			}},
		} {
			for _, changed := range readers {
				select { // of what was written before
				case <-changed:
				default:
				}
			}
			c.write()
			for i, changed := range readers {
				woken := false
				select {
				case <-changed:
					woken = true
				default:
				}
				if woken != (i != 1) {
					b.Errorf("after %s reader %d is woken: %t", c.what, i, woken)
				}
			}
		}
		stops[0]()
		stops[2]()
	}},
	{"has the order of commits, and a tail of it misses nothing", orderOfJournal},
}

// orderOfJournal lets writers post into a few threads, by posts and by updates, while a reader follows the journal.
func orderOfJournal(b *bundle) {
	const writers, rooms, each = 16, 3, 8
	var thread []chat.Thread
	for i := range rooms {
		thread = append(thread, b.create(threadID(i), alice, bob))
	}
	const total = rooms + writers*each
	var tail []chat.Event
	var following sync.WaitGroup
	following.Go(func() {
		position := chat.Position(0)
		for len(tail) < total && !b.Failed() {
			page, err := b.db.After(b.Context(), position, 7)
			if err != nil {
				b.Error(err)
				return
			}
			for _, e := range page {
				if e.Position <= position {
					b.Errorf("position %d follows on %d", e.Position, position)
				}
				position = e.Position
			}
			tail = append(tail, page...)
		}
	})
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	together(writers, func(i int) {
		for n := range each {
			room, text := (i+n)%rooms, fmt.Sprint(i, " ", n)
			var err error
			if n%2 == 0 {
				_, err = b.db.Post(b.Context(), textPost(thread[room], alice, text, noon+100))
			} else {
				err = b.db.Update(b.Context(), threadID(room), sayUnderLock(text))
			}
			if err != nil {
				b.Error(err)
				continue
			}
			mu.Lock()
			acknowledged[text] = true
			mu.Unlock()
		}
	})
	following.Wait()
	b.equal("the tail and the journal", b.journal(), tail)

	last := map[chat.ThreadID]*chat.Message{}
	for _, e := range tail {
		if e.Kind != chat.MessageReceived {
			continue
		}
		before := last[e.ThreadID]
		if before == nil {
			before = &chat.Message{Seq: 2, ID: chat.MessageID(noon) + 1}
		}
		if e.Message.Seq != before.Seq+1 || e.Message.ID <= before.ID {
			b.Errorf("%s: message %d, sequence %d, follows on %d, sequence %d", e.ThreadID, e.Message.ID, e.Message.Seq, before.ID, before.Seq)
		}
		last[e.ThreadID] = e.Message
		if !acknowledged[e.Message.Content.Text] {
			b.Errorf("%q is there twice or was never acknowledged", e.Message.Content.Text)
		}
		delete(acknowledged, e.Message.Content.Text)
	}
	if len(acknowledged) > 0 {
		b.Errorf("acknowledged and not in the journal: %v", acknowledged)
	}
	for i, t := range thread {
		got := b.all(t)
		if newest := last[threadID(i)]; int64(len(got)) != newest.Seq {
			b.Errorf("%s: %d messages, want %d", threadID(i), len(got), newest.Seq)
		}
	}
}

// sayUnderLock decides on a message in the way of changes that need the lock.
func sayUnderLock(text string) func(v chat.View) (*chat.Change, error) {
	return func(v chat.View) (*chat.Change, error) {
		a, err := v.Access(alice)
		if err != nil {
			return nil, err
		}
		c := &chat.Change{Before: a.Thread, Thread: a.Thread}
		t := &c.Thread
		t.Seq++
		t.LastID++
		t.LastOn = chat.Time(t.LastID)
		m := chat.Message{ID: t.LastID, Seq: t.Seq, Version: int64(t.LastID), Type: chat.Text, Content: chat.Content{Text: text}, Sender: alice}
		c.Append = []chat.Message{m}
		c.Events = []chat.Event{{Kind: chat.MessageReceived, ThreadID: t.ID, Key: t.Key, Roster: t.Roster, Version: m.Version, Message: &m}}
		return c, nil
	}
}
