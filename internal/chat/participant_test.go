package chat

import "testing"

func TestAccess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		access         *Access
		member, reader bool
	}{
		{"present", present(alice), true, true},
		{"removed", gone(alice, 5), false, true},
		{"never there", stranger(), false, false},
	} {
		for _, check := range []struct {
			name string
			err  error
			ok   bool
		}{{"member", c.access.member(alice), c.member}, {"reader", c.access.reader(alice), c.reader}} {
			if check.ok {
				accepted(t, check.err)
				continue
			}
			// The text: recordings of the CLI suite since June 2024.
			refused(t, check.err, Forbidden, "", "User "+string(alice)+" is not a member of the thread 19:conversation@thread.v2")
		}
	}
}

// Both bounds of a history are inclusive.
func TestAccessSees(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from  Time
		until MessageID
		see   []MessageID
		hide  []MessageID
	}{
		{0, 0, []MessageID{1, 99, 100, 1 << 60}, nil},
		{100, 0, []MessageID{100, 101, 1 << 60}, []MessageID{1, 99}},
		{0, 200, []MessageID{1, 199, 200}, []MessageID{201, 1 << 60}},
		{100, 200, []MessageID{100, 200}, []MessageID{99, 201}},
		{200, 200, []MessageID{200}, []MessageID{199, 201}},
		{300, 200, nil, []MessageID{199, 200, 201, 299, 300, 301}}, // "from now on", and removed before anything was said
	} {
		a := present(alice)
		a.Stay.ShareFrom, a.Stay.Until = c.from, c.until
		for _, id := range c.see {
			if !a.sees(id) {
				t.Errorf("message %d is hidden from a history of %d to %d", id, c.from, c.until)
			}
		}
		for _, id := range c.hide {
			if a.sees(id) {
				t.Errorf("message %d shows in a history of %d to %d", id, c.from, c.until)
			}
		}
	}
}
