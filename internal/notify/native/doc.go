// Package native is chatd's own notification protocol: JSON over a websocket, for servers, bots and languages without an
// official SDK. docs/realtime.md describes it and asyncapi.yaml specifies it.
//
// A client sends its token, which threads it follows and where it resumes; then it gets every event from there on, each once and
// in order. Missing events are never silent: the server sends a gap, or closes a connection that cannot keep up with a code.
//
// A connection costs one goroutine, which reads, and a second one while there is something to write. net/http's is given
// back when the connection is ready: with its buffers it is most of what an idle websocket costs.
package native
