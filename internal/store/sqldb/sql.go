package sqldb

import (
	"strconv"
	"strings"
)

// Placeholders returns ", $from, …, $to", for lists after a first parameter.
func Placeholders(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		b.WriteString(", $" + strconv.Itoa(i))
	}
	return b.String()
}
