package auth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/chatd/chatd/internal/chat"
)

const (
	resource      = "1c1ed2c9-4a3f-4f0c-9d43-0a6b1f6f2a10"
	otherResource = "2d2fe3da-5b40-4a1d-8e54-1b7c20703b21"
	user1         = chat.Identity("8:acs:" + resource + "_0000000a-1111-2222-3333-444444444444")
)

// start is an arbitrary moment with a fraction of a second.
var start = chat.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 890e6, time.UTC))

// clock is a time that stands still until it is moved.
type clock struct{ ms atomic.Int64 }

func newClock(t chat.Time) *clock {
	c := &clock{}
	c.ms.Store(int64(t))
	return c
}

func (c *clock) now() chat.Time          { return chat.Time(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }
func testKey(der []byte, id string) SigningKey {
	return SigningKey{ID: id, PKCS8: der, CreatedOn: start}
}

func newDER(bits int) []byte {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return der
}

// Keys take long to make under the race detector, so tests share two.
var (
	oneDER   = sync.OnceValue(func() []byte { return newDER(2048) })
	otherDER = sync.OnceValue(func() []byte { return newDER(2048) })
)

func keySet(tb testing.TB, keys ...SigningKey) *KeySet {
	tb.Helper()
	s, err := newKeySet(&memory{keys: keys}, keys)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// memory is a UserStore and a KeyStore.
type memory struct {
	mu    sync.Mutex
	users map[chat.Identity]User
	keys  []SigningKey
	reads int    // calls of User
	loads int    // calls of SigningKeys
	fail  error  // what every call answers
	lost  error  // what every change answers that was made
	after func() // runs once when User has read, before it returns, and before CustomUser reads
}

func (m *memory) AddUser(_ context.Context, u User) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users == nil {
		m.users = map[chat.Identity]User{}
	}
	_, ok := m.users[u.Identity]
	for _, other := range m.users {
		ok = ok || (u.CustomID != "" && other.CustomID == u.CustomID && other.DeletedOn == 0)
	}
	if !ok && m.fail == nil {
		m.users[u.Identity] = u
	}
	return m.fail
}

func (m *memory) User(_ context.Context, id chat.Identity) (User, error) {
	m.mu.Lock()
	m.reads++
	u, ok := m.users[id]
	err, after := m.fail, m.after
	m.after = nil
	m.mu.Unlock()
	if after != nil {
		after()
	}
	if !ok && err == nil {
		err = &chat.Error{Kind: chat.NotFound}
	}
	return u, err
}

func (m *memory) change(id chat.Identity, f func(*User)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, ok := m.users[id]
	switch {
	case m.fail != nil:
		return m.fail
	case !ok || u.DeletedOn != 0:
		return &chat.Error{Kind: chat.NotFound}
	}
	f(&u)
	m.users[id] = u
	return m.lost
}

func (m *memory) CustomUser(_ context.Context, customID string) (User, error) {
	m.mu.Lock()
	if after := m.after; after != nil {
		m.after = nil
		m.mu.Unlock()
		after()
		m.mu.Lock()
	}
	defer m.mu.Unlock()
	for _, u := range m.users {
		if u.CustomID == customID && u.DeletedOn == 0 {
			return u, m.fail
		}
	}
	return User{}, &chat.Error{Kind: chat.NotFound}
}

func (m *memory) NoteToken(_ context.Context, id chat.Identity, now chat.Time) (issued chat.Time, err error) {
	err = m.change(id, func(u *User) {
		issued = max(now, u.ValidFrom/1000*1000+1000)
		u.TokenOn = max(u.TokenOn, issued)
	})
	return issued, err
}

func (m *memory) RevokeUser(_ context.Context, id chat.Identity, now chat.Time) error {
	return m.change(id, func(u *User) { u.ValidFrom = max(u.ValidFrom, u.TokenOn, now) })
}

func (m *memory) RevokeUserBefore(_ context.Context, id chat.Identity, validFrom chat.Time) error {
	return m.change(id, func(u *User) { u.ValidFrom = max(u.ValidFrom, validFrom) })
}

func (m *memory) DeleteUser(_ context.Context, id chat.Identity, now chat.Time) error {
	return m.change(id, func(u *User) { u.DeletedOn = now })
}

func (m *memory) SigningKeys(context.Context) ([]SigningKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads++
	return append([]SigningKey(nil), m.keys...), m.fail
}

func (m *memory) RemoveSigningKey(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = slices.DeleteFunc(m.keys, func(k SigningKey) bool { return k.ID == id })
	return m.fail
}

func (m *memory) AddSigningKey(_ context.Context, key SigningKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.keys {
		if k.ID == key.ID {
			return m.fail
		}
	}
	m.keys = append(m.keys, key)
	return m.fail
}

// bench is one server with a store of its own.
type bench struct {
	*Identities
	testing.TB
	clock  *clock
	memory *memory
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	c, m := newClock(start), &memory{}
	keys := keySet(tb, testKey(oneDER(), "1"))
	return &bench{Identities: NewIdentities(resource, keys, m, c.now), TB: tb, clock: c, memory: m}
}

func (b *bench) create() chat.Identity {
	b.Helper()
	id, err := b.Create(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return id
}

func (b *bench) issue(id chat.Identity, scopes ...Scope) Token {
	b.Helper()
	token, err := b.Issue(b.Context(), id, scopes, 24*time.Hour, "")
	if err != nil {
		b.Fatal(err)
	}
	return token
}

func (b *bench) accepts(token string) Principal {
	b.Helper()
	p, err := b.Authenticate(b.Context(), token)
	if err != nil {
		b.Errorf("Authenticate: %v, want no error", err)
	}
	return p
}

func (b *bench) refuses(token, reason string) {
	b.Helper()
	_, err := b.Authenticate(b.Context(), token)
	sameError(b, err, &chat.Error{Kind: chat.Unauthorized, Reason: reason})
}

func noError(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// sameError fails the test unless err is the error wanted.
func sameError(tb testing.TB, err, want error) {
	tb.Helper()
	if diff := cmp.Diff(want, err); diff != "" {
		tb.Errorf("error (-want +got):\n%s", diff)
	}
}

// sameAnswer is sameError for tests that do not care about the log.
func sameAnswer(tb testing.TB, err error, want *chat.Error) {
	tb.Helper()
	if diff := cmp.Diff(error(want), err, cmpopts.IgnoreFields(chat.Error{}, "Reason")); diff != "" {
		tb.Errorf("error (-want +got):\n%s", diff)
	}
}
