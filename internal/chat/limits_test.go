package chat

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Each limit, by the last size that is accepted and the first that is not. Sizes are bytes, not characters.
func TestLimits(t *testing.T) {
	t.Parallel()
	create := func(in NewThread) error {
		if in.Topic == "" {
			in.Topic = "topic"
		}
		if err := checkFirst(in.Participants); err != nil {
			return err
		}
		known := everyone()
		for _, p := range in.Participants {
			known[p.Identity] = true
		}
		_, _, err := createThread(alice, in, known, noon)
		return err
	}
	change := func(in ThreadUpdate) error {
		a := present(alice)
		a.Thread.Metadata = map[string]string{"k": "v"}
		_, err := updateThread(a, alice, in, noon)
		return err
	}
	send := func(in NewMessage) error {
		if in.Content == "" {
			in.Content = "hello"
		}
		_, err := post(present(alice), alice, in, noon)
		return err
	}
	edit := func(in MessageUpdate) error {
		m := Message{ID: MessageID(noon - 1), Sender: alice, Type: Text, Metadata: map[string]string{"k": "v"}}
		_, err := updateMessage(present(alice), alice, &m, in, noon)
		return err
	}
	add := func(there int, in []NewParticipant) error {
		if err := checkParticipants(in); err != nil {
			return err
		}
		a := present(alice)
		a.Thread.Present = there
		var here []Participant
		for _, p := range someone(there) {
			here = append(here, Participant{Identity: p.Identity})
		}
		known := everyone()
		for _, p := range in {
			known[p.Identity] = true
		}
		_, _, err := addParticipants(a, here, alice, in, known, noon)
		return err
	}
	alter := func(in ParticipantUpdate) error {
		in.Identity = bob
		_, err := alterParticipant(present(alice), present(bob), alice, in, noon)
		return err
	}
	attached := func(n int, address string) []Attachment {
		return slices.Repeat([]Attachment{{ID: "1", Type: AttachedFile, URL: address}}, n)
	}
	one := func(p NewParticipant) []NewParticipant {
		p.Identity = bob
		return []NewParticipant{p}
	}
	newcomers := func(n int) []NewParticipant { return someone(1000)[1000-n:] }
	metadata := func(n int) map[string]string { return map[string]string{"key": filler(n - 3)} }
	// Metadata that has its size only after it was merged into {"k": "v"}.
	merged := func(n int) map[string]string { return map[string]string{"key": filler(n - 5)} }

	for _, c := range []struct {
		what string
		max  int
		try  func(n int) error
		kind ErrorKind
		code string
	}{
		{"topic of a new thread", 28 * 1024, func(n int) error { return create(NewThread{Topic: filler(n)}) }, Invalid, ""},
		{"topic", 28 * 1024, func(n int) error { topic := filler(n); return change(ThreadUpdate{Topic: &topic}) }, Invalid, ""},
		{"token", 1024, func(n int) error { return create(NewThread{Token: filler(n)}) }, Invalid, ""},
		{"metadata of a new thread", 1024, func(n int) error { return create(NewThread{Metadata: metadata(n)}) }, Invalid, ""},
		{"metadata of a thread, merged", 1024, func(n int) error { return change(ThreadUpdate{Metadata: merged(n)}) }, Invalid, ""},
		{"participants of a new thread", 200, func(n int) error { return create(NewThread{Participants: someone(n)}) }, Invalid, ""},
		{"participants in one add", 200, func(n int) error { return add(2, newcomers(n)) }, Invalid, ""},
		{"participants in all", 250, func(n int) error { return add(n-3, newcomers(3)) }, Invalid, ""},
		{"display name of a new thread's", 1024, func(n int) error { return create(NewThread{Participants: one(NewParticipant{DisplayName: filler(n)})}) }, Invalid, ""},
		{"display name", 1024, func(n int) error { return add(2, one(NewParticipant{DisplayName: filler(n)})) }, Invalid, ""},
		{"metadata of a participant", 1024, func(n int) error { return add(2, one(NewParticipant{Metadata: metadata(n)})) }, Invalid, ""},
		{"content", 28 * 1024, func(n int) error { return send(NewMessage{Content: filler(n)}) }, TooLarge, "MessageSizeTooBig"},
		{"content of two bytes a character", 28 * 1024, func(n int) error { return send(NewMessage{Content: strings.Repeat("é", n/2) + filler(n%2)}) }, TooLarge, "MessageSizeTooBig"},
		{"edited content", 28 * 1024, func(n int) error { content := filler(n); return edit(MessageUpdate{Content: &content}) }, TooLarge, "MessageSizeTooBig"},
		{"sender's name", 1024, func(n int) error { return send(NewMessage{SenderName: filler(n)}) }, Invalid, ""},
		{"metadata of a message", 1024, func(n int) error { return send(NewMessage{Metadata: metadata(n)}) }, Invalid, ""},
		{"metadata of a message, merged", 1024, func(n int) error { return edit(MessageUpdate{Metadata: merged(n)}) }, Invalid, ""},
		{"role ids", 1024, func(n int) error { return add(2, one(NewParticipant{Roles: []string{"a", filler(n - 1)}})) }, Invalid, ""},
		{"role ids of a new thread's", 1024, func(n int) error {
			return create(NewThread{Participants: one(NewParticipant{Roles: []string{filler(n)}})})
		}, Invalid, ""},
		{"role ids, altered", 1024, func(n int) error { return alter(ParticipantUpdate{Roles: []string{filler(n)}}) }, Invalid, ""},
		{"display name, altered", 1024, func(n int) error { name := filler(n); return alter(ParticipantUpdate{DisplayName: &name}) }, Invalid, ""},
		{"attachments", 10, func(n int) error { return send(NewMessage{Attachments: attached(n, "")}) }, Invalid, ""},
		{"attachments, edited", 10, func(n int) error { return edit(MessageUpdate{Attachments: attached(n, "")}) }, Invalid, ""},
		{"address of an attachment", 4096, func(n int) error { return send(NewMessage{Attachments: attached(1, filler(n-1))}) }, Invalid, ""},
		{"bytes of an image", 10 << 20, func(n int) error {
			_, err := newImage(alice, "", NewImage{Type: "image/png", Bytes: make([]byte, n)}, noon)
			return err
		}, TooLarge, ""},
		{"name of an image", 1024, func(n int) error {
			_, err := newImage(alice, "", NewImage{Name: filler(n), Type: "image/png"}, noon)
			return err
		}, Invalid, ""},
		{"days of retention", 90, func(n int) error { return create(NewThread{Retention: Retention{RetentionCreationDate, n}}) }, Invalid, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			accepted(t, c.try(c.max))
			text := why
			if c.what == "participants of a new thread" { // Azure/Communication issue 379
				text = ""
			}
			refused(t, c.try(c.max+1), c.kind, c.code, text)
		})
	}
}

