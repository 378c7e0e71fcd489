package sqldb

import (
	"strconv"
	"strings"
)

// NextID is the rule for message ids in SQL, as nextID in package chat has it: the millisecond of arrival, or one more than
// the last id where that is not later. last is a column and at an expression without side effects, since it is used twice.
// Versions of edits follow the same rule.
func NextID(last, at string) string {
	return "CASE WHEN " + last + " >= " + at + " THEN " + last + " + 1 ELSE " + at + " END"
}

// NextIDs is NextID for many messages at once, in the rows of window, of which k is the number from 1. Applied one after the
// other the rule gives id(k) = max(at(k), id(k-1) + 1), which is k + max(last, at(1) - 1, …, at(k) - k).
func NextIDs(last, at, k, window string) string {
	before := at + " - " + k
	return k + " + max(CASE WHEN " + last + " >= " + before + " THEN " + last + " ELSE " + before + " END) OVER (" + window + ")"
}

// Placeholders returns ", $from, …, $to", for lists after a first parameter.
func Placeholders(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		b.WriteString(", $" + strconv.Itoa(i))
	}
	return b.String()
}
