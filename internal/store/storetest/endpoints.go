package storetest

import (
	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/delivery"
)

// epid is an endpoint of alice.
const epid = "a"

// connect adds a connection, after one of the same server or 0. If the endpoint is new or had ended, it begins at position
// 100 times its number.
func (b *bundle) connect(number, before int64) delivery.Endpoint {
	b.Helper()
	e, err := b.db.ConnectEndpoint(b.Context(), delivery.Connection{User: alice, Endpoint: epid, Number: number, Previous: before, Position: chat.Position(100 * number), At: noon})
	b.must(err)
	return e
}

// acknowledge saves how far the client has acknowledged over a connection.
func (b *bundle) acknowledge(owner int64, position chat.Position, released bool) {
	b.Helper()
	b.must(b.db.SaveEndpoints(b.Context(), []delivery.Acknowledged{{User: alice, Endpoint: epid, Owner: owner, Position: position, Released: released}}, noon))
}

func (b *bundle) register(format string) {
	b.Helper()
	b.must(b.db.RegisterEndpoint(b.Context(), alice, epid, format, noon))
}

func (b *bundle) endpoint(who chat.Identity, id string) delivery.Endpoint {
	b.Helper()
	e, err := b.db.Endpoint(b.Context(), who, id)
	b.must(err)
	return e
}

// announced returns the numbers of connections in the events for servers.
func (b *bundle) announced() []int64 {
	b.Helper()
	events, err := b.db.After(b.Context(), 0, 100)
	b.must(err)
	var out []int64
	for i := range events {
		number := events[i].Version
		want := delivery.Changed(alice, epid, number, noon)
		want.Position = events[i].Position
		b.equal("event", want, events[i])
		out = append(out, number)
	}
	return out
}

// known is alice's endpoint.
func known(newest, owner int64, position chat.Position) delivery.Endpoint {
	return delivery.Endpoint{User: alice, ID: epid, Newest: newest, Owner: owner, Position: position, Format: "web"}
}

