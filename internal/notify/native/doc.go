// Package native is chatd's own notification protocol: JSON over a websocket, for servers, bots and languages without an
// official SDK. docs/realtime.md describes it and asyncapi.yaml specifies it.
//
// A client says who it is, what it wants to hear and where it left off; then it is told every event from there on, each
// once and in order. What is missed is said: by a gap, or by a close code of a connection that could not keep up.
//
// A connection costs one goroutine, which reads, and a second one while there is something to write. net/http's is given
// back when the connection is ready: with its buffers it is most of what an idle websocket costs.
package native
