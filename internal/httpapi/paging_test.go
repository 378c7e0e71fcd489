package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"
)

// walk follows the nextLinks of a list and returns its pages: what the path holds of each item.
func (c caller) walk(target, path string) [][]string {
	c.b.Helper()
	var pages [][]string
	for target != "" {
		a := c.get(target).is(http.StatusOK)
		pages = append(pages, a.texts("value.*."+path))
		if target = a.text("nextLink"); len(pages) > 1000 {
			c.b.Fatal("a list has no end")
		}
	}
	return pages
}

func sizes(pages [][]string) string {
	out := make([]int, len(pages))
	for i, p := range pages {
		out[i] = len(p)
	}
	return fmt.Sprint(out)
}

// A full page of messages has a nextLink always, so an exact multiple ends with an empty page (12 of 12 recorded lists;
// the .NET tests count pages).
func TestPagesOfMessages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	for range 6 {
		alice.say(th, "hello")
	}
	for _, test := range []struct {
		size int
		want string
	}{{1, "[1 1 1 1 1 1 1 1 0]"}, {2, "[2 2 2 2 0]"}, {3, "[3 3 2]"}, {4, "[4 4 0]"}, {7, "[7 1]"}, {8, "[8 0]"}, {9, "[8]"}} {
		pages := alice.walk(th.path("/messages?maxPageSize="+strconv.Itoa(test.size)), "sequenceId")
		if got := sizes(pages); got != test.want {
			t.Errorf("pages of %d: %s, want %s", test.size, got, test.want)
		}
		if all := slices.Concat(pages...); !slices.Equal(all, []string{"8", "7", "6", "5", "4", "3", "2", "1"}) {
			t.Errorf("pages of %d hold %v, want each once, newest first", test.size, all)
		}
	}
}

// What arrives between two pages does not move the second.
func TestPagesOfMessagesAreStable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	alice.say(th, "hello")
	first := alice.get(th.path("/messages?maxPageSize=2")).holds("value.*.sequenceId", "3", "2")
	alice.say(th, "more")
	alice.delete(th.path("/messages/" + first.text("value.1.id"))) // a system message stays
	alice.get(first.text("nextLink")).is(http.StatusOK).holds("value.*.sequenceId", "1")
}

func TestPagesOfMessagesKeepStartTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread()
	b.clock.advance(time.Minute)
	from := b.clock.now().Std().Format(time.RFC3339Nano)
	for range 4 {
		alice.say(th, "hello")
	}
	pages := alice.walk(th.path("/messages?maxPageSize=2&startTime="+from), "sequenceId")
	if got := fmt.Sprint(pages); got != "[[6 5] [4 3] []]" {
		t.Errorf("pages are %s, want those from the start time on", got)
	}
}

func TestPagesOfRemovedUser(t *testing.T) {
	t.Parallel()
	w := newWorld(newBench(t))
	w.alice.post(w.at("/participants/:remove"), encoded(user(w.bob.id))).empty(http.StatusNoContent)
	w.alice.say(w.thread, "he is gone")
	pages := w.bob.walk(w.at("/messages?maxPageSize=2"), "sequenceId")
	if got := fmt.Sprint(pages); got != "[[4 3] [2 1] []]" {
		t.Errorf("pages are %s, want those up to the removal", got)
	}
}

