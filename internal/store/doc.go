// Package store keeps what chat and auth decide; it is the only package with SQL.
//
// A DB speaks one set of SQL through an engine, the narrow seam to a database and its driver. The embedded engine is
// SQLite, in memory or in a file.
//
// What is promised: a write that returned without error is on disk (SQLite file: WAL with full sync) and its events are
// in the journal; in one thread the order of the journal is the order of commits. Writes go through one goroutine, the
// committer, that applies all that queued while the last commit was under way as one transaction. Each write of a batch
// fails or succeeds alone.
package store
