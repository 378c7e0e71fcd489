package chat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAddParticipants(t *testing.T) {
	t.Parallel()
	a := present(bob) // any participant may add
	here := []Participant{{Identity: alice, Joined: 1}, {Identity: bob, Joined: 1}}
	in := []NewParticipant{
		{Identity: dave},
		{Identity: alice, DisplayName: "Somebody"},
		{Identity: carol, DisplayName: "Carol", ShareFrom: noon, Metadata: map[string]string{"role": "guest"}},
	}
	c, invalid, err := addParticipants(a, here, bob, in, everyone(alice, carol), noon)
	accepted(t, err)
	join := []Participant{{Identity: carol, DisplayName: "Carol", ShareFrom: noon, Metadata: map[string]string{"role": "guest"}, Joined: 2}}
	if diff := cmp.Diff(join, c.Join); diff != "" {
		t.Errorf("participants (-want +got):\n%s", diff)
	}
	want := a.Thread
	want.Roster, want.Present, want.Seq, want.LastID, want.LastOn = 2, 3, 3, MessageID(noon), noon
	if diff := cmp.Diff(want, c.Thread); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
	// Text and code: recordings of the CLI suite.
	if diff := cmp.Diff([]InvalidParticipant{{Identity: dave, Code: "403", Message: "Permissions check failed"}}, invalid); diff != "" {
		t.Errorf("cannot be added (-want +got):\n%s", diff)
	}
}

func TestAddParticipantsRefuses(t *testing.T) {
	t.Parallel()
	refused(t, checkParticipants(additions(bob, "8:acs:fakeid")), Invalid, "", "Identifier format is invalid (8:acs:fakeid).")
	for _, a := range []*Access{stranger(), gone(alice, 5)} {
		_, _, err := addParticipants(a, nil, alice, additions(bob), everyone(bob), noon)
		refused(t, err, Forbidden, "", errNotMember(alice, a.Thread.ID).Message)
	}
}

// The one added hears of it although they came with it; what was said before is theirs to read from their share time.
func TestAddedParticipantSeesTheirComing(t *testing.T) {
	t.Parallel()
	c, _, err := addParticipants(present(alice), nil, alice, []NewParticipant{{Identity: carol, ShareFrom: noon}}, everyone(carol), noon)
	accepted(t, err)
	access := Access{Thread: c.Thread, Stay: &c.Join[0]}
	if !access.sees(c.Append[0].ID) {
		t.Error("carol does not see that she came")
	}
	if access.sees(conversation().LastID) {
		t.Error("carol sees what was said before her share time")
	}
}

// The history of a new participant begins with the message that tells of them at the latest.
func TestHistoryBeginsWithJoining(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		share        Time
		last         MessageID // of the thread before
		want, joined Time
	}{
		{"all", 0, MessageID(noon - 5), 0, noon},
		{"a moment before 1970", -5, MessageID(noon - 5), -5, noon},
		{"a moment before", noon - 1, MessageID(noon - 5), noon - 1, noon},
		{"now", noon, MessageID(noon - 5), noon, noon},
		{"a millisecond to come", noon + 1, MessageID(noon - 5), noon, noon},
		{"the end of time", 1<<63 - 1, MessageID(noon - 5), noon, noon},
		{"the end of time, in a millisecond that is taken", 1<<63 - 1, MessageID(noon), noon + 1, noon + 1},
		{"the end of time, while the clock is behind", 1<<63 - 1, MessageID(noon + 5000), noon + 5001, noon + 5001},
	} {
		a := present(alice)
		a.Thread.LastID, a.Thread.LastOn = c.last, Time(c.last)
		got, _, err := addParticipants(a, nil, alice, []NewParticipant{{Identity: carol, ShareFrom: c.share}}, everyone(carol), noon)
		accepted(t, err)
		if p := got.Join[0]; p.ShareFrom != c.want || got.Append[0].CreatedOn() != c.joined {
			t.Errorf("%s: shared from %d, joined at %d; want %d and %d", c.name, p.ShareFrom, got.Append[0].CreatedOn(), c.want, c.joined)
		}
		if diff := cmp.Diff(got.Join, got.Append[0].Content.Participants); diff != "" {
			t.Errorf("%s: the message tells another (-joined +told):\n%s", c.name, diff)
		}
	}
	got, _, err := createThread(alice, NewThread{Topic: "lunch", Participants: []NewParticipant{{Identity: bob, ShareFrom: noon + 1}}}, everyone(bob), noon)
	accepted(t, err)
	if from := got.Join[1].ShareFrom; from != noon {
		t.Errorf("in a new thread: shared from %d, want from its first message, %d", from, noon)
	}
}