var endpoints = []test{
	{"number their connections and keep a position", func(b *bundle) {
		b.equal("unknown", delivery.Endpoint{User: alice, ID: epid}, b.endpoint(alice, epid))
		b.equal("new", known(1, 1, 100), b.connect(1, 0))
		b.acknowledge(1, 105, false)
		b.acknowledge(1, 103, false)
		b.equal("acknowledged", known(1, 1, 105), b.endpoint(alice, epid))
		b.acknowledge(1, 106, true)
		b.equal("left", known(1, 0, 106), b.endpoint(alice, epid))
		b.acknowledge(1, 107, false) // comes too late
		b.equal("back", known(2, 2, 106), b.connect(2, 0))
		b.equal("announced", []int64(nil), b.announced())
	}},
	{"have nothing to do with each other", func(b *bundle) {
		var positions []delivery.Acknowledged
		for i, text := range append(odd, epid) {
			for j, who := range []chat.Identity{alice, bob} {
				a := delivery.Connection{User: who, Endpoint: text, Number: 1, Position: chat.Position(10 * i), At: noon}
				_, err := b.db.ConnectEndpoint(b.Context(), a)
				b.must(err)
				positions = append(positions, delivery.Acknowledged{User: who, Endpoint: text, Owner: 1, Position: chat.Position(10*i + j + 1)})
			}
		}
		b.must(b.db.SaveEndpoints(b.Context(), nil, noon))
		b.must(b.db.SaveEndpoints(b.Context(), positions, noon))
		for _, p := range positions {
			want := delivery.Endpoint{User: p.User, ID: p.Endpoint, Newest: 1, Owner: 1, Position: p.Position, Format: "web"}
			b.equal("endpoint", want, b.endpoint(p.User, p.Endpoint))
		}
	}},
	{"take each number once, and in order", func(b *bundle) {
		b.connect(1, 0)
		b.connect(2, 1)
		for _, number := range []int64{1, 2, 4} {
			_, err := b.db.ConnectEndpoint(b.Context(), delivery.Connection{User: alice, Endpoint: epid, Number: number, At: noon})
			b.kind("again", err, chat.NotFound)
		}
		b.equal("endpoint", known(2, 2, 100), b.endpoint(alice, epid))
	}},
	{"take each number once, at the same time", func(b *bundle) {
		const n = 8
		errs := make([]error, n)
		together(n, func(i int) {
			_, errs[i] = b.db.ConnectEndpoint(b.Context(), delivery.Connection{User: alice, Endpoint: epid, Number: 1, At: noon})
		})
		connected := 0
		for _, err := range errs {
			if err == nil {
				connected++
			} else {
				b.kind("again", err, chat.NotFound)
			}
		}
		b.equal("connected", 1, connected)
	}},
	{"have a connection wait for one of another server, which is notified", func(b *bundle) {
		b.connect(1, 0)
		b.equal("waiting", known(2, 1, 100), b.connect(2, 0))
		b.acknowledge(1, 101, false)
		b.acknowledge(2, 999, false) // is not the owner yet
		b.equal("waiting on", known(3, 1, 101), b.connect(3, 0))
		_, err := b.db.TakeEndpoint(b.Context(), alice, epid, 2)
		b.kind("taking, for one that is not the newest", err, chat.NotFound)
		b.acknowledge(1, 102, true)
		e, err := b.db.TakeEndpoint(b.Context(), alice, epid, 3)
		b.must(err)
		b.equal("taken", known(3, 3, 102), e)
		b.acknowledge(1, 999, false)
		b.acknowledge(1, 999, true)
		b.equal("in the end", known(3, 3, 102), b.endpoint(alice, epid))
		b.equal("announced", []int64{2, 3}, b.announced())
	}},
	{"are taken from a server that does not let go", func(b *bundle) {
		b.connect(1, 0)
		b.connect(2, 0)
		e, err := b.db.TakeEndpoint(b.Context(), alice, epid, 2)
		b.must(err)
		b.equal("taken", known(2, 2, 100), e)
		b.acknowledge(1, 999, true)
		b.equal("in the end", known(2, 2, 100), b.endpoint(alice, epid))
	}},
	{"keep a format, and servers are notified of another", func(b *bundle) {
		b.register("native") // is not known yet
		b.equal("new", known(1, 1, 100), b.connect(1, 0))
		b.register("web")
		b.equal("announced", []int64(nil), b.announced())
		b.register("native")
		b.register("native")
		want := known(2, 2, 100)
		want.Format = "native"
		b.equal("back", want, b.connect(2, 1))
		b.equal("announced", []int64{0}, b.announced())
	}},
	{"begin at the present when they had ended", func(b *bundle) {
		end := func() {
			b.Helper()
			b.must(b.db.EndEndpoint(b.Context(), alice, epid))
		}
		end() // is not known yet
		b.connect(1, 0)
		b.acknowledge(1, 110, false)
		end()
		b.acknowledge(1, 120, true)
		b.register("web") // does not go on, as nobody is connected
		want := known(2, 2, 200)
		want.Ended = 1
		b.equal("begun again", want, b.connect(2, 0))
		b.acknowledge(2, 210, true)
		want = known(3, 3, 210)
		want.Ended = 1
		b.equal("back", want, b.connect(3, 0))
		end() // comes late: it is of the connection before
		b.register("web")
		b.equal("in the end", known(4, 4, 210), b.connect(4, 3))
	}},
	{"are let go of by a server that begins", func(b *bundle) {
		b.connect(1, 0)
		b.must(b.db.ReleaseEndpoints(b.Context()))
		want := known(1, 0, 100)
		if b.engine.Shared {
			want.Owner = 1 // the others are still there
		}
		b.equal("endpoint", want, b.endpoint(alice, epid))
	}},
	{"are forgotten when they were not seen for long", func(b *bundle) {
		for _, id := range []string{"old", "new", "seen again", "back"} {
			at := noon
			if id == "new" {
				at = noon + 10
			}
			_, err := b.db.ConnectEndpoint(b.Context(), delivery.Connection{User: alice, Endpoint: id, Number: 1, At: at})
			b.must(err)
		}
		b.must(b.db.SaveEndpoints(b.Context(), []delivery.Acknowledged{{User: alice, Endpoint: "seen again", Owner: 1, Position: 5}}, noon+10))
		_, err := b.db.ConnectEndpoint(b.Context(), delivery.Connection{User: alice, Endpoint: "back", Number: 2, At: noon + 10})
		b.must(err)
		b.must(b.db.Purge(b.Context(), noon+10))
		for id, want := range map[string]int64{"old": 0, "new": 1, "seen again": 1, "back": 2} {
			b.equal(id, want, b.endpoint(alice, id).Newest)
		}
	}},
	{"beyond the quota of a user are forgotten, those without a connection first", func(b *bundle) {
		b.must(b.db.Close())
		b.openWith(Options{Endpoints: 3})
		connect := func(who chat.Identity, id string, number int64, at chat.Time, left bool) {
			b.Helper()
			_, err := b.db.ConnectEndpoint(b.Context(), delivery.Connection{User: who, Endpoint: id, Number: number, At: at})
			b.must(err)
			if left {
				b.must(b.db.SaveEndpoints(b.Context(), []delivery.Acknowledged{{User: who, Endpoint: id, Owner: number, Position: 5, Released: true}}, at))
			}
		}
		kept := func(want string) {
			b.Helper()
			got := ""
			for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
				if b.endpoint(alice, id).Newest > 0 {
					got += id
				}
			}
			b.equal("kept", want, got)
		}
		connect(bob, "a", 1, noon, true) // has a quota of its own
		connect(alice, "a", 1, noon, false)
		connect(alice, "b", 1, noon+1, true)
		connect(alice, "c", 1, noon+2, true)
		kept("abc")
		connect(alice, "b", 2, noon+3, true) // is there already
		kept("abc")
		connect(alice, "d", 1, noon+4, false)
		kept("abd") // c was not seen for longest; a is connected
		connect(alice, "e", 1, noon+5, false)
		kept("ade")
		connect(alice, "f", 1, noon+6, false)
		kept("def") // all have connections
		b.equal("that of another user", int64(1), b.endpoint(bob, "a").Newest)
		connect(alice, "c", 2, noon+7, true) // comes back as a new one
		b.equal("position", chat.Position(5), b.endpoint(alice, "c").Position)
	}},
}
