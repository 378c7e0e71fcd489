package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestPagesOfChangingLists lets things happen between the pages of each list: what was there all the time is listed, and nothing
// is listed twice.
func TestPagesOfChangingLists(t *testing.T) {
	t.Parallel()
	type list struct {
		target, path string
		throughout   []string    // those who stay in it
		between      func(n int) // what happens after page n
	}
	for _, test := range []struct {
		name string
		make func(b *bench, alice caller) list
	}{
		{"threads", func(b *bench, alice caller) list {
			var threads []thread
			for range 7 {
				b.clock.advance(time.Minute)
				threads = append(threads, alice.newThread())
			}
			return list{"/chat/threads", "id", texts(threads), func(n int) {
				b.clock.advance(time.Second)
				for _, i := range [][]int{{0, 6}, {3}, {1, 0}, {2, 5}, {4}, {0}}[n%6] {
					alice.say(threads[i], "moved")
				}
				alice.newThread()
			}}
		}},
		{"threads of the last minute", func(_ *bench, alice caller) list {
			var threads []thread
			for range 7 {
				threads = append(threads, alice.newThread())
			}
			return list{"/chat/threads", "id", texts(threads), func(n int) {
				for _, i := range [][]int{{0, 6}, {3}, {1, 0}, {2, 5}, {4}, {0}}[n%6] {
					alice.say(threads[i], "moved")
				}
			}}
		}},
		{"participants", func(b *bench, alice caller) list {
			others := b.users(7)
			th := alice.newThread(others...)
			return list{th.path("/participants"), "communicationIdentifier.rawId", append([]string{alice.id}, others[4:]...), func(n int) {
				if n > 3 {
					return
				}
				alice.post(th.path("/participants/:remove"), encoded(user(others[n]))).empty(http.StatusNoContent)
				add := encoded(map[string]any{"participants": participants(others[n])}) // who is back is at the end
				alice.post(th.path("/participants/:add"), add).is(http.StatusCreated)
			}}
		}},
		{"receipts", func(b *bench, alice caller) list {
			readers := []caller{alice}
			for range 5 {
				readers = append(readers, b.user())
			}
			th := alice.newThread(raws(readers[1:]...)...)
			message := alice.say(th, "hello")
			for _, r := range readers {
				b.clock.advance(time.Second)
				r.receipt(th, message).empty(http.StatusOK)
			}
			return list{th.path("/readReceipts"), "senderCommunicationIdentifier.rawId", raws(readers...), func(n int) {
				b.clock.advance(time.Second)
				message := alice.say(th, "more")
				for _, i := range [][]int{{0, 5}, {2}, {1, 3}, {4}}[n%4] {
					readers[i].receipt(th, message).empty(http.StatusOK)
				}
			}}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for size := 1; size <= 4; size++ {
				b := newBench(t)
				alice := b.user()
				l := test.make(b, alice)
				var got []string
				for target, n := l.target+"?maxPageSize="+strconv.Itoa(size), 0; target != ""; n++ {
					a := alice.get(target).is(http.StatusOK)
					got = append(got, a.texts("value.*."+l.path)...)
					target = a.text("nextLink")
					if l.between(n); n > 50 {
						t.Fatalf("by %d: the list has no end", size)
					}
				}
				for _, id := range l.throughout {
					if !slices.Contains(got, id) {
						t.Errorf("by %d: %s was there all the time and is not among %v", size, id, got)
					}
				}
				if slices.Sort(got); len(slices.Compact(slices.Clone(got))) != len(got) {
					t.Errorf("by %d: something is listed twice: %v", size, got)
				}
			}
		})
	}
}

func texts[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}
