package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/chatd/chatd/internal/chat"
)

var messages = []test{
	{"are read as they were posted", func(b *bundle) {
		thread := b.create(lunch, alice)
		p := &chat.Post{Thread: thread, At: noon + 100, Message: chat.Message{
			Type: chat.HTML, Sender: alice, SenderName: "Alice", Metadata: map[string]string{"k": "v"}, High: true,
			Content: chat.Content{Text: "<b>hello</b>", Attachments: attachments},
		}}
		want := p.Message
		want.ID, want.Seq, want.Version = chat.MessageID(noon+100), 3, int64(noon+100)
		b.equal("answer", want, b.post(p))
		got, err := b.db.Message(b.Context(), thread.Key, want.ID)
		b.must(err)
		b.equal("message", &want, got)
		thread.Seq, thread.LastID, thread.LastOn = 3, want.ID, noon+100
		b.equal("thread", thread, b.thread(lunch))
	}},
	{"keep every character", func(b *bundle) {
		thread := b.create(lunch, alice)
		var want []chat.Message
		for _, text := range odd {
			p := textPost(thread, alice, text, noon+100)
			p.Message.SenderName, p.Message.Metadata = text, map[string]string{text: text}
			p.Message.Content.Attachments = []chat.Attachment{{ID: text, Type: chat.AttachedFile, Name: text, URL: text, PreviewURL: text}}
			want = append(want, b.post(p))
		}
		b.update(lunch, func(c *chat.Change) {
			for i, text := range odd {
				c.Thread.Seq, c.Thread.LastID = c.Thread.Seq+1, c.Thread.LastID+1
				m := systemMessage(c.Thread.LastID, c.Thread.Seq, chat.TopicUpdated, chat.Content{Topic: text, Initiator: alice})
				if i%2 == 0 {
					m.Type, m.Content = chat.ParticipantAdded, chat.Content{
						Initiator: alice, Participants: []chat.Participant{{Identity: bob, DisplayName: text, Metadata: map[string]string{text: text}}},
					}
				}
				c.Append = append(c.Append, m)
			}
			want = append(want[:len(odd)], c.Append...)
		})
		b.equal("messages", want, b.all(thread)[2:])
		for i, text := range odd {
			if want[i].Content.Text != text {
				b.Errorf("%q was answered as %q", text, want[i].Content.Text)
			}
		}
	}},
	{"may be as large as they may", func(b *bundle) {
		thread := b.create(lunch, alice)
		p := textPost(thread, alice, strings.Repeat("😀", chat.MaxMessageBytes/4), noon+100)
		p.Message.SenderName = strings.Repeat("n", chat.MaxNameBytes)
		p.Message.Metadata = map[string]string{"k": strings.Repeat("v", chat.MaxMetadataBytes-1)}
		posted := b.post(p)
		got, err := b.db.Message(b.Context(), thread.Key, posted.ID)
		b.must(err)
		b.equal("message", &posted, got)
		events := b.journal()
		b.equal("message of the event", &posted, events[len(events)-1].Message)

		// The message about the most participants, with the longest names.
		var big []chat.Participant
		for i := range chat.MaxParticipantsPerCall {
			big = append(big, chat.Participant{
				Identity: user(100 + i), DisplayName: strings.Repeat("n", chat.MaxNameBytes), Joined: 2,
				Metadata: map[string]string{"k": strings.Repeat("v", chat.MaxMetadataBytes-1)},
			})
		}
		told := systemMessage(posted.ID+1, 4, chat.ParticipantAdded, chat.Content{Participants: big, Initiator: alice})
		b.update(lunch, func(c *chat.Change) {
			c.Thread.Seq, c.Thread.LastID = 4, told.ID
			c.Append = []chat.Message{told}
		})
		got, err = b.db.Message(b.Context(), thread.Key, told.ID)
		b.must(err)
		b.equal("system message", &told, got)
	}},
	{"get ids that ascend whatever the clock says", func(b *bundle) {
		thread := b.create(lunch, alice) // its last id is noon + 1
		for i, c := range []struct {
			at   chat.Time
			want chat.MessageID
		}{
			{noon + 100, chat.MessageID(noon + 100)},
			{noon + 100, chat.MessageID(noon + 101)},
			{noon + 100, chat.MessageID(noon + 102)},
			{noon - 5000, chat.MessageID(noon + 103)},
			{noon + 103, chat.MessageID(noon + 104)},
			{noon + 200, chat.MessageID(noon + 200)},
		} {
			m := b.post(textPost(thread, alice, "hello", c.at))
			if m.ID != c.want || m.Seq != int64(i+3) || m.Version != int64(m.ID) {
				b.Errorf("posted at %d: id %d, version %d, sequence %d; want id and version %d, sequence %d", c.at, m.ID, m.Version, m.Seq, c.want, i+3)
			}
			if now := b.thread(lunch); now.LastID != m.ID || now.LastOn != m.CreatedOn() || now.Seq != m.Seq {
				b.Errorf("the thread ends with %d, sequence %d, at %d; want those of its last message, %+v", now.LastID, now.Seq, now.LastOn, m)
			}
		}
	}},
	{"are listed newest first, by bounds and pages", listMessages},
	{"are remembered as they are", rememberMessages},
	{"are replaced", func(b *bundle) {
		thread := b.create(lunch, alice)
		m := b.post(textPost(thread, alice, "hello", noon+100))
		other := b.post(textPost(thread, alice, "hello too", noon+200))
		before := b.thread(lunch)
		replace := func(m chat.Message) {
			b.Helper()
			b.update(lunch, func(c *chat.Change) { c.Replace = []chat.Message{m} })
			got, err := b.db.Message(b.Context(), thread.Key, m.ID)
			b.must(err)
			b.equal("message", &m, got)
			b.equal("listed", []chat.Message{m, other}, b.all(thread)[2:])
		}
		m.Version, m.Content, m.Metadata, m.EditedOn = int64(noon+300), chat.Content{Text: "good bye", Attachments: attachments}, map[string]string{"k": "v"}, noon+300
		replace(m)
		m.Version, m.Content, m.Metadata, m.DeletedOn = int64(noon+400), chat.Content{}, nil, noon+400
		replace(m)
		before.Edited = int64(noon + 400)
		b.equal("the thread", before, b.thread(lunch))
	}},
	{"are seen under the lock", func(b *bundle) {
		thread := b.create(lunch, alice)
		want := b.post(textPost(thread, alice, "hello", noon+100))
		b.must(b.db.Update(b.Context(), lunch, func(v chat.View) (*chat.Change, error) {
			got, err := v.Message(want.ID)
			b.equal("message", &want, got)
			_, missing := v.Message(want.ID + 1)
			b.kind("a message that is not there", missing, chat.NotFound)
			return nil, err
		}))
	}},
	{"are those of their thread", func(b *bundle) {
		first, second := b.create(threadID(1), alice), b.create(threadID(2), alice)
		m := b.post(textPost(first, alice, "hello", noon+100))
		_, err := b.db.Message(b.Context(), second.Key, m.ID)
		b.kind("a message of another thread", err, chat.NotFound)
		_, err = b.db.Message(b.Context(), first.Key, m.ID+1)
		b.kind("a message that is not there", err, chat.NotFound)
		_, err = b.db.Message(b.Context(), first.Key+second.Key, m.ID)
		b.kind("a message of no thread", err, chat.NotFound)
		none, err := b.db.Messages(b.Context(), first.Key+second.Key, chat.MessageQuery{Limit: 10})
		b.must(err)
		b.equal("messages of no thread", 0, len(none))
	}},
}

