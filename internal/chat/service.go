package chat

import (
	"context"
	"io"
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

// GetThread returns the thread to a user who takes or took part in it.
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
