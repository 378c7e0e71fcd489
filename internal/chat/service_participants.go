package chat

import "context"

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

// RemoveParticipant ends a participant's stay in the thread.
func (s *Service) RemoveParticipant(ctx context.Context, actor Identity, id ThreadID, who Identity) error {
	return s.update(ctx, id, actor, func(v View, a *Access, now Time) (*Change, error) {
		target, err := v.Access(who)
		if err != nil {
			return nil, err
		}
		return removeParticipant(a, target, actor, who, now)
	})
}

// UpdateParticipant changes how a participant appears in the thread.
func (s *Service) UpdateParticipant(ctx context.Context, actor Identity, id ThreadID, in ParticipantUpdate) error {
	return s.update(ctx, id, actor, func(v View, a *Access, now Time) (*Change, error) {
		target, err := v.Access(in.Identity)
		if err != nil {
			return nil, err
		}
		return alterParticipant(a, target, actor, in, now)
	})
}

// known returns which of the users to be added exist.
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
