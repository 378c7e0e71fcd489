package chat

import (
	"errors"
	"fmt"
)

// ErrorKind says what went wrong in a way that a wire protocol can map to its own numbers.
type ErrorKind int

// The kinds of error. The REST status of each is in one table in package httpapi.
const (
	Internal     ErrorKind = iota // a defect or a failing store; the cause is for the log only
	Invalid                       // the request cannot be understood or breaks a limit
	Unauthorized                  // no credentials, or none that are valid
	Forbidden                     // known, but not allowed
	NotFound                      // the thing does not exist, or must look so
	TooLarge                      // a body or message beyond its limit
	Unavailable                   // the store cannot be reached now; trying again helps
	TooMany                       // more than a quota allows
)

// Error is the only error type that crosses package borders with a meaning for the client.
type Error struct {
	Kind    ErrorKind
	Code    string // code on the wire where it differs from the kind's own, e.g. "IdentityNotOwned"
	Message string // what the client gets; empty where the real service sends no text
	Target  string // the field at fault, where the service names one
	Reason  string // what the log says; never sent to the client
	Cause   error
}

// Error returns all of it, for logs and tests.
func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = e.Code
	}
	if e.Reason != "" {
		text += " [" + e.Reason + "]"
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of err; an error that is not an *Error is Internal.
func KindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Errors of chat, each with the text that the service sends and, in Reason, what it keeps to itself.

// badRequest is for errors whose text in the service is not known: the client gets what is wrong.
func badRequest(message string, args ...any) *Error {
	return &Error{Kind: Invalid, Message: fmt.Sprintf(message, args...)}
}

// errIdentifier: recordings of the Android and CLI suites.
func errIdentifier(id Identity) *Error {
	return &Error{Kind: Invalid, Message: fmt.Sprintf("Identifier format is invalid (%s).", id), Reason: "malformed identifier"}
}

// ErrMessageID is the answer to a message id that is no number (recordings of the Android suite).
func ErrMessageID(raw string) *Error {
	return &Error{Kind: Invalid, Message: fmt.Sprintf("Value for MessageId (%s) is not valid.", raw), Reason: "message id is no number"}
}

// ErrThreadNotFound carries the text that only GET thread sends (recordings of the Java and Android suites);
// every other operation answers NotFound without one (recordings of the CLI suite).
func errThreadNotFound(reason string) *Error {
	return &Error{Kind: NotFound, Message: "The specified thread id was not found.", Reason: reason}
}

// notFound keeps the reason for the log: to the client, what is hidden must look like what does not exist.
func notFound(reason string) *Error { return &Error{Kind: NotFound, Reason: reason} }

// errNotMember: the text since 2024 (recordings of the CLI suite, June 2024 to March 2025).
func errNotMember(user Identity, thread ThreadID) *Error {
	return &Error{Kind: Forbidden, Message: fmt.Sprintf("User %s is not a member of the thread %s", user, thread), Reason: "not a participant"}
}

// forbidden is for refusals whose text in the service is not known.
func forbidden(message string) *Error { return &Error{Kind: Forbidden, Message: message} }

func errTextOnly() *Error { return forbidden("The messaging policy of the thread allows text only.") }

// ErrStale says that the thread's roster moved, or the thread was deleted, between a decision and its
// application. The caller decides again on the new state. It never leaves Service.
var ErrStale = errors.New("thread changed since the decision")
