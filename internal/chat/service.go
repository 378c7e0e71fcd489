package chat

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"
)

// Service does what clients ask for: it loads, lets the rules decide and has the store apply. Every method takes
// the acting user and returns an *Error when the request is refused. The zero value is not usable; see NewService.
type Service struct {
	store  Store
	now    func() Time
	random io.Reader

	// ImagesPerDay is how many images of the last 24 hours a user may have, those that were deleted not counted; 0: any number.
	ImagesPerDay int
}

// NewService returns a Service on the store. now is the time that threads and messages see; ids are made of random, which is
// safe for concurrent use and does not fail, as crypto/rand.Reader is.
func NewService(store Store, now func() Time, random io.Reader) *Service {
	return &Service{store: store, now: now, random: random}
}

// CreateThread creates a thread with the actor as its first participant. With an idempotency token the same actor gets
// the same thread again, answered as the first time.
func (s *Service) CreateThread(ctx context.Context, actor Identity, in NewThread) (Creation, error) {
	if err := checkFirst(in.Participants); err != nil {
		return Creation{}, err
	}
	known, err := s.known(ctx, in.Participants)
	if err != nil {
		return Creation{}, err
	}
	if in.ID == "" {
		in.ID = newThreadID(s.random)
	}
	c, invalid, err := createThread(actor, in, known, s.now())
	if err != nil {
		return Creation{}, err
	}
	return s.store.Create(ctx, c, Creation{Thread: c.Thread, Invalid: invalid})
}

// ListThreads returns the threads that the actor takes or took part in, latest message first, deleted ones too.
func (s *Service) ListThreads(ctx context.Context, actor Identity, q ThreadQuery) ([]ThreadItem, Mark, error) {
	q.Now = s.now()
	return s.store.ThreadsOf(ctx, actor, q)
}

// GetThread returns the thread to whoever takes or took part in it.
func (s *Service) GetThread(ctx context.Context, actor Identity, id ThreadID) (Thread, error) {
	a, err := s.reader(ctx, id, actor)
	if KindOf(err) == NotFound {
		return Thread{}, errThreadNotFound(err.Error())
	}
	return a.Thread, err
}

// UpdateThread changes properties of the thread.
func (s *Service) UpdateThread(ctx context.Context, actor Identity, id ThreadID, in ThreadUpdate) error {
	return s.update(ctx, id, actor, func(_ View, a *Access, now Time) (*Change, error) {
		return updateThread(a, actor, in, now)
	})
}

// DeleteThread deletes the thread for everybody. It stays in the lists of its participants until it is purged, and for so
// long they may delete it again, which changes nothing.
func (s *Service) DeleteThread(ctx context.Context, actor Identity, id ThreadID) error {
	return s.updateAny(ctx, id, actor, func(_ View, a *Access, now Time) (*Change, error) {
		return deleteThread(a, actor, now)
	})
}

