package chat

import "testing"

// TestClockStepsBack lets everything happen to a thread at a time before its newest message, edit or receipt: nothing gets a
// time earlier than what it follows.
func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	text, dinner := "good bye", "dinner"
	for _, before := range []struct {
		name         string
		lastOn       Time
		edited, read Time // 0: never
	}{
		{"the newest message", noon, 0, 0},
		{"an edit", noon - 3, noon, 0},
		{"the receipt before", noon - 3, 0, noon},
	} {
		last := before.lastOn
		a := present(alice)
		a.Thread.LastOn, a.Thread.LastID, a.Thread.Edited = last, MessageID(last), int64(before.edited)
		a.Thread.Retention = Retention{RetentionCreationDate, 30}
		a.Thread.CreatedOn = noon - 31*24*60*60*1000
		m := &Message{ID: MessageID(last), Version: max(int64(last), int64(before.edited)), Type: Text, Sender: alice, EditedOn: before.edited}
		var kept *ReadReceipt
		if before.read != 0 {
			kept = &ReadReceipt{Reader: alice, MessageID: m.ID - 1, ReadOn: before.read}
		}
		now := noon - 5000
		for _, op := range []struct {
			name  string
			do    func() (*Change, error)
			times func(*Change) []Time
		}{
			{"edit", func() (*Change, error) { return updateMessage(a, alice, m, MessageUpdate{Content: &text}, now) }, func(c *Change) []Time {
				return []Time{c.Replace[0].EditedOn, Time(c.Replace[0].Version), c.Events[0].Message.EditedOn}
			}},
			{"deletion of a message", func() (*Change, error) { return deleteMessage(a, alice, m, now) }, func(c *Change) []Time {
				return []Time{c.Replace[0].DeletedOn, Time(c.Replace[0].Version), c.Events[0].Message.DeletedOn}
			}},
			{"receipt", func() (*Change, error) { return sendReceipt(a, alice, m.ID, kept, now) }, func(c *Change) []Time {
				return []Time{c.Receipt.ReadOn, c.Events[0].Receipt.ReadOn}
			}},
			{"deletion of the thread", func() (*Change, error) { return deleteThread(a, alice, now) }, func(c *Change) []Time {
				return []Time{c.Thread.DeletedOn}
			}},
			{"end by retention", func() (*Change, error) { return expireThread(&a.Thread, now), nil }, func(c *Change) []Time {
				return []Time{c.Thread.DeletedOn}
			}},
			{"new topic", func() (*Change, error) { return updateThread(a, alice, ThreadUpdate{Topic: &dinner}, now) }, func(c *Change) []Time {
				return []Time{c.Thread.LastOn, c.Append[0].CreatedOn()}
			}},
			{"addition", func() (*Change, error) {
				c, _, err := addParticipants(a, nil, alice, additions(carol), everyone(carol), now)
				return c, err
			}, func(c *Change) []Time { return []Time{c.Thread.LastOn, c.Append[0].CreatedOn()} }},
			{"removal", func() (*Change, error) { return removeParticipant(a, present(bob), alice, bob, now) }, func(c *Change) []Time {
				return []Time{c.Thread.LastOn, Time(c.Leave[0].Until)}
			}},
			{"typing", func() (*Change, error) {
				return &Change{Events: []Event{typingEvent(&a.Thread, alice, "", now)}}, nil
			}, func(*Change) []Time { return nil }},
		} {
			c, err := op.do()
			accepted(t, err)
			check := func(what string, times []Time, earliest Time) {
				for i, at := range times {
					if at < earliest {
						t.Errorf("%s after %s: %s %d is %d ms before it", op.name, before.name, what, i, earliest-at)
					}
				}
			}
			check("the event's time", []Time{c.Events[0].At, Time(c.Events[0].Version)}, before.lastOn)
			follows := before.lastOn
			switch op.name {
			case "edit", "deletion of a message":
				follows = max(follows, before.edited)
			case "receipt":
				follows = max(follows, before.read)
			}
			check("time", op.times(c), follows)
		}
	}
	// A message follows the one before by its place, which the store gives.
	p, err := post(present(alice), alice, NewMessage{Content: "hello"}, noon-5000)
	accepted(t, err)
	if m, events := p.Place(3, MessageID(noon)); events[0].At != m.CreatedOn() {
		t.Errorf("the event of a message is of %d, the message of %d", events[0].At, m.CreatedOn())
	}
}