func TestRemoveParticipant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		who     Identity
		present int // before
	}{
		{"somebody else", bob, 2},
		{"oneself", alice, 2},
		{"oneself, the last one", alice, 1}, // the CLI suite: 204
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, target := present(alice), present(c.who)
			a.Thread.Present = c.present
			got, err := removeParticipant(a, target, alice, c.who, noon)
			accepted(t, err)
			want := a.Thread
			want.Roster, want.Present, want.Seq, want.LastID, want.LastOn = 2, c.present-1, 3, MessageID(noon), noon
			if diff := cmp.Diff(want, got.Thread); diff != "" {
				t.Errorf("thread (-want +got):\n%s", diff)
			}
			// The message of the removal is the last of the stay.
			stay := Participant{Identity: c.who, DisplayName: name(c.who), Joined: 1, Left: 2, Until: MessageID(noon)}
			if diff := cmp.Diff([]Participant{stay}, got.Leave); diff != "" {
				t.Errorf("stay (-want +got):\n%s", diff)
			}
			access := Access{Thread: got.Thread, Stay: &got.Leave[0]}
			if access.member(c.who) == nil || access.reader(c.who) != nil {
				t.Error("who was removed is to be a reader and no member")
			}
			if !access.sees(got.Append[0].ID) || access.sees(got.Append[0].ID+1) {
				t.Error("who was removed is to see their removal and nothing after it")
			}
		})
	}
}

func TestRemoveParticipantRefuses(t *testing.T) {
	t.Parallel()
	// Recordings of the CLI suite: the id is checked before the membership of whoever asks.
	_, err := removeParticipant(stranger(), stranger(), alice, "8:acs:fakeid", noon)
	refused(t, err, Invalid, "", "Identifier format is invalid (8:acs:fakeid).")
	// Recordings of the CLI suite: removing oneself again is refused, since one is no participant any more.
	_, err = removeParticipant(gone(alice, 5), gone(alice, 5), alice, alice, noon)
	refused(t, err, Forbidden, "", errNotMember(alice, conversation().ID).Message)
	_, err = removeParticipant(stranger(), present(bob), alice, bob, noon)
	refused(t, err, Forbidden, "", errNotMember(alice, conversation().ID).Message)
}

func TestAlterParticipant(t *testing.T) {
	t.Parallel()
	rob := "Rob"
	for _, c := range []struct {
		name  string
		in    ParticipantUpdate
		apply func(*Participant)
	}{
		{"nothing", ParticipantUpdate{}, func(*Participant) {}},
		{"the name", ParticipantUpdate{DisplayName: &rob}, func(p *Participant) { p.DisplayName = "Rob" }},
		{"the roles", ParticipantUpdate{Roles: []string{"b"}}, func(p *Participant) { p.Roles = []string{"b"} }},
		{"the roles away", ParticipantUpdate{Roles: []string{}}, func(p *Participant) { p.Roles = []string{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			target := present(bob)
			target.Stay.Roles, target.Stay.ShareFrom = []string{"a"}, 5
			want := *target.Stay
			c.apply(&want)
			c.in.Identity = bob
			got, err := alterParticipant(present(alice), target, alice, c.in, noon)
			accepted(t, err)
			if diff := cmp.Diff([]Participant{want}, got.Alter); diff != "" {
				t.Errorf("stay (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(conversation(), got.Thread); diff != "" {
				t.Errorf("the thread changed:\n%s", diff)
			}
		})
	}
}

func TestAlterParticipantRefuses(t *testing.T) {
	t.Parallel()
	in := func(who Identity) ParticipantUpdate { return ParticipantUpdate{Identity: who} }
	_, err := alterParticipant(present(alice), stranger(), alice, in("8:acs:fakeid"), noon)
	refused(t, err, Invalid, "", "Identifier format is invalid (8:acs:fakeid).")
	_, err = alterParticipant(gone(alice, 5), present(bob), alice, in(bob), noon)
	refused(t, err, Forbidden, "", errNotMember(alice, conversation().ID).Message)
	for _, target := range []*Access{stranger(), gone(bob, 5)} {
		_, err = alterParticipant(present(alice), target, alice, in(bob), noon)
		refused(t, err, NotFound, "", "")
	}
}
