// Package trouter speaks the notification protocol of the ACS Chat SDKs: configuration, allocation, handshake, socket.io 0.9
// over websocket or long polling, and the registrar.
//
// What is here is what the client libraries need (@azure/communication-signaling for JavaScript, 1.0.0-beta.3 to beta.34,
// read and run; the iOS and Android repositories, read): nobody outside has seen what Microsoft's server answers.
//
// Where that server forgets what it sent while a client was disconnected, this one does not: an endpoint (one ChatClient in one
// web page) has a position in the journal, up to which its client has acknowledged everything. A connection begins by replaying
// from there. Of events that were sent and not acknowledged when the last connection ended, the client is asked which it
// received: see marks.go.
package trouter
