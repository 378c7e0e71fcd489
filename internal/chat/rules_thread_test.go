package chat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCreateThread(t *testing.T) {
	t.Parallel()
	in := NewThread{
		Topic: "lunch", Metadata: map[string]string{"k": "v"}, Retention: Retention{RetentionCreationDate, 30}, TextOnly: true, Token: "token",
		Participants: []NewParticipant{
			{Identity: bob, DisplayName: "Bob", ShareFrom: noon - 5, Metadata: map[string]string{"role": "guest"}, Roles: []string{"a", "b"}},
		},
	}
	c, invalid, err := createThread(alice, in, everyone(bob), noon)
	accepted(t, err)
	if invalid != nil {
		t.Errorf("cannot be added: %v", invalid)
	}
	want := Thread{
		ID: threadIDFor(alice, "token"), Topic: "lunch", CreatedBy: alice, CreatedOn: noon, Metadata: map[string]string{"k": "v"},
		Retention: Retention{RetentionCreationDate, 30}, TextOnly: true, Seq: 2, LastID: MessageID(noon) + 1, LastOn: noon + 1, Roster: 1, Present: 2,
	}
	if diff := cmp.Diff(want, c.Thread); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
	join := []Participant{
		{Identity: alice, Joined: 1},
		{Identity: bob, DisplayName: "Bob", ShareFrom: noon - 5, Metadata: map[string]string{"role": "guest"}, Roles: []string{"a", "b"}, Joined: 1},
	}
	if diff := cmp.Diff(join, c.Join); diff != "" {
		t.Errorf("participants (-want +got):\n%s", diff)
	}
	// Two system messages with ids of their own, sequence 1 and 2 (102 recorded lists).
	first, second := MessageID(noon), MessageID(noon)+1
	messages := []Message{
		{ID: first, Seq: 1, Version: int64(first), Type: ParticipantAdded, Content: Content{Participants: join, Initiator: alice}},
		{ID: second, Seq: 2, Version: int64(second), Type: TopicUpdated, Content: Content{Topic: "lunch", Initiator: alice}},
	}
	if diff := cmp.Diff(messages, c.Append); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestCreateThreadParticipants(t *testing.T) {
	t.Parallel()
	const teams = Identity("8:orgid:46849534-eb08-4ab7-bde7-c36928cd1547")
	refuse := func(id Identity) InvalidParticipant {
		return InvalidParticipant{Identity: id, Code: "403", Message: "Permissions check failed"}
	}
	for _, c := range []struct {
		name    string
		in      []NewParticipant
		join    []Participant
		invalid []InvalidParticipant
	}{
		{"nobody but the creator", nil, []Participant{{Identity: alice, Joined: 1}}, nil},
		{
			"the creator first, then the order of the request", additions(carol, bob),
			[]Participant{{Identity: alice, Joined: 1}, {Identity: carol, Joined: 1}, {Identity: bob, Joined: 1}},
			nil,
		},
		{
			"a creator who names themselves",
			[]NewParticipant{{Identity: bob}, {Identity: alice, DisplayName: "Alice", ShareFrom: 5}},
			[]Participant{{Identity: alice, DisplayName: "Alice", ShareFrom: 5, Joined: 1}, {Identity: bob, Joined: 1}},
			nil,
		},
		{
			"a creator named twice counts as named first",
			[]NewParticipant{{Identity: alice, DisplayName: "Alice"}, {Identity: alice, DisplayName: "Alicia"}},
			[]Participant{{Identity: alice, DisplayName: "Alice", Joined: 1}},
			nil,
		},
		{
			"somebody named twice counts as named first",
			[]NewParticipant{{Identity: bob, DisplayName: "Bob"}, {Identity: bob, DisplayName: "Robert"}},
			[]Participant{{Identity: alice, Joined: 1}, {Identity: bob, DisplayName: "Bob", Joined: 1}},
			nil,
		},
		{
			"unknown users are left out", additions(dave, bob),
			[]Participant{{Identity: alice, Joined: 1}, {Identity: bob, Joined: 1}},
			[]InvalidParticipant{refuse(dave)},
		},
		{
			"an unknown user named twice is reported once", additions(dave, dave),
			[]Participant{{Identity: alice, Joined: 1}},
			[]InvalidParticipant{refuse(dave)},
		},
		{ // azure-sdk-for-net issue 41885
			"Teams users cannot be added", additions(teams),
			[]Participant{{Identity: alice, Joined: 1}},
			[]InvalidParticipant{refuse(teams)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// The creator is a participant even where the store has not been asked about them.
			known := everyone(bob, carol)
			got, invalid, err := createThread(alice, NewThread{Topic: "lunch", Participants: c.in}, known, noon)
			accepted(t, err)
			if diff := cmp.Diff(c.join, got.Join); diff != "" {
				t.Errorf("participants (-want +got):\n%s", diff)
			}
			if got.Thread.Present != len(c.join) {
				t.Errorf("%d present, want %d", got.Thread.Present, len(c.join))
			}
			if diff := cmp.Diff(c.invalid, invalid); diff != "" {
				t.Errorf("cannot be added (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(everyone(bob, carol), known); diff != "" {
				t.Errorf("the answer of the store was changed:\n%s", diff)
			}
		})
	}
}

func TestCreateThreadRefuses(t *testing.T) {
	t.Parallel()
	_, _, err := createThread(alice, NewThread{}, nil, noon)
	refused(t, err, Invalid, "", why)
	// One malformed id fails all (recordings of the Android and CLI suites).
	refused(t, checkFirst(additions(bob, "8:acs:fakeid")), Invalid, "", "Identifier format is invalid (8:acs:fakeid).")
}

func TestCreateThreadWithoutToken(t *testing.T) {
	t.Parallel()
	const id = "19:given@thread.v2"
	c, _, err := createThread(alice, NewThread{ID: id, Topic: "lunch"}, nil, noon)
	accepted(t, err)
	if c.Thread.ID != id {
		t.Errorf("the thread is %s, want %s", c.Thread.ID, id)
	}
}

func TestUpdateThread(t *testing.T) {
	t.Parallel()
	dinner, lunch, yes := "dinner", "lunch", true
	month := Retention{RetentionCreationDate, 30}
	for _, c := range []struct {
		name  string
		in    ThreadUpdate
		apply func(*Thread) // what becomes of the thread; nil for nothing
	}{
		{"nothing", ThreadUpdate{}, nil},
		{"the topic", ThreadUpdate{Topic: &dinner}, func(t *Thread) {
			t.Topic, t.Seq, t.LastID, t.LastOn = "dinner", 3, MessageID(noon), noon
		}},
		{"the topic as it is", ThreadUpdate{Topic: &lunch}, nil},
		{"a key of metadata", ThreadUpdate{Metadata: map[string]string{"b": "2"}}, func(t *Thread) {
			t.Metadata = map[string]string{"a": "1", "b": "2"}
		}},
		{"a key of metadata that is there", ThreadUpdate{Metadata: map[string]string{"a": "2"}}, func(t *Thread) {
			t.Metadata = map[string]string{"a": "2"}
		}},
		{"a key of metadata as it is", ThreadUpdate{Metadata: map[string]string{"a": "1"}}, nil},
		{"a key of metadata away", ThreadUpdate{Metadata: map[string]string{"a": ""}}, func(t *Thread) { t.Metadata = nil }},
		{"a key of metadata away that is not there", ThreadUpdate{Metadata: map[string]string{"b": ""}}, nil},
		{"all metadata away", ThreadUpdate{ClearMetadata: true}, func(t *Thread) { t.Metadata = nil }},
		{"all metadata away, and another key", ThreadUpdate{ClearMetadata: true, Metadata: map[string]string{"b": "2"}}, func(t *Thread) {
			t.Metadata = map[string]string{"b": "2"}
		}},
		{"empty metadata", ThreadUpdate{Metadata: map[string]string{}}, nil},
		{"the retention", ThreadUpdate{Retention: &month}, func(t *Thread) { t.Retention = month }},
		{"the messaging policy", ThreadUpdate{TextOnly: &yes}, func(t *Thread) { t.TextOnly = true }},
		{"the retention as it is", ThreadUpdate{Retention: &Retention{}}, nil},
		{"the metadata beside the topic as it is", ThreadUpdate{Topic: &lunch, Metadata: map[string]string{"b": "2"}}, func(t *Thread) {
			t.Metadata = map[string]string{"a": "1", "b": "2"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := present(bob) // any participant may: there is no owner
			a.Thread.Metadata = map[string]string{"a": "1"}
			got, err := updateThread(a, bob, c.in, noon)
			accepted(t, err)
			if c.apply == nil {
				if got != nil {
					t.Fatalf("makes a change: %+v", got)
				}
				return
			}
			want := a.Thread
			c.apply(&want)
			if got == nil {
				t.Fatal("makes no change")
			}
			if diff := cmp.Diff(want, got.Thread); diff != "" {
				t.Errorf("thread (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUpdateThreadRefuses(t *testing.T) {
	t.Parallel()
	empty, dinner := "", "dinner"
	_, err := updateThread(present(alice), alice, ThreadUpdate{Topic: &empty}, noon)
	refused(t, err, Invalid, "", why)
	for _, a := range []*Access{stranger(), gone(alice, 5)} {
		_, err = updateThread(a, alice, ThreadUpdate{Topic: &dinner}, noon)
		refused(t, err, Forbidden, "", errNotMember(alice, a.Thread.ID).Message)
	}
}

func TestDeleteThread(t *testing.T) {
	t.Parallel()
	a := present(bob) // not the creator: every participant may
	c, err := deleteThread(a, bob, noon)
	accepted(t, err)
	want := a.Thread
	want.DeletedOn = noon
	if diff := cmp.Diff(want, c.Thread); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
	for _, a := range []*Access{stranger(), gone(alice, 5)} {
		_, err = deleteThread(a, alice, noon)
		refused(t, err, Forbidden, "", errNotMember(alice, a.Thread.ID).Message)
	}
}

func TestExpireThread(t *testing.T) {
	t.Parallel()
	const due = noon + 30*24*60*60*1000
	for _, c := range []struct {
		retention Retention
		now       Time
		expires   bool
	}{
		{Retention{RetentionCreationDate, 30}, due - 1, false},
		{Retention{RetentionCreationDate, 30}, due, true},
		{Retention{RetentionCreationDate, 30}, due + 1, true},
		{Retention{Kind: RetentionNone}, due + 1, false},
		{Retention{}, due + 1, false},
	} {
		thread := conversation()
		thread.CreatedOn, thread.Retention = noon, c.retention
		got := expireThread(&thread, c.now)
		if (got != nil) != c.expires {
			t.Errorf("%+v at %d: expires %t, want %t", c.retention, c.now, got != nil, c.expires)
		}
		if got != nil && (got.Thread.DeletedOn != c.now || got.Actor != "") {
			t.Errorf("deleted on %d by %q, want %d by the service", got.Thread.DeletedOn, got.Actor, c.now)
		}
	}
}
