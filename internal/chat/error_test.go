package chat

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want ErrorKind
	}{
		{notFound("gone"), NotFound},
		{fmt.Errorf("create: %w", forbidden("no")), Forbidden},
		{&Error{Kind: Unavailable, Cause: notFound("inner")}, Unavailable},
		{io.EOF, Internal},
		{ErrStale, Internal},
		{nil, Internal},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("%v is of kind %d, want %d", c.err, got, c.want)
		}
	}
}

// The log is told what the client is not.
func TestErrorTellsAll(t *testing.T) {
	t.Parallel()
	err := &Error{Kind: Invalid, Code: "Code", Message: "message", Reason: "reason", Cause: io.EOF}
	for _, part := range []string{"message", "reason", io.EOF.Error()} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not tell %q", err, part)
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Error("the cause cannot be found")
	}
	if silent := (&Error{Code: "MessageSizeTooBig"}); silent.Error() != "MessageSizeTooBig" {
		t.Errorf("an error without a text is %q, want its code", silent)
	}
}
