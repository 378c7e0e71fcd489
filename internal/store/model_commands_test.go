package store_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/chatd/chatd/internal/chat"
)

func (m *machine) createThread(rt *rapid.T) {
	m.tick(rt)
	creator := m.user(rt)
	if len(m.all) > 2 && rapid.IntRange(0, 3).Draw(rt, "really") < 3 {
		return // there is enough to talk in
	}
	in := chat.NewThread{
		Topic: rapid.SampledFrom(topics).Draw(rt, "topic"), Participants: m.participants(rt), Metadata: m.metadata(rt),
		Retention: rapid.SampledFrom(retentions).Draw(rt, "retention"), Token: rapid.SampledFrom([]string{"", "x", "y"}).Draw(rt, "token"),
		TextOnly: rapid.IntRange(0, 5).Draw(rt, "text only") == 5,
	}
	got, err := m.CreateThread(m.ctx, creator, in)
	want, no := m.create(creator, in, got.Thread.ID)
	agree(rt, err, no)
	visible := got.Thread // a repetition has to return only what clients see
	same(rt, "creation", want, chat.Creation{Invalid: got.Invalid, Thread: chat.Thread{
		ID: visible.ID, Topic: visible.Topic, CreatedBy: visible.CreatedBy, CreatedOn: visible.CreatedOn, Metadata: visible.Metadata, Retention: visible.Retention,
		TextOnly: visible.TextOnly,
	}})
}

func (m *machine) changeThread(rt *rapid.T) {
	m.tick(rt)
	actor, id := m.actor(rt)
	in := chat.ThreadUpdate{
		Topic: optional(rt, "topic", topics), Metadata: m.metadata(rt), Retention: optional(rt, "retention", retentions),
		TextOnly: optional(rt, "text only", truths),
	}
	agree(rt, m.UpdateThread(m.ctx, actor, id, in), m.change(actor, id, in))
}

func (m *machine) removeThread(rt *rapid.T) {
	if rapid.IntRange(0, 9).Draw(rt, "really") < 9 {
		return // threads are to live a while
	}
	m.tick(rt)
	actor, id := m.actor(rt)
	agree(rt, m.DeleteThread(m.ctx, actor, id), m.deleteThread(actor, id))
}

func (m *machine) sweepAll(rt *rapid.T) {
	if rapid.IntRange(0, 9).Draw(rt, "really") < 9 {
		return // threads are to live a while
	}
	m.now += rapid.SampledFrom([]chat.Time{0, day, 30 * day}).Draw(rt, "days later")
	keep := rapid.SampledFrom([]chat.Time{0, day, 40 * day}).Draw(rt, "keep")
	agree(rt, m.Sweep(m.ctx, keep.Std().Sub(chat.Time(0).Std())), accepted)
	expired := len(m.events)
	m.sweep(keep)
	// Threads that end together end in any order.
	events := m.events[expired:]
	if got, err := m.db.After(m.ctx, m.position, 1000); err == nil {
		slices.SortStableFunc(events, func(a, b chat.Event) int {
			at := func(e chat.Event) int {
				return slices.IndexFunc(got, func(g chat.Event) bool { return g.ThreadID == e.ThreadID })
			}
			return at(a) - at(b)
		})
	}
}

func (m *machine) addParticipants(rt *rapid.T) {
	m.tick(rt)
	actor, id := m.actor(rt)
	in := m.participants(rt)
	got, err := m.AddParticipants(m.ctx, actor, id, in)
	want, no := m.add(actor, id, in)
	agree(rt, err, no)
	same(rt, "cannot be added", want, got)
}

func (m *machine) removeParticipant(rt *rapid.T) {
	m.tick(rt)
	actor, id := m.actor(rt)
	who := m.identity(rt)
	agree(rt, m.RemoveParticipant(m.ctx, actor, id, who), m.remove(actor, id, who))
}

func (m *machine) updateParticipant(rt *rapid.T) {
	actor, id := m.actor(rt)
	in := chat.ParticipantUpdate{
		Identity: m.identity(rt), DisplayName: optional(rt, "name", []string{"", "Cy"}), Roles: rapid.SampledFrom(roles[1:]).Draw(rt, "roles"),
	}
	agree(rt, m.UpdateParticipant(m.ctx, actor, id, in), m.alter(actor, id, in))
}

func (m *machine) sendText(rt *rapid.T) {
	m.tick(rt)
	actor, id := m.actor(rt)
	in := chat.NewMessage{
		Type:    rapid.SampledFrom([]chat.MessageType{"", chat.Text, chat.HTML}).Draw(rt, "type"),
		Content: rapid.SampledFrom(texts).Draw(rt, "text"), SenderName: m.name(rt), Metadata: m.metadata(rt),
		High: rapid.Bool().Draw(rt, "high"), Attachments: m.attachments(rt),
	}
	got, err := m.SendMessage(m.ctx, actor, id, in)
	want, no := m.send(actor, id, in)
	agree(rt, err, no)
	same(rt, "message", want, got)
}

func (m *machine) editMessage(rt *rapid.T) {
	m.tick(rt)
	actor, id := m.actor(rt)
	message := m.message(rt, actor, id)
	in := chat.MessageUpdate{Content: optional(rt, "text", texts), Metadata: m.metadata(rt), Attachments: m.attachments(rt)}
	agree(rt, m.UpdateMessage(m.ctx, actor, id, message, in), m.edit(actor, id, message, in))
}

