package auth

import (
	"fmt"

	"github.com/chatd/chatd/internal/chat"
)

// Denied is the answer to a request of Identity whose credentials are not accepted (azure-sdk-for-js#22312). The reason, with
// arguments as for fmt.Sprintf, is for the log.
func Denied(reason string, args ...any) error {
	return &chat.Error{
		Kind: chat.Unauthorized, Code: "Denied",
		Message: "Denied by the resource provider.",
		Reason:  fmt.Sprintf(reason, args...),
	}
}

// errContentHash is the answer to a body that is not the signed one (azure-rest-api-specs#11767).
func errContentHash() error {
	return &chat.Error{
		Kind: chat.Unauthorized, Code: "Denied",
		Message: "Request 'x-ms-content-sha256' differs from generated content hash.",
		Reason:  "content hash differs from the body",
	}
}

// errToken is the answer to a token that is not accepted. The service says nothing at all then (recordings of the
// iOS suite).
func errToken(reason string) error {
	return &chat.Error{Kind: chat.Unauthorized, Reason: reason}
}

// errNotOwned is the answer for every identity that cannot be used, for whatever cause: 401 and not 404
// (recordings of the JavaScript suite of identity).
func errNotOwned(reason string) error {
	return &chat.Error{
		Kind: chat.Unauthorized, Code: "IdentityNotOwned",
		Message: "Provided identity doesn't belong to the resource.",
		Reason:  reason,
	}
}

func errValidation(target, message string, args ...any) error {
	return &chat.Error{
		Kind: chat.Invalid, Code: "ValidationError",
		Message: fmt.Sprintf(message, args...),
		Target:  target,
		Reason:  "invalid " + target,
	}
}