// Those present count no matter how many of a call are there already.
func TestLimitOfParticipantsCountsNewOnes(t *testing.T) {
	t.Parallel()
	a := present(alice)
	a.Thread.Present = MaxParticipants
	var here []Participant
	for _, p := range someone(MaxParticipants) {
		here = append(here, Participant{Identity: p.Identity})
	}
	known := everyone(bob)
	for _, p := range here {
		known[p.Identity] = true
	}
	c, invalid, err := addParticipants(a, here, alice, someone(200), known, noon)
	accepted(t, err)
	if c != nil || invalid != nil {
		t.Errorf("adding those who are there makes %+v, %v; want no change", c, invalid)
	}
	_, _, err = addParticipants(a, here, alice, additions(bob), known, noon)
	refused(t, err, Invalid, "", why)
	// Who cannot be added takes no place.
	_, invalid, err = addParticipants(a, here, alice, additions(carol), known, noon)
	accepted(t, err)
	if len(invalid) != 1 {
		t.Errorf("an unknown user beside a full thread is answered with %v, want one entry", invalid)
	}
}

func TestRetentionPolicies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		retention Retention
		ok        bool
	}{
		{Retention{}, true},
		{Retention{Kind: RetentionNone}, true},
		{Retention{RetentionCreationDate, 30}, true},
		{Retention{RetentionCreationDate, 60}, true},
		{Retention{RetentionCreationDate, 90}, true},
		{Retention{RetentionCreationDate, 29}, false},
		{Retention{RetentionCreationDate, 91}, false},
		{Retention{RetentionCreationDate, 0}, false},
		{Retention{RetentionCreationDate, -30}, false},
		{Retention{"threadcreationdate", 30}, false},
		{Retention{"forever", 0}, false},
	} {
		_, _, atCreation := createThread(alice, NewThread{Topic: "topic", Retention: c.retention}, nil, noon)
		_, later := updateThread(present(alice), alice, ThreadUpdate{Retention: &c.retention}, noon)
		for _, err := range []error{atCreation, later} {
			if c.ok {
				accepted(t, err)
			} else {
				refused(t, err, Invalid, "", why)
			}
		}
	}
}

// An empty value removes its key, at creation too, and counts as what it is on the wire.
func TestMetadataWithoutValues(t *testing.T) {
	t.Parallel()
	in := map[string]string{"kept": "v", "empty": ""}
	before := maps.Clone(in)
	c, _, err := createThread(alice, NewThread{Topic: "topic", Metadata: in, Participants: []NewParticipant{{Identity: bob, Metadata: in}}}, everyone(bob), noon)
	accepted(t, err)
	p, err := post(present(alice), alice, NewMessage{Content: "hello", Metadata: in}, noon)
	accepted(t, err)
	want := map[string]string{"kept": "v"}
	for what, got := range map[string]map[string]string{"thread": c.Thread.Metadata, "participant": c.Join[1].Metadata, "message": p.Message.Metadata} {
		if !maps.Equal(got, want) {
			t.Errorf("metadata of the %s is %v, want %v", what, got, want)
		}
	}
	if !maps.Equal(in, before) {
		t.Errorf("the request's map became %v", in)
	}
	_, err = post(present(alice), alice, NewMessage{Content: "hello", Metadata: map[string]string{filler(MaxMetadataBytes + 1): ""}}, noon)
	refused(t, err, Invalid, "", why)
}
