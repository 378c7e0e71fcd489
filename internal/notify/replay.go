package notify

import (
	"context"

	"github.com/chatd/chatd/internal/chat"
)

// Replay calls deliver for each event behind the position from, up to and with the position to, that the user may see, in the
// order of the journal. missed reports that the journal no longer reaches back to from: then only what it still has is
// replayed. Replays take turns, see replayLimiter, so that the call may wait before it reads.
func (h *Hub) Replay(ctx context.Context, user chat.Identity, from, to chat.Position, deliver func(Delivery)) (missed bool, err error) {
	oldest, err := h.journal.Oldest(ctx)
	if err != nil {
		return false, err
	}
	for position := from; position < to; {
		next, err := h.replayBatch(ctx, user, position, to, deliver)
		if err != nil {
			return false, err
		}
		if next == position { // there is no more
			break
		}
		position = next
	}
	return oldest > from+1, nil
}

// replayBatch is the part of a replay that takes a turn. It returns the position that it reached.
func (h *Hub) replayBatch(ctx context.Context, user chat.Identity, position, to chat.Position, deliver func(Delivery)) (chat.Position, error) {
	release, err := h.replays.acquire(ctx, user)
	if err != nil {
		return position, err
	}
	defer release()
	events, err := h.journal.After(ctx, position, int(min(batchSize, to-position)))
	if err != nil {
		return position, err
	}
	for i := range events {
		e := &events[i]
		if position = e.Position; position > to {
			break
		}
		if err := h.replayEvent(ctx, user, e, deliver); err != nil {
			return position, err
		}
	}
	return position, nil
}

func (h *Hub) replayEvent(ctx context.Context, user chat.Identity, e *chat.Event, deliver func(Delivery)) error {
	if e.ThreadID == "" { // of no thread: for servers, not for clients
		return nil
	}
	audience, err := h.rosters.audience(ctx, e)
	if err != nil {
		return err
	}
	for i := range audience {
		if p := &audience[i]; p.Identity == user && e.VisibleTo(p) {
			deliver(Delivery{Event: e, To: user, Shared: &Shared{}})
		}
	}
	return nil
}
