package storetest

import "github.com/chatd/chatd/internal/chat"

var endpoints = []test{
	{"keep their positions, which never go back", func(b *bundle) {
		save := func(positions ...chat.EndpointPosition) {
			b.Helper()
			b.must(b.db.SaveEndpoints(b.Context(), positions, noon))
		}
		expect := func(who chat.Identity, endpoint string, want int64) {
			b.Helper()
			got, err := b.db.EndpointPosition(b.Context(), who, endpoint)
			b.must(err)
			if got != want {
				b.Errorf("%q of %s is at %d, want %d", endpoint, who, got, want)
			}
		}
		expect(alice, "a", 0)
		save()
		save(chat.EndpointPosition{User: alice, Endpoint: "a", Position: 5}, chat.EndpointPosition{User: alice, Endpoint: "b", Position: 6},
			chat.EndpointPosition{User: bob, Endpoint: "a", Position: 7})
		expect(alice, "a", 5)
		expect(alice, "b", 6)
		expect(bob, "a", 7)
		expect(bob, "b", 0)
		save(chat.EndpointPosition{User: alice, Endpoint: "a", Position: 9}, chat.EndpointPosition{User: alice, Endpoint: "b", Position: 3})
		expect(alice, "a", 9)
		expect(alice, "b", 6)
		for i, text := range odd {
			save(chat.EndpointPosition{User: alice, Endpoint: text, Position: int64(i + 1)})
			expect(alice, text, int64(i+1))
		}
	}},
	{"are forgotten when they were not seen for long", func(b *bundle) {
		for endpoint, seen := range map[string][]chat.Time{"old": {noon}, "new": {noon + 10}, "seen again": {noon, noon + 10}} {
			for _, at := range seen {
				b.must(b.db.SaveEndpoints(b.Context(), []chat.EndpointPosition{{User: alice, Endpoint: endpoint, Position: 5}}, at))
			}
		}
		b.must(b.db.Purge(b.Context(), noon+10))
		for endpoint, want := range map[string]int64{"old": 0, "new": 5, "seen again": 5} {
			got, err := b.db.EndpointPosition(b.Context(), alice, endpoint)
			b.must(err)
			if got != want {
				b.Errorf("the %s one is at %d, want %d", endpoint, got, want)
			}
		}
	}},
}
