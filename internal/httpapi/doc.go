// Package httpapi is the REST surface of ACS Chat and Communication Identity, in all api-versions.
//
// A request takes this way:
//
//   - server.go routes it by the table in routes.go, one row for each operation and span of versions;
//   - middleware.go and state.go give it an id, a line in the log, metrics and CORS headers, and survive a panic;
//   - serve.go authenticates the caller, chooses the version, checks the scope and reads the body;
//   - decode.go turns the body into the newest shape of the request;
//   - a handler (threads.go, participants.go, messages.go, receipts.go, images.go, identities.go) calls package chat or auth
//     and returns a reply in the newest shape. It never sees the http.ResponseWriter or the version;
//   - answer.go writes the reply as the version has it, and errors.go writes errors.
//
// What answers look like is in models.go, identifier.go and message_fields.go. The versions and their features are in
// versions.go. What older versions lack is in compat.go, and the shapes that only they have are in the files that begin with
// compat_.
//
// "Recordings" in comments are the recorded exchanges with the real service that the repositories of the SDKs publish for their
// tests.
package httpapi
