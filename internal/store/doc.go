// Package store keeps what chat and auth decide; it is the only package with SQL.
//
// A DB speaks one set of SQL through an engine, the narrow seam to a database and its driver: SQLite, embedded, in memory or
// in a file; or Postgres, which several nodes may share. What an engine says otherwise stands in files with its name.
//
// What is promised: a write that returned without error is on disk (SQLite file: WAL with full sync; Postgres: as its
// synchronous_commit says, unless Options.Async) and its events are in the journal; in one thread the order of the journal is
// the order of commits. Each write fails or succeeds alone, also where several are committed together. An error of kind
// Unavailable leaves open whether the write was done when the connection was lost while it was committed.
//
// Order of locks in Postgres: the row of the thread, then all else. Nobody waits for a second thread while holding one: who
// places posts of several threads passes over those that are locked.
package store
