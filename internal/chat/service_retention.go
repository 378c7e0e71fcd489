package chat

import (
	"context"
	"time"
)

// keepTyping is how long typing stays in the journal. It is of use for some seconds only, but the clock of the node that sweeps
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
	if err := s.store.PurgeTyping(ctx, s.now().Add(-keepTyping)); err != nil {
		return err
	}
	return s.store.Purge(ctx, s.now().Add(-keep))
}
