// Package chat holds the words of the service, its rules and its events.
//
// The words are those of Azure Communication Services (ACS) Chat:
//
//   - An Identity is a user who can take part, named by a raw id such as "8:acs:<resource>_<user>".
//   - A Thread is a conversation. Its Participants are identities that joined and may leave again;
//     each joining or leaving gives the thread a new roster version.
//   - A Message is written by a participant, or by the service itself to tell what happened
//     (participantAdded, participantRemoved, topicUpdated). Messages are numbered without gaps by Seq
//     and named by an ID that is the millisecond of their arrival, unique and ascending in a thread.
//   - A ReadReceipt says up to which message a participant has read.
//   - An Event is what a subscriber gets when something happened to a thread.
//
// What one request does to one thread is a Change. Rules are pure functions that compute a Change from the
// state of a thread, the input and the time; they read nothing and write nothing. The Store applies a Change
// in one transaction, rows and events together. Service joins the two: load, decide, apply.
//
// The package imports nothing of this module and nothing beyond the standard library.
package chat
