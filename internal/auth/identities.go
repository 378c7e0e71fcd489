package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chatd/chatd/internal/chat"
)

// User is an identity of the resource as it is stored.
type User struct {
	Identity  chat.Identity
	CreatedOn chat.Time
	ValidFrom chat.Time // tokens issued before are revoked; 0: none is
	DeletedOn chat.Time // 0: it is not deleted
	CustomID  string    // a name that the resource's owner gave; empty: none
	TokenOn   chat.Time // the newest time at which a token says that it was issued; 0: there was none
}

// UserStore keeps users, deleted ones too. Its methods are safe for concurrent use, by several servers too.
type UserStore interface {
	// AddUser adds a user. One of that identity, or a living one of that custom id, stays as it is.
	AddUser(ctx context.Context, user User) error

	// CustomUser returns the living user of a custom id, or an *chat.Error of kind NotFound.
	CustomUser(ctx context.Context, customID string) (User, error)

	// NoteToken keeps that a token is issued to the user, and returns the time that it has to say: now, or the next second
	// after ValidFrom if that is later. A TokenOn that is later stays. An *chat.Error of kind NotFound says that there is no
	// such user or that it is deleted.
	NoteToken(ctx context.Context, id chat.Identity, now chat.Time) (issued chat.Time, err error)

	// User returns a user, or an *chat.Error of kind NotFound.
	User(ctx context.Context, id chat.Identity) (User, error)

	// RevokeUser ends all tokens issued so far: ValidFrom becomes now or TokenOn, whichever is later. Errors are those of
	// NoteToken.
	RevokeUser(ctx context.Context, id chat.Identity, now chat.Time) error

	// RevokeUserBefore sets ValidFrom. A time before the one that is set changes nothing: of two revocations at once the
	// later one counts, whichever comes last. Errors are those of NoteToken.
	RevokeUserBefore(ctx context.Context, id chat.Identity, validFrom chat.Time) error

	// DeleteUser marks the user as deleted; errors are those of NoteToken.
	DeleteUser(ctx context.Context, id chat.Identity, now chat.Time) error
}

const (
	cacheLimit = 65_536 // entries of each cache: tokens and users

	// userAge is how long a user's state is taken from the cache, in milliseconds. A revocation by another server
	// that nobody reported with Forget counts from then on; the service itself allows 15 minutes (identity model
	// page of the ACS documentation).
	userAge = 60_000
)

// Identities are the users of one resource and their tokens. It is safe for concurrent use.
type Identities struct {
	resource string
	keys     *KeySet
	store    UserStore
	now      func() chat.Time
	parser   *jwt.Parser

	keyIDs []KeyID // of the access keys

	// Random is what ids of users are made of; crypto/rand.Reader where nothing else is set before the first use.
	Random io.Reader

	tokens *cache[[sha256.Size]byte, Principal] // by the hash of the token
	users  *cache[chat.Identity, User]
}

// NewIdentities returns the users of the resource, which is a GUID and has access keys of these ids.
func NewIdentities(resource string, keys *KeySet, users UserStore, now func() chat.Time, keyIDs ...KeyID) *Identities {
	return &Identities{
		resource: resource,
		keys:     keys,
		store:    users,
		now:      now,
		Random:   rand.Reader,
		parser:   newParser(now),

		keyIDs: keyIDs,

		tokens: newCache[[sha256.Size]byte, Principal](cacheLimit),
		users:  newCache[chat.Identity, User](cacheLimit),
	}
}

// maxCustomID bounds a custom id, in bytes; the service's own bound is not publicly known.
const maxCustomID = 256

// Create makes a new identity.
func (s *Identities) Create(ctx context.Context) (chat.Identity, error) {
	user, err := s.CreateCustom(ctx, "")
	return user.Identity, err
}

// CreateCustom makes a new identity of a custom id, if that is not empty, only once: later calls return the same, until
// it is deleted (identity model page of the ACS documentation).
func (s *Identities) CreateCustom(ctx context.Context, customID string) (User, error) {
	if len(customID) > maxCustomID {
		return User{}, errValidation("customId", "The customId is too long.")
	}
	for again := true; ; again = false {
		now := s.now()
		user := User{Identity: chat.NewIdentity(s.resource, now, s.Random), CreatedOn: now, CustomID: customID}
		if err := s.store.AddUser(ctx, user); err != nil || customID == "" {
			return user, err
		}
		user, err := s.store.CustomUser(ctx, customID)
		if chat.KindOf(err) != chat.NotFound || !again { // else the one there was has just been deleted, and the custom id is free
			return user, err
		}
	}
}