// SendMessage stores a message and returns it with its place in the thread.
func (s *Service) SendMessage(ctx context.Context, actor Identity, id ThreadID, in NewMessage) (Message, error) {
	// What is remembered of the thread does for most posts. It refuses none: that is for what is true now to do.
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

// A decision is made again at most so often, after a pause of at most so long: random, so that those who met do not meet again.
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

// AddParticipants adds those who are not there yet and returns those who cannot be added.
func (s *Service) AddParticipants(ctx context.Context, actor Identity, id ThreadID, in []NewParticipant) ([]InvalidParticipant, error) {
	if err := checkParticipants(in); err != nil {
		return nil, err
	}
	known, err := s.known(ctx, in)
	if err != nil {
		return nil, err
	}
	var invalid []InvalidParticipant
	err = s.update(ctx, id, actor, func(v View, a *Access, now Time) (*Change, error) {
		present, err := v.Present()
		if err != nil {
			return nil, err
		}
		c, bad, err := addParticipants(a, present, actor, in, known, now)
		invalid = bad
		return c, err
	})
	return invalid, err
}

// ListParticipants returns those present, the creator first, then in the order of joining.
func (s *Service) ListParticipants(ctx context.Context, actor Identity, id ThreadID, q PageQuery) ([]Participant, Mark, error) {
	a, err := s.member(ctx, id, actor)
	if err != nil {
		return nil, nil, err
	}
	return s.store.Participants(ctx, a.Thread.Key, q)
}

// RemoveParticipant ends somebody's stay in the thread.
func (s *Service) RemoveParticipant(ctx context.Context, actor Identity, id ThreadID, who Identity) error {
	return s.update(ctx, id, actor, func(v View, a *Access, now Time) (*Change, error) {
		target, err := v.Access(who)
		if err != nil {
			return nil, err
		}
		return removeParticipant(a, target, actor, who, now)
	})
}

// UpdateParticipant changes how somebody appears in the thread.
func (s *Service) UpdateParticipant(ctx context.Context, actor Identity, id ThreadID, in ParticipantUpdate) error {
	return s.update(ctx, id, actor, func(v View, a *Access, now Time) (*Change, error) {
		target, err := v.Access(in.Identity)
		if err != nil {
			return nil, err
		}
		return alterParticipant(a, target, actor, in, now)
	})
}

// UploadImage keeps an image for messages of the thread.
func (s *Service) UploadImage(ctx context.Context, actor Identity, id ThreadID, in NewImage) (*Image, error) {
	a, err := s.member(ctx, id, actor)
	if err != nil {
		return nil, err
	}
	if a.Thread.TextOnly {
		return nil, errTextOnly()
	}
	image, err := newImage(actor, newImageID(s.random), in, s.now())
	if err != nil {
		return nil, err
	}
	image.Roster = a.Thread.Roster
	return image, s.store.AddImage(ctx, a.Thread.Key, image, s.ImagesPerDay)
}

// GetImage returns an image to those who take part in the thread, or took part when it was uploaded.
func (s *Service) GetImage(ctx context.Context, actor Identity, id ThreadID, image string) (*Image, error) {
	a, err := s.reader(ctx, id, actor)
	if err != nil {
		return nil, err
	}
	i, err := s.store.Image(ctx, a.Thread.Key, image)
	switch {
	case err != nil:
		return nil, err
	case i.deleted():
		return nil, notFound("image is deleted")
	case a.Stay.Left != 0 && i.Roster >= a.Stay.Left:
		return nil, notFound("image is newer than the stay of the participant")
	}
	return i, nil
}

// DeleteImage removes an image of the actor; removing it again changes nothing. Messages that name it keep the name.
func (s *Service) DeleteImage(ctx context.Context, actor Identity, id ThreadID, image string) error {
	a, err := s.member(ctx, id, actor)
	if err != nil {
		return err
	}
	i, err := s.store.Image(ctx, a.Thread.Key, image)
	if err != nil {
		return err
	}
	if i.Owner != actor {
		return forbidden("The image was uploaded by somebody else.")
	}
	if i.deleted() {
		return nil
	}
	return s.store.DeleteImage(ctx, a.Thread.Key, image)
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
// participants nothing is told either (concepts page of ACS Chat).
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

// keepTyping is how long typing stays in the journal. It is told for some seconds only, but the clock of the node that sweeps
// may be an hour ahead of that of another one.
const keepTyping = 2 * time.Hour

// Sweep deletes the threads whose retention has ended and purges what was deleted longer ago than keep.
func (s *Service) Sweep(ctx context.Context, keep time.Duration) error {
	const batch = 100
	for {
		ids, err := s.store.Expired(ctx, s.now(), batch)
		if err != nil {
			return err
		}
		for _, id := range ids {
			err := s.store.Update(ctx, id, func(v View) (*Change, error) {
				a, err := v.Access("")
				if err != nil || a.Thread.DeletedOn != 0 {
					return nil, err
				}
				return expireThread(&a.Thread, s.now()), nil
			})
			if err != nil && KindOf(err) != NotFound {
				return err
			}
		}
		if len(ids) < batch {
			break
		}
	}
	if err := s.store.PurgeTyping(ctx, s.now()-Time(keepTyping.Milliseconds())); err != nil {
		return err
	}
	return s.store.Purge(ctx, s.now()-Time(keep.Milliseconds()))
}

// access loads the thread and the actor's stay. A malformed id and a deleted thread are not found; the recordings of
// the CLI suite show the former as 404 since December 2022.
func (s *Service) access(ctx context.Context, id ThreadID, actor Identity) (Access, error) {
	if !id.WellFormed() {
		return Access{}, notFound("malformed thread id")
	}
	a, err := s.store.Access(ctx, id, actor)
	if err == nil && a.Thread.DeletedOn != 0 {
		err = errDeleted()
	}
	return a, err
}

func (s *Service) reader(ctx context.Context, id ThreadID, actor Identity) (Access, error) {
	a, err := s.access(ctx, id, actor)
	if err == nil {
		err = a.reader(actor)
	}
	return a, err
}

func (s *Service) member(ctx context.Context, id ThreadID, actor Identity) (Access, error) {
	a, err := s.access(ctx, id, actor)
	if err == nil {
		err = a.member(actor)
	}
	return a, err
}

// update runs a decision under the lock of a thread that is there.
func (s *Service) update(ctx context.Context, id ThreadID, actor Identity, decide func(View, *Access, Time) (*Change, error)) error {
	return s.updateAny(ctx, id, actor, func(v View, a *Access, now Time) (*Change, error) {
		if a.Thread.DeletedOn != 0 {
			return nil, errDeleted()
		}
		return decide(v, a, now)
	})
}

// updateAny does so for a deleted thread too.
func (s *Service) updateAny(ctx context.Context, id ThreadID, actor Identity, decide func(View, *Access, Time) (*Change, error)) error {
	if !id.WellFormed() {
		return notFound("malformed thread id")
	}
	return s.store.Update(ctx, id, func(v View) (*Change, error) {
		a, err := v.Access(actor)
		if err != nil {
			return nil, err
		}
		return decide(v, a, s.now())
	})
}

func errDeleted() error { return notFound("thread is deleted") }

// messageFor loads a message for a member; whether they see it is for the rule to say.
func messageFor(v View, a *Access, actor Identity, id MessageID) (*Message, error) {
	if err := a.member(actor); err != nil {
		return nil, err
	}
	return v.Message(id)
}

// known asks which of those to be added exist.
func (s *Service) known(ctx context.Context, in []NewParticipant) (map[Identity]bool, error) {
	if len(in) == 0 {
		return nil, nil
	}
	users := make([]Identity, len(in))
	for i, p := range in {
		users[i] = p.Identity
	}
	return s.store.Known(ctx, users)
}