var attachments = []chat.Attachment{
	{ID: "0-cd-d1-00112233445566778899aabbccddeeff", Type: chat.AttachedImage, Name: "a.png"},
	{ID: "1", Type: chat.AttachedFile, Name: "b.pdf", URL: "https://example.com/b.pdf", PreviewURL: "https://example.com/b.png"},
}

// rememberMessages asks, between posts and edits, for what may be remembered and for what is read: it is the same.
func rememberMessages(b *bundle) {
	id := lunch
	thread := b.create(id, alice)
	dice := rand.New(rand.NewPCG(1, 2))
	post := func(n int) {
		for range n {
			b.post(textPost(thread, alice, "hello", noon+100))
		}
	}
	ask := func(q chat.MessageQuery) {
		b.Helper()
		want, err := b.db.Messages(b.Context(), thread.Key, q)
		b.must(err)
		now := b.thread(id)
		q.Newest, q.Edited = now.LastID, now.Edited
		got, err := b.db.Messages(b.Context(), thread.Key, q)
		b.must(err)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			b.Fatalf("%+v (-read +remembered):\n%s", q, diff)
		}
	}
	for range 300 {
		all := b.all(thread)
		some := func() chat.MessageID { return all[dice.IntN(len(all))].ID + chat.MessageID(dice.IntN(3)-1) }
		switch dice.IntN(8) {
		case 0:
			post(1 + dice.IntN(10))
		case 1:
			b.update(lunch, func(c *chat.Change) {
				m := all[dice.IntN(len(all))]
				m.Version = int64(noon) + 5000 // several in one millisecond
				m.Content, m.EditedOn = chat.Content{Text: m.Content.Text + " edited"}, noon+5000
				c.Replace = []chat.Message{m}
			})
		}
		q := chat.MessageQuery{To: b.thread(lunch).LastID, Limit: 1 + dice.IntN(2*len(all))}
		if dice.IntN(3) == 0 {
			q.From = some()
		}
		if dice.IntN(3) == 0 {
			q.To = some()
		}
		if dice.IntN(3) == 0 {
			q.Before = some()
		}
		ask(q)
	}
	// More than is remembered of one thread.
	id = threadID(1)
	thread = b.create(id, alice)
	post(190)
	for range 3 {
		ask(chat.MessageQuery{To: b.thread(id).LastID, Limit: 200})
		ask(chat.MessageQuery{To: b.thread(id).LastID, Limit: 1000})
		post(20)
	}
}

