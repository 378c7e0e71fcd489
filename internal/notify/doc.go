// Package notify will tell listeners what the journal holds. Nothing of it is built yet: events are written to the journal
// by every change (see package store), and nobody reads them.
package notify
