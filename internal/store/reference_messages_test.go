package store_test

import (
	"cmp"
	"slices"
	"strings"

	"github.com/chatd/chatd/internal/chat"
)

func (w *reference) send(actor chat.Identity, id chat.ThreadID, in chat.NewMessage) (chat.Message, refusal) {
	r, no := w.find(id, actor, true)
	if no != accepted {
		return chat.Message{}, no
	}
	switch {
	case in.Content == "" && len(in.Attachments) == 0:
		return chat.Message{}, chat.Invalid
	case r.TextOnly && (in.Type == chat.HTML || len(in.Attachments) > 0):
		return chat.Message{}, chat.Forbidden
	}
	m := w.addMessage(r, w.now, chat.Message{
		Type: cmp.Or(in.Type, chat.Text), Content: chat.Content{Text: in.Content, Attachments: in.Attachments}, Sender: actor, SenderName: in.SenderName,
		Metadata: patched(nil, in.Metadata), High: in.High,
	})
	w.addEvent(r, m.CreatedOn(), chat.Event{Kind: chat.MessageReceived, Version: m.Version, Message: &m}, actor, in.SenderName)
	return m, accepted
}

// ownMessage finds a message that a user wants to change, and whether they may.
func (w *reference) ownMessage(actor chat.Identity, id chat.ThreadID, message chat.MessageID) (*refThread, *chat.Message, refusal) {
	r, no := w.find(id, actor, true)
	if no != accepted {
		return nil, nil, no
	}
	m := r.message(message)
	switch {
	case m == nil || !r.visible(actor, message):
		return nil, nil, chat.NotFound
	case m.Sender != actor:
		return nil, nil, chat.Forbidden
	}
	return r, m, accepted
}

func (w *reference) edit(actor chat.Identity, id chat.ThreadID, message chat.MessageID, in chat.MessageUpdate) refusal {
	r, m, no := w.ownMessage(actor, id, message)
	switch {
	case no != accepted:
		return no
	case m.DeletedOn != 0:
		return chat.NotFound
	case in.Content == nil && in.Metadata == nil && in.Attachments == nil:
		return accepted
	case in.Content != nil && *in.Content == "":
		return chat.Invalid
	case in.Attachments != nil && r.TextOnly:
		return chat.Forbidden
	}
	if in.Attachments != nil {
		m.Content.Attachments = in.Attachments
	}
	if in.Content != nil {
		m.Content.Text = *in.Content
	}
	if in.Metadata != nil {
		m.Metadata = patched(m.Metadata, in.Metadata)
	}
	at := w.moment(r)
	m.EditedOn, m.Version = max(at, m.EditedOn), max(int64(at), m.Version+1)
	edited := *m
	w.addEvent(r, at, chat.Event{Kind: chat.MessageEdited, Version: m.Version, Message: &edited}, actor, m.SenderName)
	return accepted
}

func (w *reference) deleteMessage(actor chat.Identity, id chat.ThreadID, message chat.MessageID) refusal {
	r, m, no := w.ownMessage(actor, id, message)
	if no != accepted || m.DeletedOn != 0 {
		return no
	}
	at := w.moment(r)
	m.Content, m.Metadata, m.DeletedOn, m.Version = chat.Content{}, nil, max(at, m.EditedOn), max(int64(at), m.Version+1)
	deleted := *m
	w.addEvent(r, at, chat.Event{Kind: chat.MessageDeleted, Version: m.Version, Message: &deleted}, actor, m.SenderName)
	return accepted
}

func (w *reference) read(actor chat.Identity, id chat.ThreadID, message chat.MessageID) refusal {
	r, no := w.find(id, actor, true)
	if no != accepted {
		return no
	}
	if r.message(message) == nil || !r.visible(actor, message) {
		return chat.NotFound
	}
	i := slices.IndexFunc(r.receipts, func(x chat.ReadReceipt) bool { return x.Reader == actor })
	if i >= 0 && r.receipts[i].MessageID >= message {
		return accepted
	}
	at := w.moment(r)
	receipt := chat.ReadReceipt{Reader: actor, MessageID: message, ReadOn: at}
	if i >= 0 {
		receipt.ReadOn = max(at, r.receipts[i].ReadOn)
		r.receipts = slices.Delete(r.receipts, i, i+1)
	}
	r.receipts = append(r.receipts, receipt)
	slices.SortStableFunc(r.receipts, func(a, b chat.ReadReceipt) int {
		return cmp.Or(cmp.Compare(b.ReadOn, a.ReadOn), strings.Compare(string(b.Reader), string(a.Reader)))
	})
	w.addEvent(r, at, chat.Event{Kind: chat.ReadReceiptReceived, Receipt: &receipt}, actor, r.stay(actor).DisplayName)
	return accepted
}

func (w *reference) typing(actor chat.Identity, id chat.ThreadID, name string) refusal {
	r, no := w.find(id, actor, true)
	if no == accepted {
		w.addEvent(r, w.moment(r), chat.Event{Kind: chat.TypingReceived}, actor, name)
	}
	return no
}

// history returns what a user may read, newest first.
func (w *reference) history(actor chat.Identity, id chat.ThreadID, since chat.Time) ([]chat.Message, refusal) {
	r, no := w.find(id, actor, false)
	if no != accepted {
		return nil, no
	}
	var out []chat.Message
	for _, m := range slices.Backward(r.as(actor).messages) {
		if m.CreatedOn() >= since && r.visible(actor, m.ID) {
			out = append(out, m)
		}
	}
	return out, accepted
}
