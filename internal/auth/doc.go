// Package auth says who is calling.
//
// There are two kinds of caller. The owner of the resource signs requests with an access key (AccessKeys); such
// requests create identities and issue tokens. A user of the resource shows a token (Identities), a JWT that the
// service signed with its own key (KeySet); what the token is good for is its scopes.
//
// Errors that reach a client are *chat.Error; their Reason says for the log what the client does not see. No Reason
// holds a token, a key or a signature.
package auth
