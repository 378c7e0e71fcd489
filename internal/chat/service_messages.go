package chat

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"
)

// SendMessage stores a message and returns it with its place in the thread.
func (s *Service) SendMessage(ctx context.Context, actor Identity, id ThreadID, in NewMessage) (Message, error) {
	// What the store remembers of the thread is enough for most posts. It refuses none: a refusal needs the present state.
	if id.WellFormed() {
		if a, err := s.store.Recent(ctx, id, actor); err == nil && a.Thread.DeletedOn == 0 {
			if p, err := post(&a, actor, in, s.now()); err == nil {
				m, err := s.store.Post(ctx, p)
				if !errors.Is(err, ErrStale) {
					return m, err
				}
			}
		}
	}
	for range maxDecisions {
		a, err := s.access(ctx, id, actor)
		if err != nil {
			return Message{}, err
		}
		p, err := post(&a, actor, in, s.now())
		if err != nil {
			return Message{}, err
		}
		// The decision holds for the roster it was made on; a stale one is made again.
		m, err := s.store.Post(ctx, p)
		if !errors.Is(err, ErrStale) {
			return m, err
		}
		if err := s.pause(ctx); err != nil {
			return Message{}, err
		}
	}
	return Message{}, &Error{Kind: Unavailable, Reason: "the thread changed each time while the message was placed"}
}

// A decision is made again at most maxDecisions times, after a pause of at most maxPause: random, so that senders who collided
// do not collide again.
const (
	maxDecisions = 10
	maxPause     = 50 * time.Millisecond
)

func (s *Service) pause(ctx context.Context) error {
	var part [1]byte
	if _, err := io.ReadFull(s.random, part[:]); err != nil {
		return err
	}
	timer := time.NewTimer(maxPause * time.Duration(part[0]) / 256)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// ListMessages returns messages newest first, not older than since, as far as the actor's history reaches.
func (s *Service) ListMessages(ctx context.Context, actor Identity, id ThreadID, since Time, before MessageID, limit int) ([]Message, error) {
	a, err := s.reader(ctx, id, actor)
	if err != nil {
		return nil, err
	}
	// Where the history has no end, it ends for this call at what was there when the membership was: what follows may be
	// said after a removal.
	return s.store.Messages(ctx, a.Thread.Key, MessageQuery{
		From: max(a.first(), MessageID(since)), To: cmp.Or(a.last(), a.Thread.LastID), Before: before, Limit: limit,
		Newest: a.Thread.LastID, Edited: a.Thread.Edited, Left: a.Stay.Left,
	})
}

// GetMessage returns one message; one that the actor's history hides is not found.
func (s *Service) GetMessage(ctx context.Context, actor Identity, id ThreadID, message MessageID) (*Message, error) {
	a, err := s.reader(ctx, id, actor)
	if err != nil {
		return nil, err
	}
	if !a.sees(message) || message > a.Thread.LastID { // see ListMessages
		return nil, notFound("message is outside the history of the participant")
	}
	if a.Stay.Left == 0 {
		return s.store.Message(ctx, a.Thread.Key, message)
	}
	found, err := s.store.Messages(ctx, a.Thread.Key, MessageQuery{From: message, To: message, Limit: 1, Left: a.Stay.Left})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, notFound("no such message")
	}
	return &found[0], nil
}

// UpdateMessage edits a message of the actor.
func (s *Service) UpdateMessage(ctx context.Context, actor Identity, id ThreadID, message MessageID, in MessageUpdate) error {
	return s.update(ctx, id, actor, func(v View, a *Access, now Time) (*Change, error) {
		m, err := messageFor(v, a, actor, message)
		if err != nil {
			return nil, err
		}
		return updateMessage(a, actor, m, in, now)
	})
}

// DeleteMessage deletes a message of the actor; a tombstone stays.
func (s *Service) DeleteMessage(ctx context.Context, actor Identity, id ThreadID, message MessageID) error {
	return s.update(ctx, id, actor, func(v View, a *Access, now Time) (*Change, error) {
		m, err := messageFor(v, a, actor, message)
		if err != nil {
			return nil, err
		}
		return deleteMessage(a, actor, m, now)
	})
}

// SendReadReceipt notes that the actor has read up to the message.
func (s *Service) SendReadReceipt(ctx context.Context, actor Identity, id ThreadID, message MessageID) error {
	return s.update(ctx, id, actor, func(v View, a *Access, now Time) (*Change, error) {
		if _, err := messageFor(v, a, actor, message); err != nil {
			return nil, err
		}
		kept, err := v.Receipt(actor)
		if err != nil {
			return nil, err
		}
		return sendReceipt(a, actor, message, kept, now)
	})
}

// ListReadReceipts returns the latest receipt of each reader, newest first: the UI library (1.34.0) reads until one is older
// than the oldest message that it has. In a thread of many participants there are none.
func (s *Service) ListReadReceipts(ctx context.Context, actor Identity, id ThreadID, q PageQuery) ([]ReadReceipt, Mark, error) {
	a, err := s.member(ctx, id, actor)
	if err != nil || a.Thread.Present > MaxReceiptParticipants {
		return nil, nil, err
	}
	return s.store.Receipts(ctx, a.Thread.Key, q)
}

// SendTyping tells the listeners of the thread that the actor is typing. Nothing is kept; in a thread of many
// participants no event is sent either (concepts page of ACS Chat).
func (s *Service) SendTyping(ctx context.Context, actor Identity, id ThreadID, name string) error {
	a, err := s.member(ctx, id, actor)
	if err != nil {
		return err
	}
	if err := checkText("sender display name", name, MaxNameBytes); err != nil {
		return err
	}
	if a.Thread.Present > MaxReceiptParticipants {
		return nil
	}
	return s.store.Note(ctx, typingEvent(&a.Thread, actor, name, s.now()))
}

// messageFor loads a message for a member; whether they see it is for the rule to say.
func messageFor(v View, a *Access, actor Identity, id MessageID) (*Message, error) {
	if err := a.member(actor); err != nil {
		return nil, err
	}
	return v.Message(id)
}