func listMessages(b *bundle) {
	thread := b.create(lunch, alice)
	for i := range 7 {
		b.post(textPost(thread, alice, fmt.Sprint(i), noon+100*chat.Time(i+1)))
	}
	all := b.all(thread)
	slices.Reverse(all)
	id := func(seq int) chat.MessageID { return all[len(all)-seq].ID }
	for _, c := range []struct {
		name     string
		from, to chat.MessageID
		want     []chat.Message
	}{
		{"all", 0, 0, all},
		{"from a message, which counts", id(4), 0, all[:6]},
		{"from after it", id(4) + 1, 0, all[:5]},
		{"to a message, which counts", 0, id(4), all[5:]},
		{"to before it", 0, id(4) - 1, all[6:]},
		{"both", id(3), id(7), all[2:7]},
		{"one", id(5), id(5), all[4:5]},
		{"from the future", id(9) + 1, 0, nil},
		{"to before the beginning", 0, id(1) - 1, nil},
		{"to before from", id(7), id(3), nil},
	} {
		for size := 1; size <= len(all)+1; size++ {
			var got []chat.Message
			q := chat.MessageQuery{From: c.from, To: c.to, Limit: size}
			for {
				page, err := b.db.Messages(b.Context(), thread.Key, q)
				b.must(err)
				got = append(got, page...)
				if len(page) < size {
					break
				}
				q.Before = page[size-1].ID
			}
			b.equal(fmt.Sprintf("%s, pages of %d", c.name, size), c.want, got)
		}
	}
	// A page continues where the last one ended, even when that message is newer than the bound or does not exist.
	for _, c := range []struct {
		name   string
		before chat.MessageID
		want   []chat.Message
	}{
		{"before what is newer than the bound", id(9), all[5:]},
		{"before no message of the thread", id(4) - 1, all[6:]},
		{"before the first", id(1), nil},
	} {
		got, err := b.db.Messages(b.Context(), thread.Key, chat.MessageQuery{To: id(4), Before: c.before, Limit: 10})
		b.must(err)
		b.equal(c.name, c.want, got)
	}
	// What is said meanwhile does not move the pages.
	first, err := b.db.Messages(b.Context(), thread.Key, chat.MessageQuery{Limit: 3})
	b.must(err)
	b.post(textPost(thread, alice, "meanwhile", noon+9000))
	second, err := b.db.Messages(b.Context(), thread.Key, chat.MessageQuery{Before: first[2].ID, Limit: 3})
	b.must(err)
	b.equal("two pages", all[:6], append(first, second...))
}
