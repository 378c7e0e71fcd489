package chat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSendReceipt(t *testing.T) {
	t.Parallel()
	last := conversation().LastID
	crowd := func(n int) *Access { a := present(bob); a.Thread.Present = n; return a }
	for _, c := range []struct {
		name   string
		access *Access
		kept   *ReadReceipt
		writes bool
	}{
		{"the first", present(bob), nil, true},
		{"a later one", present(bob), &ReadReceipt{Reader: bob, MessageID: last - 1, ReadOn: noon - 1}, true},
		{"the same again", present(bob), &ReadReceipt{Reader: bob, MessageID: last, ReadOn: noon - 1}, false},
		{"an older one", present(bob), &ReadReceipt{Reader: bob, MessageID: last + 1, ReadOn: noon - 1}, false},
		// azure-sdk-for-net issue 31413: more than twenty keep none and are refused none.
		{"among twenty", crowd(20), nil, true},
		{"among twenty-one", crowd(21), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := c.access.Thread
			got, err := sendReceipt(c.access, bob, last, c.kept, noon)
			accepted(t, err)
			if !c.writes {
				if got != nil {
					t.Fatalf("makes a change: %+v", got)
				}
				return
			}
			if diff := cmp.Diff(&ReadReceipt{Reader: bob, MessageID: last, ReadOn: noon}, got.Receipt); diff != "" {
				t.Errorf("receipt (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, got.Thread); diff != "" {
				t.Errorf("reading changed the thread:\n%s", diff)
			}
		})
	}
}

func TestSendReceiptRefuses(t *testing.T) {
	t.Parallel()
	last := conversation().LastID
	for _, a := range []*Access{stranger(), gone(bob, last)} {
		_, err := sendReceipt(a, bob, last, nil, noon)
		refused(t, err, Forbidden, "", errNotMember(bob, a.Thread.ID).Message)
	}
	late := present(bob)
	late.Stay.ShareFrom = Time(last) + 1
	_, err := sendReceipt(late, bob, last, nil, noon)
	refused(t, err, NotFound, "", "")
}
