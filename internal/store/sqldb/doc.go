// Package sqldb is the seam between package store and its databases. An engine is a package that implements Engine; the SQL
// that all engines share is in package store, and what they say differently in their Dialect. What an engine can do beyond
// that, store asks for by an optional interface such as Poster, never by the engine's type.
//
// Beside the interfaces there is what engines need in common: a committer that batches writes, the errors that store
// understands, and limits of time.
package sqldb