// Get returns an identity; errors are those of Issue.
func (s *Identities) Get(ctx context.Context, id chat.Identity) (User, error) {
	return s.owned(ctx, id)
}

// Issue makes a token for the identity, which ends with the access key of that id if there is one. The lifetime counts
// in whole seconds.
// An identity that is not one of the resource's living users is refused with code IdentityNotOwned.
//
// A token is revoked when its iat, which has seconds only, is not after the second of the revocation. A token issued after the revocation in the same second gets the next second as its iat, so
// that it works at once as it does with the service (identity model page of the ACS documentation).
//
// Clocks of nodes differ, so the store decides, which has both times: a revocation counts from the newest iat that it
// knows of, and a token gets an iat behind the last revocation. The lifetime is counted from now all the same.
func (s *Identities) Issue(
	ctx context.Context, id chat.Identity, scopes []Scope, lifetime time.Duration, key KeyID,
) (Token, error) {
	if _, err := s.owned(ctx, id); err != nil {
		return Token{}, err
	}
	now := s.now()
	issued, err := s.store.NoteToken(ctx, id, now)
	if err != nil {
		return Token{}, notOwned(err)
	}
	exp := seconds(now) + int64(lifetime/time.Second)
	value, err := s.keys.sign(newClaims(s.resource, id, scopes, seconds(issued), exp), key)
	if err != nil {
		return Token{}, fmt.Errorf("sign token: %w", err)
	}
	fraction := time.Duration(now%1000) * time.Millisecond
	return Token{Value: value, ExpiresOn: time.Unix(exp, 0).Add(fraction).UTC()}, nil
}

// Revoke makes all tokens of the identity invalid that were issued so far; errors are those of Issue.
func (s *Identities) Revoke(ctx context.Context, id chat.Identity) error {
	if _, err := s.owned(ctx, id); err != nil {
		return err
	}
	defer s.Forget(id) // after an error too: the write may have been applied
	return notOwned(s.store.RevokeUser(ctx, id, s.now()))
}

// RevokeBefore makes the tokens invalid that say they were issued before a time, all for a time that has not passed; errors are
// those of Issue. An earlier revocation stays.
func (s *Identities) RevokeBefore(ctx context.Context, id chat.Identity, validFrom chat.Time) error {
	if validFrom >= s.now() {
		return s.Revoke(ctx, id)
	}
	if _, err := s.owned(ctx, id); err != nil {
		return err
	}
	defer s.Forget(id) // after an error too: the write may have been applied
	return notOwned(s.store.RevokeUserBefore(ctx, id, validFrom))
}

// Delete ends the identity and all its tokens; errors are those of Issue.
func (s *Identities) Delete(ctx context.Context, id chat.Identity) error {
	if _, err := s.owned(ctx, id); err != nil {
		return err
	}
	defer s.Forget(id) // after an error too: the write may have been applied
	return notOwned(s.store.DeleteUser(ctx, id, s.now()))
}

// Forget is for an identity that was revoked or deleted, also by another server: the next Authenticate asks the store.
func (s *Identities) Forget(id chat.Identity) { s.users.drop(id) }

// Clear forgets all tokens and users that are remembered, for a store whose content was replaced.
func (s *Identities) Clear() {
	s.tokens.clear()
	s.users.clear()
}

// owned returns a living user of the resource.
func (s *Identities) owned(ctx context.Context, id chat.Identity) (User, error) {
	if !id.BelongsTo(s.resource) {
		return User{}, errNotOwned("identity is malformed or of another resource")
	}
	user, err := s.store.User(ctx, id)
	if err == nil && user.DeletedOn != 0 {
		err = errNotOwned("identity is deleted")
	}
	return user, notOwned(err)
}

// notOwned turns the NotFound of a store into what the client gets.
func notOwned(err error) error {
	if chat.KindOf(err) == chat.NotFound {
		return errNotOwned("identity is unknown, or deleted just now")
	}
	return err
}

func seconds(t chat.Time) int64 { return int64(t) / 1000 }