// Threads, participants and receipts have a nextLink exactly when there is more (9 of 9 recorded lists of participants).
func TestPagesThatEndWithTheLast(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	var want []string
	var th thread
	readers := []caller{alice}
	for range 5 {
		b.clock.advance(time.Second)
		readers = append(readers, b.user())
		th = alice.newThread(raws(readers[1:]...)...)
		want = append(want, string(th))
	}
	slices.Reverse(want)
	message := alice.say(th, "hello")
	for _, r := range readers {
		b.clock.advance(time.Second)
		r.receipt(th, message).empty(http.StatusOK)
	}
	for _, list := range []struct {
		name, target, path string
		want               []string
	}{
		{"threads", "/chat/threads", "id", want},
		{"participants", th.path("/participants"), "communicationIdentifier.rawId", raws(readers...)},
		{"receipts", th.path("/readReceipts"), "senderCommunicationIdentifier.rawId", newestFirst(raws(readers...))},
	} {
		for size := 1; size <= len(list.want)+1; size++ {
			pages := alice.walk(list.target+"?maxPageSize="+strconv.Itoa(size), list.path)
			if all := slices.Concat(pages...); !slices.Equal(all, list.want) {
				t.Errorf("%s by %d are %v, want %v", list.name, size, all, list.want)
			}
			if n := (len(list.want) + size - 1) / size; len(pages) != n {
				t.Errorf("%s by %d have pages of %s, want %d pages", list.name, size, sizes(pages), n)
			}
		}
	}
}

func newestFirst(inOrder []string) []string {
	out := slices.Clone(inOrder)
	slices.Reverse(out)
	return out
}

// Threads of the same moment, of which there are many in tests, are told apart.
func TestPagesOfThreadsOfOneMoment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	want := map[string]bool{}
	for range 7 {
		want[string(alice.newThread())] = true
	}
	for _, id := range slices.Concat(alice.walk("/chat/threads?maxPageSize=2", "id")...) {
		if !want[id] {
			t.Errorf("thread %s is listed twice or is unknown", id)
		}
		delete(want, id)
	}
	if len(want) > 0 {
		t.Errorf("%d threads are not listed: %v", len(want), want)
	}
}

func TestPagesOfThreadsKeepStartTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	alice.newThread()
	b.clock.advance(time.Minute)
	from := b.clock.stamp()
	second, third := alice.newThread(), alice.newThread()
	pages := alice.walk("/chat/threads?maxPageSize=1&startTime="+from, "id")
	if got, want := fmt.Sprint(pages), fmt.Sprint([][]string{{string(third)}, {string(second)}}); got != want {
		t.Errorf("pages are %s, want %s", got, want)
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	others := b.users(3)
	th := alice.newThread(others...)
	const path = "value.*.communicationIdentifier.rawId"
	alice.get(th.path("/participants?skip=0")).holds(path, anys(append([]string{alice.id}, others...)...)...)
	alice.get(th.path("/participants?skip=2")).holds(path, others[1], others[2]).lacks("nextLink")
	alice.get(th.path("/participants?skip=4")).holds(path).lacks("nextLink")
	alice.get(th.path("/participants?skip=9223372036854775807")).holds(path).lacks("nextLink")
}

// The largest page of messages is documented (service limits of ACS); more is cut to it.
func TestPageSizes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	alice := b.user()
	th := alice.newThread(b.users(110)...)
	for range 199 {
		alice.say(th, "hello")
	}
	for range 104 {
		alice.newThread()
	}
	for _, test := range []struct {
		target string
		want   int
		link   string // size in the nextLink; empty: there is none
	}{
		{th.path("/messages"), 100, "100"},
		{th.path("/messages?maxPageSize=200"), 200, "200"},
		{th.path("/messages?maxPageSize=201"), 200, "200"},
		{th.path("/messages?maxPageSize=2147483648"), 200, "200"},
		{th.path("/participants"), 100, "100"},
		{th.path("/participants?maxPageSize=101"), 100, "100"},
		{"/chat/threads", 100, "100"},
		{"/chat/threads?maxPageSize=101", 100, "100"},
	} {
		a := alice.get(test.target).is(http.StatusOK)
		if got := len(a.texts("value.*.id")); got != test.want {
			t.Errorf("%s: %d items, want %d", test.target, got, test.want)
		}
		if got := linkQuery(t, a.text("nextLink")).Get("maxPageSize"); got != test.link {
			t.Errorf("%s: the nextLink asks for %q, want %q", test.target, got, test.link)
		}
	}
}
