package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/chatd/chatd/internal/chat"
)

// skews are how far the clock of one node is ahead of that of another.
var skews = []time.Duration{-time.Hour, -3 * time.Second, -500 * time.Millisecond, 0, 500 * time.Millisecond, 3 * time.Second, time.Hour}

// pair is two nodes on one store, the second with a clock of its own.
func pair(tb testing.TB, skew time.Duration) (nodes [2]*bench) {
	tb.Helper()
	one := newBench(tb)
	clock := newClock(one.clock.now())
	clock.advance(skew)
	two := &bench{Identities: NewIdentities(resource, one.keys, one.memory, clock.now), TB: tb, clock: clock, memory: one.memory}
	return [2]*bench{one, two}
}

// A revocation ends every token that was issued before, on whichever node and whatever the clocks say, and none that is issued
// after.
func TestRevocationByAnotherClock(t *testing.T) {
	t.Parallel()
	for _, skew := range skews {
		for _, order := range []string{"0101", "1010", "0011", "1100", "0110"} { // who issues and who revokes, in turns
			t.Run(fmt.Sprint(skew, " ", order), func(t *testing.T) {
				t.Parallel()
				nodes := pair(t, skew)
				id := nodes[0].create()
				var dead []string
				for i := 0; i < len(order); i += 2 {
					issuer, revoker := nodes[order[i]-'0'], nodes[order[i+1]-'0']
					token := issuer.issue(id, ScopeChat).Value
					for _, n := range nodes {
						n.accepts(token)
					}
					noError(t, revoker.Revoke(t.Context(), id))
					dead = append(dead, token)
					for _, n := range nodes {
						n.Forget(id) // as the journal has them do
						for _, token := range dead {
							n.refuses(token, "token is revoked")
						}
						n.clock.advance(10 * time.Millisecond)
					}
				}
				for _, n := range nodes {
					token := n.issue(id, ScopeChat).Value
					for _, m := range nodes {
						m.accepts(token)
					}
				}
			})
		}
	}
}

// A revocation between the moment at which a token is asked for and that at which it is made does not end it, and one after
// that does.
func TestRevocationDuringIssue(t *testing.T) {
	t.Parallel()
	for _, skew := range skews {
		nodes := pair(t, skew)
		id := nodes[0].create()
		nodes[0].memory.after = func() { noError(t, nodes[1].Revoke(t.Context(), id)) }
		token := nodes[0].issue(id, ScopeChat).Value
		for _, n := range nodes {
			n.accepts(token)
		}
		noError(t, nodes[1].Revoke(t.Context(), id))
		for _, n := range nodes {
			n.Forget(id)
			n.refuses(token, "token is revoked")
		}
	}
}

// What was minted offline counts from when a node has seen it.
func TestRevocationOfOfflineTokens(t *testing.T) {
	t.Parallel()
	for _, skew := range skews {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprint(skew, " known ", known), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				elsewhere := newBench(t) // with a store of its own, and the same keys
				elsewhere.clock.advance(skew)
				id := elsewhere.create()
				if known {
					noError(t, b.memory.AddUser(t.Context(), User{Identity: id, CreatedOn: start}))
					b.accepts(b.issue(id, ScopeChat).Value)
				}
				token := elsewhere.issue(id, ScopeChat).Value
				b.accepts(token)
				noError(t, b.Revoke(t.Context(), id))
				b.refuses(token, "token is revoked")
				b.accepts(b.issue(id, ScopeChat).Value)
			})
		}
	}
}

// A token lives as long as was asked for by the clock of its node, also when a node ahead has revoked those before.
func TestLifetimeByAnotherClock(t *testing.T) {
	t.Parallel()
	nodes := pair(t, time.Hour)
	id := nodes[0].create()
	noError(t, nodes[1].Revoke(t.Context(), id))
	token := nodes[0].issue(id, ScopeChat)
	if want := start.Std().Add(24 * time.Hour); !token.ExpiresOn.Equal(want) {
		t.Errorf("it expires on %s, want %s", token.ExpiresOn, want)
	}
	p := nodes[0].accepts(token.Value)
	if want := chat.TimeOf(token.ExpiresOn.Truncate(time.Second)); p.Expires != want {
		t.Errorf("its claim says %d, want %d", p.Expires, want)
	}
}