func (m *machine) removeMessage(rt *rapid.T) {
	m.tick(rt)
	actor, id := m.actor(rt)
	message := m.message(rt, actor, id)
	agree(rt, m.DeleteMessage(m.ctx, actor, id, message), m.deleteMessage(actor, id, message))
}

func (m *machine) sendReceipt(rt *rapid.T) {
	m.tick(rt)
	actor, id := m.actor(rt)
	message := m.message(rt, actor, id)
	agree(rt, m.SendReadReceipt(m.ctx, actor, id, message), m.read(actor, id, message))
}

func (m *machine) sendTyping(rt *rapid.T) {
	m.tick(rt)
	actor, id := m.actor(rt)
	name := m.name(rt)
	agree(rt, m.SendTyping(m.ctx, actor, id, name), m.typing(actor, id, name))
}

func (m *machine) getThread(rt *rapid.T) {
	actor, id := m.reader(rt)
	got, err := m.GetThread(m.ctx, actor, id)
	r, no := m.find(id, actor, false)
	agree(rt, err, no)
	if no == accepted {
		want, seen := r.Thread, r.as(actor) // what clients do not see, numbers and counts, may be that of now
		want.Topic, want.Metadata, want.Retention, want.TextOnly = seen.Topic, seen.Metadata, seen.Retention, seen.TextOnly
		want.LastID, want.LastOn = seen.LastID, seen.LastOn
		same(rt, "thread", want, got)
	}
}

func (m *machine) getMessage(rt *rapid.T) {
	actor, id := m.reader(rt)
	message := m.message(rt, actor, id)
	got, err := m.GetMessage(m.ctx, actor, id, message)
	r, no := m.find(id, actor, false)
	if no == accepted && (r.message(message) == nil || !r.visible(actor, message)) {
		no = chat.NotFound
	}
	agree(rt, err, no)
	if no == accepted {
		same(rt, "message", r.as(actor).message(message), got)
	}
}

// marked reads all pages of a list by its marks and checks that each but the last is full.
func marked[T any](rt *rapid.T, size int, next func(after chat.Mark) ([]T, chat.Mark, error)) (all []T, err error) {
	var after chat.Mark
	for {
		page, mark, err := next(after)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) > size || len(page) < size && mark != nil {
			rt.Fatalf("a page of %d has %d and the mark %v", size, len(page), mark)
		}
		if after = mark; mark == nil {
			return all, nil
		}
	}
}

// pages reads all pages of a list and checks that each but the last is full.
func pages[T any](rt *rapid.T, size int, next func(read []T) ([]T, error)) ([]T, error) {
	var all []T
	for {
		page, err := next(all)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) > size {
			rt.Fatalf("a page of %d has %d", size, len(page))
		}
		if len(page) < size {
			return all, nil
		}
	}
}

func (m *machine) listMessages(rt *rapid.T) {
	actor, id := m.reader(rt)
	since := m.since(rt)
	size := rapid.IntRange(1, 8).Draw(rt, "page size")
	got, err := pages(rt, size, func(read []chat.Message) ([]chat.Message, error) {
		var before chat.MessageID
		if len(read) > 0 {
			before = read[len(read)-1].ID
		}
		return m.ListMessages(m.ctx, actor, id, since, before, size)
	})
	want, no := m.history(actor, id, since)
	agree(rt, err, no)
	same(rt, "messages", want, got)
}

func (m *machine) listThreads(rt *rapid.T) {
	actor, since := m.user(rt), m.since(rt)
	size := rapid.IntRange(1, 4).Draw(rt, "page size")
	got, err := marked(rt, size, func(after chat.Mark) ([]chat.ThreadItem, chat.Mark, error) {
		return m.ListThreads(m.ctx, actor, chat.ThreadQuery{Since: since, After: after, Limit: size})
	})
	agree(rt, err, accepted)
	for i := range got {
		got[i].Key = 0
	}
	same(rt, "threads", m.threads(actor, since), got)
}

func (m *machine) listParticipants(rt *rapid.T) {
	actor, id := m.reader(rt)
	size := rapid.IntRange(1, 4).Draw(rt, "page size")
	got, err := marked(rt, size, func(after chat.Mark) ([]chat.Participant, chat.Mark, error) {
		return m.ListParticipants(m.ctx, actor, id, chat.PageQuery{After: after, Limit: size})
	})
	r, no := m.find(id, actor, true)
	agree(rt, err, no)
	if no == accepted {
		same(rt, "participants", r.present(), got)
	}
}

func (m *machine) listReceipts(rt *rapid.T) {
	actor, id := m.reader(rt)
	size := rapid.IntRange(1, 4).Draw(rt, "page size")
	got, err := marked(rt, size, func(after chat.Mark) ([]chat.ReadReceipt, chat.Mark, error) {
		return m.ListReadReceipts(m.ctx, actor, id, chat.PageQuery{After: after, Limit: size})
	})
	r, no := m.find(id, actor, true)
	agree(rt, err, no)
	if no == accepted {
		same(rt, "receipts", r.receipts, got)
	}
}
