package chat_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	alice := b.user(1)
	const day = 24 * time.Hour
	create := func(r chat.Retention) chat.ThreadID {
		c, err := b.CreateThread(ctx, alice, chat.NewThread{Topic: "lunch", Retention: r})
		b.must(err)
		return c.Thread.ID
	}
	threads := func() map[chat.ThreadID]bool {
		got, _, err := b.ListThreads(ctx, alice, chat.ThreadQuery{Limit: 1000})
		b.must(err)
		deleted := map[chat.ThreadID]bool{}
		for _, item := range got {
			deleted[item.ID] = item.DeletedOn != 0
		}
		return deleted
	}
	want := map[chat.ThreadID]bool{}
	for range 101 { // more than one batch
		want[create(chat.Retention{Kind: chat.RetentionCreationDate, Days: 30})] = true
	}
	longer := create(chat.Retention{Kind: chat.RetentionCreationDate, Days: 90})
	want[longer] = false
	want[create(chat.Retention{Kind: chat.RetentionNone})] = false
	want[create(chat.Retention{})] = false

	b.must(b.Sweep(ctx, 30*day))
	for id, deleted := range threads() {
		if deleted {
			t.Fatalf("%s is deleted before its time", id)
		}
	}
	b.now += chat.Time((31 * day).Milliseconds())
	b.must(b.Sweep(ctx, 30*day))
	if diff := cmp.Diff(want, threads()); diff != "" {
		t.Errorf("threads and whether they are deleted, after a month (-want +got):\n%s", diff)
	}
	b.now += chat.Time((31 * day).Milliseconds())
	b.must(b.Sweep(ctx, 30*day))
	for id, deleted := range want {
		if deleted {
			delete(want, id)
		}
	}
	if diff := cmp.Diff(want, threads()); diff != "" {
		t.Errorf("threads after two months (-want +got):\n%s", diff)
	}
}

// That somebody was typing leaves the journal after hours, by a node whose clock is an hour ahead no sooner than after one.
func TestSweepTyping(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.user(1)
	thread := b.thread(alice)
	typing := func() (n int) {
		events, err := b.store.After(t.Context(), 0, 100)
		b.must(err)
		for _, e := range events {
			if e.Kind == chat.TypingReceived {
				n++
			}
		}
		return n
	}
	b.must(b.SendTyping(t.Context(), alice, thread, ""))
	b.say(alice, thread, "hello")
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{time.Hour, 1}, {30 * time.Minute, 1}, {time.Hour, 0}} {
		b.now += chat.Time(step.after.Milliseconds())
		b.must(b.Sweep(t.Context(), 30*24*time.Hour))
		if got := typing(); got != step.want {
			t.Errorf("after %s more, the journal has typing %d times, want %d", step.after, got, step.want)
		}
	}
}
