package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chatd/chatd/internal/chat"
)

// Authenticate returns whose token raw is. A token that is not accepted is an error of kind Unauthorized without a
// message; its Reason says why. Other errors are those of the store.
//
// Tokens are verified once and remembered by their hash until they end, since verifying takes longer than all the
// rest of a small request. Users are remembered too, until Revoke, Delete or Forget.
func (s *Identities) Authenticate(ctx context.Context, raw string) (Principal, error) {
	now := s.now()
	token, err := s.verify(ctx, raw, now)
	if err != nil {
		return Principal{}, err
	}
	if err := s.Revalidate(ctx, token); err != nil {
		return Principal{}, err
	}
	return token, nil
}

// Revalidate checks, without the token, that one which Authenticate accepted, here or on another server, still counts: it is not
// revoked, and its identity, its access key and the key that signed it still exist. Errors are those of Authenticate. It does
// not look at the expiry, which the caller knows.
func (s *Identities) Revalidate(ctx context.Context, p Principal) error {
	if err := s.checkKeyID(p.Key); err != nil {
		return err
	}
	if p.SignedBy != "" && !s.keys.verifies(p.SignedBy, s.now()) {
		return errToken("signing key is retired")
	}
	user, err := s.user(ctx, p)
	if err == nil {
		err = user.admits(p)
	}
	if err == nil && p.Issued > user.TokenOn {
		err = s.catchUp(ctx, p)
	}
	return err
}

// admits says what is wrong with a token of the user, if anything is.
func (u *User) admits(p Principal) error {
	switch {
	case u.DeletedOn != 0:
		return errToken("identity is deleted")
	case u.ValidFrom != 0 && seconds(p.Issued) <= seconds(u.ValidFrom): // see Issue
		return errToken("token is revoked")
	}
	return nil
}

// catchUp is for a token that is newer than all that are known: it was issued since the user was remembered, or minted
// offline, and then the store has to know of it for a revocation to end it.
func (s *Identities) catchUp(ctx context.Context, p Principal) error {
	s.Forget(p.Identity)
	user, err := s.user(ctx, p)
	if err == nil {
		err = user.admits(p)
	}
	if err == nil && p.Issued > user.TokenOn {
		_, err = s.store.NoteToken(ctx, p.Identity, p.Issued)
		s.Forget(p.Identity)
	}
	if chat.KindOf(err) == chat.NotFound {
		err = errToken("identity is deleted")
	}
	return err
}

// verify checks that the token is genuine, not expired and one of the resource.
func (s *Identities) verify(ctx context.Context, raw string, now chat.Time) (Principal, error) {
	if raw == "" {
		return Principal{}, errToken("no token")
	}
	if len(raw) > maxTokenBytes {
		return Principal{}, errToken("malformed token: too long")
	}
	hash := sha256.Sum256([]byte(raw))
	token, ok, drops := s.tokens.get(hash, now)
	if ok {
		return token, nil
	}
	parsed, c, err := s.parse(ctx, raw, now)
	if err != nil {
		return Principal{}, err
	}
	if token, err = c.read(s.resource); err != nil {
		return Principal{}, err
	}
	if token.Key, err = keyIDIn(parsed); err != nil {
		return Principal{}, err
	}
	token.SignedBy = keyIn(parsed)
	s.tokens.put(hash, token, now, token.Expires, drops)
	return token, nil
}

// parse verifies the signature and the time of a token. One of a key that is not known may be of a key that another server made
// active a moment ago, so the store is asked, once.
func (s *Identities) parse(ctx context.Context, raw string, now chat.Time) (*jwt.Token, *claims, error) {
	came := time.Now()
	for asked := false; ; asked = true {
		c := new(claims)
		parsed, err := s.parser.ParseWithClaims(raw, c, s.keys.find(now))
		switch {
		case err == nil:
			return parsed, c, nil
		case asked || !errors.Is(err, errUnknownKey):
			return nil, nil, whyRefused(err)
		}
		if err := s.keys.refresh(ctx, came, reloadGap); err != nil && !errors.Is(err, ErrNoKeys) {
			return nil, nil, err
		}
	}
}

// user returns the user of a genuine token. One that the store does not know is adopted: tokens are minted offline
// with the signing key too, and a store in memory forgets its users when the server restarts. Nobody else can make
// such a token, and one who was deleted is known to the store.
func (s *Identities) user(ctx context.Context, p Principal) (User, error) {
	id, now := p.Identity, s.now()
	user, ok, drops := s.users.get(id, now)
	if ok {
		return user, nil
	}
	user, err := s.store.User(ctx, id)
	if chat.KindOf(err) == chat.NotFound {
		if err = s.store.AddUser(ctx, User{Identity: id, CreatedOn: now, TokenOn: p.Issued}); err == nil {
			user, err = s.store.User(ctx, id) // another server may have been faster
		}
	}
	if err != nil {
		return User{}, err
	}
	s.users.put(id, user, now, now+userAge, drops)
	return user, nil
}
