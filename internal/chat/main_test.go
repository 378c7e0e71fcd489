package chat

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A small world for the tests of rules: a resource, users of it, and a moment.
const (
	resource = "46849534-eb08-4ab7-bde7-c36928cd1547"
	noon     = Time(1_700_000_000_000)
)

var alice, bob, carol, dave = user(1), user(2), user(3), user(4)

func user(n int) Identity {
	return Identity(fmt.Sprintf("8:acs:%s_00000020-0000-0000-0000-%012x", resource, n))
}

// everyone answers that each of the users exists.
func everyone(users ...Identity) map[Identity]bool {
	known := map[Identity]bool{}
	for _, u := range users {
		known[u] = true
	}
	return known
}

func additions(users ...Identity) []NewParticipant {
	out := make([]NewParticipant, len(users))
	for i, u := range users {
		out[i] = NewParticipant{Identity: u}
	}
	return out
}

// someone returns n participants to be added, none of them a user named above.
func someone(n int) []NewParticipant {
	out := make([]NewParticipant, n)
	for i := range out {
		out[i] = NewParticipant{Identity: user(1000 + i)}
	}
	return out
}

// conversation is a thread that alice made with bob a while before noon: two system messages, roster version 1.
func conversation() Thread {
	return Thread{
		Key: 7, ID: "19:conversation@thread.v2", Topic: "lunch", CreatedBy: alice, CreatedOn: noon - 60_000,
		Seq: 2, LastID: MessageID(noon - 59_999), LastOn: noon - 59_999, Roster: 1, Present: 2,
	}
}

// present is the access of somebody who has been in the conversation from the beginning.
func present(who Identity) *Access {
	return &Access{Thread: conversation(), Stay: &Participant{Identity: who, DisplayName: name(who), Joined: 1}}
}

// gone is the access of somebody who was in the conversation until the given message.
func gone(who Identity, until MessageID) *Access {
	a := present(who)
	a.Thread.Roster, a.Thread.Present = 2, 1
	a.Stay.Left, a.Stay.Until = 2, until
	return a
}

// stranger is the access of somebody who was never there.
func stranger() *Access { return &Access{Thread: conversation()} }

// name is what a user of this small world is called.
func name(id Identity) string {
	switch id {
	case "":
		return "service"
	case alice:
		return "alice"
	case bob:
		return "bob"
	case carol:
		return "carol"
	case dave:
		return "dave"
	default:
		return string(id)
	}
}

// why is any text that says what is wrong, where the service's own is not known.
const why = "*"

// refused checks that err is what the client is to be told: the kind, the code where it is not the kind's own, and a
// piece of the text; an empty text means that the service says nothing.
func refused(t *testing.T, err error, kind ErrorKind, code, text string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want an *Error of kind %d", err, kind)
	}
	if e.Kind != kind || e.Code != code {
		t.Errorf("refused with kind %d code %q (%v), want kind %d code %q", e.Kind, e.Code, e, kind, code)
	}
	if e.Message != text && (text != why || e.Message == "") {
		t.Errorf("the client is told %q, want %q", e.Message, text)
	}
}

func accepted(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
}

func filler(n int) string { return strings.Repeat("x", n) }
