// Package sqldb is the seam between package store and its databases. An engine is a package that implements Engine; the SQL
// that all engines share is in package store, and what they say differently in their Dialect. What an engine can do beyond
// that, store asks for by an optional interface such as Poster, never by the engine's type.
//
// To add an engine, implement Engine in a package beside package sqlite, write its migrations, and add its scheme to the table
// engines in package store. Package storetest has the tests that it must pass; those of the other engines show how to call it.
// An engine may import package chat for types, and nothing of package store.
//
// Beside the interfaces there is what engines need in common: a committer that batches writes, the errors that store
// understands, and limits of time.
package sqldb
