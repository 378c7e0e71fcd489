package auth

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// VerifiesUntil is when the key at index i of a store's keys, oldest first, stops verifying; 0 for the newest, which is active.
// A key whose successor signs has tokens for a day, the longest that one lives. After that a stolen key is of no use.
func VerifiesUntil(keys []SigningKey, i int) chat.Time {
	if i == len(keys)-1 {
		return 0
	}
	return keys[i+1].CreatedOn.Add(maxMinutes*time.Minute + keyGrace)
}

// RotateKey makes a new key the active one, and returns its ID. Servers find it by Refresh, or when they meet a token of it. Of
// two rotations at once one counts, and both return its key. A store without a key is refused with ErrNoKeys.
func RotateKey(ctx context.Context, store KeyStore, now chat.Time) (id string, err error) {
	stored, err := store.SigningKeys(ctx)
	if err == nil && len(stored) == 0 {
		err = ErrNoKeys
	}
	if err != nil {
		return "", err
	}
	newest := 0
	for _, key := range stored {
		n, _ := strconv.Atoi(key.ID) // one that is no number came from elsewhere, and takes none
		newest = max(newest, n)
	}
	id = strconv.Itoa(newest + 1)
	// The newest is the active one, on machines whose clocks disagree too.
	_, err = createKey(ctx, store, id, max(now, stored[len(stored)-1].CreatedOn+1))
	return id, err
}

// RetireKey removes a key, which ends the tokens that it signed. The active key is refused.
func RetireKey(ctx context.Context, store KeyStore, id string) error {
	stored, err := store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	switch i := slices.IndexFunc(stored, func(k SigningKey) bool { return k.ID == id }); i {
	case -1:
		return fmt.Errorf("there is no signing key %q", id)
	case len(stored) - 1:
		return fmt.Errorf("signing key %q is the active one: rotate first", id)
	}
	return store.RemoveSigningKey(ctx, id)
}
