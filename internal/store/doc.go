// Package store keeps what packages chat and auth decide. With its engines it is the only package with SQL.
//
// A DB runs one set of SQL on an engine: SQLite, embedded, in memory or in a file; or Postgres, which several nodes may share.
// Engines are packages of their own behind the seam in package sqldb, which holds the few pieces of SQL that they say
// differently.
//
// # Guarantees
//
//   - A write that returned without error is on disk and its events are in the journal. SQLite syncs its log at each commit;
//     Postgres does what its synchronous_commit says, unless Options.Async. A store in memory ends with the process.
//   - Each write fails or succeeds alone, also where several are committed together.
//   - In one thread, the order of the journal is the order of commits.
//   - After an error of kind Unavailable the write may have been applied: the connection may have been lost during the commit.
//
// # Errors
//
// Errors are *chat.Error and name the operation: Unavailable when the database cannot do its work now, NotFound when there is no
// such row, Internal for what should not happen. Errors of rules, chat.ErrStale and those of a context pass as they are.
//
// # Where things are
//
// store.go opens a store and has what is common to its operations. apply.go changes threads, over rows.go, which writes rows as they
// are given; purge.go removes them. read.go, lists.go and superseded.go read threads; journal.go and watch.go are for readers of the
// journal. recent.go and pages.go are caches: see DB.Clear. users.go, endpoints.go and image.go are for what their names say.
// migrate.go brings a database to the schema of this version, and copy.go copies one store to another.
//
// A column is added by a migration for each engine, and in the list of columns and the scan function of its table, which stand
// together; a field of an event or of a system message, in record.go and without a migration. Copies find new columns by
// themselves; a new table has to be listed in copied.
//
// # Order of locks in Postgres
//
// The row of the thread comes first, then all else. Nothing waits for a second thread while it holds one: the statement that
// stores posts of several threads skips those that are locked.
package store
