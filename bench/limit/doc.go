// Package limit has what chatd is held against: the least that a server could do for the same thing, by the same libraries
// and on the same machine.
package limit
