package auth

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/chatd/chatd/internal/chat"
)

// nodes are two servers of one store, which has one key; the second has read it when the first has.
func nodes(t *testing.T) (store *memory, first, second *bench) {
	t.Helper()
	store = &memory{keys: []SigningKey{testKey(oneDER(), "1")}}
	c := newClock(start)
	node := func() *bench {
		keys, err := LoadKeySet(t.Context(), store, start)
		noError(t, err)
		return &bench{Identities: NewIdentities(resource, keys, store, c.now), TB: t, clock: c, memory: store}
	}
	return store, node(), node()
}

func signer(t *testing.T, raw string) string {
	t.Helper()
	token, _, err := jwt.NewParser().ParseUnverified(raw, &claims{})
	noError(t, err)
	return keyIn(token)
}

// rotate makes key 2 the active one, as RotateKey does, without the time that it takes to make one.
func rotate(t *testing.T, store *memory, now chat.Time) {
	t.Helper()
	noError(t, store.AddSigningKey(t.Context(), SigningKey{ID: "2", PKCS8: otherDER(), CreatedOn: now}))
}

func TestRotationOfSigningKeys(t *testing.T) {
	t.Parallel()
	store, first, second := nodes(t)
	id := first.create()
	before := first.issue(id, ScopeChat).Value
	rotate(t, store, first.clock.now())

	unheard := first.issue(id, ScopeChat).Value // by a node that has not heard of it
	noError(t, first.keys.Refresh(t.Context()))
	after := first.issue(id, ScopeChat).Value
	if signer(t, before) != "1" || signer(t, unheard) != "1" || signer(t, after) != "2" {
		t.Errorf("signed by %s, %s and %s", signer(t, before), signer(t, unheard), signer(t, after))
	}
	for _, token := range []string{before, unheard, after} { // the second has not heard of key 2 until it meets it
		if got := second.accepts(token).SignedBy; got != signer(t, token) {
			t.Errorf("signed by %s, want %s", got, signer(t, token))
		}
		first.accepts(token)
	}
	// What the first key signed is over after a day; what somebody signs with it afterwards is refused.
	first.clock.advance(24*time.Hour + keyGrace - time.Millisecond)
	forged := func(kid string, key []byte) string {
		iat := seconds(first.clock.now())
		raw, err := keySet(t, testKey(key, kid)).sign(newClaims(resource, id, []Scope{ScopeChat}, iat, iat+3600), "")
		noError(t, err)
		return raw
	}
	late := forged("1", oneDER())
	first.accepts(late)
	if n := len(jwksKeys(t, published(t, first.keys, first.clock.now()))); n != 2 {
		t.Errorf("%d keys are published, want 2", n)
	}
	first.clock.advance(time.Millisecond)
	first.refuses(late, "signing key is retired")
	second.refuses(late, "unknown kid")
	second.accepts(forged("2", otherDER()))
	if keys := jwksKeys(t, published(t, first.keys, first.clock.now())); len(keys) != 1 || keys["2"] == nil {
		t.Errorf("%d keys are published, want the second", len(keys))
	}
}

func TestRetirement(t *testing.T) {
	t.Parallel()
	store, first, second := nodes(t)
	token := first.issue(first.create(), ScopeChat).Value
	p := second.accepts(token)
	rotate(t, store, start+1)
	for id, want := range map[string]string{"2": "active", "3": "no signing key"} {
		if err := RetireKey(t.Context(), store, id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("retire %s: %v, want %q", id, err, want)
		}
	}
	first.accepts(token)
	noError(t, RetireKey(t.Context(), store, "1"))
	for _, node := range []*bench{first, second} {
		noError(t, node.keys.Refresh(t.Context()))
		node.refuses(token, "signing key is retired") // although it is remembered
		sameError(t, node.Revalidate(t.Context(), p), &chat.Error{Kind: chat.Unauthorized, Reason: "signing key is retired"})
	}
	p.SignedBy = ""
	noError(t, first.Revalidate(t.Context(), p)) // of an allocation that an older version gave
}

// The newest key is the active one on machines whose clocks disagree, and of two rotations at once one counts.
func TestRotateKey(t *testing.T) {
	t.Parallel()
	store := &memory{}
	if _, err := RotateKey(t.Context(), store, start); !errors.Is(err, ErrNoKeys) {
		t.Errorf("of no key: %v", err)
	}
	store.keys = []SigningKey{{ID: "old", CreatedOn: 1}, testKey(oneDER(), "1")}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if id, err := RotateKey(t.Context(), store, start-3_600_000); err != nil || id != "2" && id != "3" {
				t.Errorf("%q %v", id, err)
			}
		})
	}
	both.Wait()
	last := store.keys[len(store.keys)-1]
	if last.CreatedOn <= start {
		t.Errorf("created at %d, the one before at %d", last.CreatedOn, start)
	}
	s, err := ReadKeySet(t.Context(), store)
	if err == nil || !strings.Contains(err.Error(), `"old"`) {
		t.Errorf("%v %v", s, err)
	}
}

func TestRefreshKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*memory){
		"store fails":   func(m *memory) { m.fail = errors.New("store is down") },
		"keys are lost": func(m *memory) { m.keys = nil },
		"broken key":    func(m *memory) { m.keys = append(m.keys, testKey([]byte("x"), "2")) },
	} {
		store := &memory{keys: []SigningKey{testKey(oneDER(), "1")}}
		keys, err := ReadKeySet(t.Context(), store)
		noError(t, err)
		spoil(store)
		if err := keys.Refresh(t.Context()); err == nil || !keys.verifies("1", start) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadKeySet(t.Context(), &memory{}); !errors.Is(err, ErrNoKeys) {
		t.Errorf("nothing to read: %v", err)
	}
}

// Anybody can send tokens of unknown keys: the store is read for them one at a time, and ten times a second at most. None of
// them is decided by a reading that began before it came.
func TestUnknownKeysDoNotFloodTheStore(t *testing.T) {
	t.Parallel()
	key, err := parseKey(oneDER())
	noError(t, err)
	iat := seconds(start)
	var tokens []string
	for i := range 300 {
		c := newClaims(resource, user1, []Scope{ScopeChat}, iat, iat+3600)
		tokens = append(tokens, forge(t, jwt.SigningMethodRS256, fmt.Sprint("unknown ", i), key, c))
	}
	synctest.Test(t, func(t *testing.T) {
		store, b, other := nodes(t)
		before, began := store.loads, time.Now()
		var all sync.WaitGroup
		for i, token := range tokens {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				b.refuses(token, "unknown kid")
			})
		}
		all.Wait()
		spent := time.Since(began)
		if most := int(spent/reloadGap) + 1; store.loads-before > most || spent > 3*time.Second+2*reloadGap {
			t.Errorf("the store was read %d times in %s, want %d at most", store.loads-before, spent, most)
		}
		rotate(t, store, start+1)
		noError(t, other.keys.Refresh(t.Context()))
		b.accepts(other.issue(other.create(), ScopeChat).Value)
	})
}

func TestUnknownKeyWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	store, first, second := nodes(t)
	id := first.create()
	rotate(t, store, start+1)
	noError(t, first.keys.Refresh(t.Context()))
	token := first.issue(id, ScopeChat).Value
	down := errors.New("store is down")
	store.fail = down
	if _, err := second.Authenticate(t.Context(), token); !errors.Is(err, down) {
		t.Errorf("%v, want that the store is down: the token may be good", err)
	}
	store.fail, store.keys = nil, nil
	second.refuses(token, "unknown kid")
}
