package chat

import "fmt"

// checkFirst checks the participants of a new thread. Too many are refused without a text, as by the service
// (Azure/Communication issue 379).
func checkFirst(in []NewParticipant) error {
	if len(in) > MaxParticipantsPerCall {
		return &Error{Kind: Invalid, Reason: fmt.Sprintf("%d participants in one call, at most %d", len(in), MaxParticipantsPerCall)}
	}
	return checkParticipants(in)
}

// checkParticipants refuses a whole call: for being too large, and for one malformed id (recordings of the Android and
// CLI suites).
func checkParticipants(in []NewParticipant) error {
	if len(in) > MaxParticipantsPerCall {
		return badRequest("The call has %d participants, at most %d are allowed.", len(in), MaxParticipantsPerCall)
	}
	for _, p := range in {
		if !p.Identity.WellFormed() {
			return errIdentifier(p.Identity)
		}
		if err := checkText("display name", p.DisplayName, MaxNameBytes); err != nil {
			return err
		}
		if err := checkMetadata(p.Metadata); err != nil {
			return err
		}
		if err := checkRoles(p.Roles); err != nil {
			return err
		}
	}
	return nil
}

// admit sorts those to be added: new ones join, those present or named before are passed over, ids that are no users
// of this resource are reported (text and code: recordings of the CLI suite). The history is shared from the moment of
// joining at the latest: a later one, by a clock that is ahead, would hide what is said until then for good.
func admit(in []NewParticipant, known map[Identity]bool, present []Participant, roster RosterVersion, on MessageID) (join []Participant, invalid []InvalidParticipant) {
	seen := make(map[Identity]bool, len(present)+len(in))
	for _, p := range present {
		seen[p.Identity] = true
	}
	for _, p := range in {
		switch {
		case seen[p.Identity]:
			continue
		case !known[p.Identity]:
			invalid = append(invalid, InvalidParticipant{Identity: p.Identity, Code: "403", Message: "Permissions check failed"})
		default:
			join = append(join, Participant{
				Identity: p.Identity, DisplayName: p.DisplayName, ShareFrom: min(p.ShareFrom, Time(on)), Metadata: keep(p.Metadata), Roles: p.Roles,
				Joined: roster,
			})
		}
		seen[p.Identity] = true
	}
	return join, invalid
}

// addParticipants adds those who are not there yet; checkParticipants has accepted them. All of one call share one system
// message.
func addParticipants(a *Access, present []Participant, actor Identity, in []NewParticipant, known map[Identity]bool, now Time) (*Change, []InvalidParticipant, error) {
	if err := a.member(actor); err != nil {
		return nil, nil, err
	}
	c := begin(&a.Thread, actor, a.Stay.DisplayName, now)
	join, invalid := admit(in, known, present, a.Thread.Roster+1, c.Thread.nextID(c.At))
	if len(join) == 0 {
		return nil, invalid, nil
	}
	if n := len(present) + len(join); n > MaxParticipants {
		return nil, nil, badRequest("The thread would have %d participants, at most %d are allowed.", n, MaxParticipants)
	}
	c.enter(join)
	c.say(Message{Type: ParticipantAdded, Content: Content{Participants: join, Initiator: actor}})
	return c.done(), invalid, nil
}

// removeParticipant ends a stay. Participants may remove themselves, also the last one; removing a user who is not in the
// thread changes nothing.
func removeParticipant(a, target *Access, actor, who Identity, now Time) (*Change, error) {
	if !who.WellFormed() {
		return nil, errIdentifier(who)
	}
	if err := a.member(actor); err != nil {
		return nil, err
	}
	if target.member(who) != nil {
		return nil, nil
	}
	c := begin(&a.Thread, actor, a.Stay.DisplayName, now)
	left := *target.Stay
	c.Thread.Roster++
	c.Thread.Present--
	c.say(Message{Type: ParticipantRemoved, Content: Content{Participants: []Participant{left}, Initiator: actor}})
	left.Left, left.Until = c.Thread.Roster, c.Thread.LastID
	c.Leave = []Participant{left}
	return c.done(), nil
}

// alterParticipant changes how a participant appears in the thread. It has no event and no system message: none is known.
func alterParticipant(a, target *Access, actor Identity, in ParticipantUpdate, now Time) (*Change, error) {
	if !in.Identity.WellFormed() {
		return nil, errIdentifier(in.Identity)
	}
	if err := a.member(actor); err != nil {
		return nil, err
	}
	if target.member(in.Identity) != nil {
		return nil, notFound("participant to be updated is not in the thread")
	}
	p := *target.Stay
	if in.DisplayName != nil {
		if err := checkText("display name", *in.DisplayName, MaxNameBytes); err != nil {
			return nil, err
		}
		p.DisplayName = *in.DisplayName
	}
	if in.Roles != nil {
		if err := checkRoles(in.Roles); err != nil {
			return nil, err
		}
		p.Roles = in.Roles
	}
	c := begin(&a.Thread, actor, a.Stay.DisplayName, now)
	c.Alter = []Participant{p}
	return c.done(), nil
}

func checkRoles(roles []string) error {
	size := 0
	for _, r := range roles {
		size += len(r)
	}
	return checkSize("role ids", size, MaxMetadataBytes)
}
