// Package trouter speaks the notification protocol of the ACS Chat SDKs: configuration, allocation, handshake, socket.io 0.9
// over websocket or long polling, and the registrar.
//
// What is here is what the client libraries need (@azure/communication-signaling for JavaScript, 1.0.0-beta.3 to beta.34,
// read and run; the iOS and Android repositories, read): nobody outside has seen what Microsoft's server answers.
//
// Where that server forgets what it sent while a client was away, this one does not: an endpoint (one ChatClient in one
// page) has a position in the journal, behind which everything has been acknowledged. A connection begins by replaying from
// there. What was told and not acknowledged when the last one ended, pages are asked for: see marks.go.
package trouter
